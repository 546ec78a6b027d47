//! JSON input for the fuzz targets: raw bytes, or a sample with some values replaced. Edited samples get past
//! the JSON parser and into the code behind it.

use chrono::{DateTime, Utc};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use serde_json::Value;

const MAX_EDITS: usize = 8;

#[derive(Arbitrary, Debug)]
pub(crate) enum JsonInput<'a> {
    Bytes(&'a [u8]),
    EditedSample(Vec<Edit<'a>>),
}

/// Replaces one value in a JSON document.
#[derive(Arbitrary, Debug)]
pub(crate) struct Edit<'a> {
    /// Position of the replaced value in document order, modulo the number of values.
    position: u8,
    replacement: Replacement<'a>,
}

#[derive(Arbitrary, Debug)]
enum Replacement<'a> {
    Text(&'a str),
    /// A number as a string, which is DynamoDB's format.
    Digits(i64),
    /// A time near the earliest or the latest that `chrono` can represent, as a string of milliseconds.
    ExtremeTime {
        earliest: bool,
        distance: u32,
    },
    Number(i64),
    Json(&'a str),
    Null,
    /// A copy of the value at another position.
    Copy(u8),
}

impl JsonInput<'_> {
    /// Returns the input as bytes. Edits are applied to a copy of `sample`.
    pub(crate) fn into_bytes(self, sample: &Value) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.to_owned(),
            Self::EditedSample(edits) => {
                let mut json = sample.clone();
                // Limit the edits, because each copy of the whole document doubles its size.
                for Edit { position, replacement } in edits.into_iter().take(MAX_EDITS) {
                    let value = replacement.into_value(&mut json);
                    *value_at(&mut json, position) = value;
                }
                json.to_string().into_bytes()
            }
        }
    }
}

impl Replacement<'_> {
    fn into_value(self, json: &mut Value) -> Value {
        match self {
            Self::Text(text) => text.into(),
            Self::Digits(number) => number.to_string().into(),
            Self::ExtremeTime { earliest, distance } => {
                let time = if earliest {
                    DateTime::<Utc>::MIN_UTC.timestamp_millis() + i64::from(distance)
                } else {
                    DateTime::<Utc>::MAX_UTC.timestamp_millis() - i64::from(distance)
                };
                time.to_string().into()
            }
            Self::Number(number) => number.into(),
            Self::Json(text) => serde_json::from_str(text).unwrap_or_default(),
            Self::Null => Value::Null,
            Self::Copy(position) => value_at(json, position).clone(),
        }
    }
}

fn value_at(json: &mut Value, position: u8) -> &mut Value {
    let mut pointers = vec![String::new()];
    collect_pointers(json, "", &mut pointers);
    let pointer = &pointers[usize::from(position) % pointers.len()];
    json.pointer_mut(pointer).unwrap()
}

fn collect_pointers(json: &Value, parent: &str, pointers: &mut Vec<String>) {
    let mut visit = |key: &str, value: &Value| {
        let pointer = format!("{parent}/{}", key.replace('~', "~0").replace('/', "~1"));
        pointers.push(pointer.clone());
        collect_pointers(value, &pointer, pointers);
    };
    match json {
        Value::Array(values) => values.iter().enumerate().for_each(|(i, value)| visit(&i.to_string(), value)),
        Value::Object(values) => values.iter().for_each(|(key, value)| visit(key, value)),
        _ => {}
    }
}
