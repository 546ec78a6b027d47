//! JSON as it comes, with some of its values replaced: so that what is made up gets past the parser.

use chrono::{DateTime, Utc};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use serde_json::Value;

const FIRST: DateTime<Utc> = DateTime::<Utc>::MIN_UTC;
const LAST: DateTime<Utc> = DateTime::<Utc>::MAX_UTC;

#[derive(Arbitrary, Debug)]
pub enum Json<'a> {
    Bytes(&'a [u8]),
    Edited(Vec<Edit<'a>>),
}

/// Puts a value in the place of another, which is counted from the start.
#[derive(Arbitrary, Debug)]
pub struct Edit<'a> {
    place: u8,
    value: New<'a>,
}

#[derive(Arbitrary, Debug)]
enum New<'a> {
    Text(&'a str),
    /// DynamoDB has numbers as text.
    Digits(i64),
    /// Milliseconds close to the last time that there can be, or to the first.
    End {
        first: bool,
        from: u32,
    },
    Number(i64),
    Json(&'a str),
    Null,
    /// What is there at another place.
    Copy(u8),
}

impl Json<'_> {
    /// The text, given how it comes unless somebody meddles with it.
    pub fn text(self, usual: &Value) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.to_owned(),
            Self::Edited(edits) => {
                let mut json = usual.clone();
                // Not many: each copy of the whole doubles it.
                for Edit { place, value } in edits.into_iter().take(8) {
                    let value = match value {
                        New::Text(text) => text.into(),
                        New::Digits(number) => number.to_string().into(),
                        New::End { first: false, from } => {
                            (LAST.timestamp_millis() - i64::from(from)).to_string().into()
                        }
                        New::End { first: true, from } => {
                            (FIRST.timestamp_millis() + i64::from(from)).to_string().into()
                        }
                        New::Number(number) => number.into(),
                        New::Json(text) => serde_json::from_str(text).unwrap_or_default(),
                        New::Null => Value::Null,
                        New::Copy(other) => at(&mut json, other).clone(),
                    };
                    *at(&mut json, place) = value;
                }
                json.to_string().into_bytes()
            }
        }
    }
}

fn at(json: &mut Value, place: u8) -> &mut Value {
    let mut pointers = vec![String::new()];
    list(json, "", &mut pointers);
    let pointer = &pointers[usize::from(place) % pointers.len()];
    json.pointer_mut(pointer).unwrap()
}

fn list(json: &Value, pointer: &str, pointers: &mut Vec<String>) {
    let mut visit = |key: &str, value: &Value| {
        let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
        pointers.push(pointer.clone());
        list(value, &pointer, pointers);
    };
    match json {
        Value::Array(values) => values.iter().enumerate().for_each(|(i, value)| visit(&i.to_string(), value)),
        Value::Object(values) => values.iter().for_each(|(key, value)| visit(key, value)),
        _ => {}
    }
}
