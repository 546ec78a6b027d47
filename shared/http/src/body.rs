//! Reading a JSON body, with errors that point at the field.

use std::fmt;
use std::marker::PhantomData;

use lambda_http::Body;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::{FieldError, Problem, ProblemType, Request};

/// More than the largest valid request takes.
const BODY_LIMIT: usize = 256 * 1024;

fn bytes(request: &Request) -> &[u8] {
    match request.body() {
        Body::Text(text) => text.as_bytes(),
        Body::Binary(bytes) => bytes,
        _ => &[],
    }
}

/// Reads the body as a JSON object.
pub fn parse_json_body<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let bytes = bytes(request);
    if bytes.len() > BODY_LIMIT {
        return Err(ProblemType::BodyTooLarge.into());
    }
    serde_json::from_slice::<Value>(bytes).map_err(|error| Problem::Malformed(error.to_string()))?;
    let body = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(bytes));
    body.map(|Object(body)| body).map_err(|error| {
        let pointer = pointer(error.path());
        Problem::Invalid(vec![FieldError::pointer(pointer, detail(error.inner()))])
    })
}

/// Something written as an object: of a struct, serde takes a list of its fields, too.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<T, M::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// Checks that the body is empty, or an empty object: what it said would not be done.
pub fn require_empty_body(request: &Request) -> Result<(), Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Empty {}
    if bytes(request).is_empty() { Ok(()) } else { parse_json_body::<Empty>(request).map(|Empty {}| ()) }
}

/// What is wrong with a field. The parser quotes what it found, which may be somebody's address; what it
/// expected is all that helps.
fn detail(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    if text.starts_with("unknown field") {
        return "is not known".to_owned();
    }
    match text.rsplit_once(", expected ") {
        Some((_, "a sequence")) => "must be a list".to_owned(),
        Some((_, expected)) => format!("must be {expected}"),
        None => text.to_owned(),
    }
}

/// The JSON pointer (RFC 6901) of a place in a body.
fn pointer(path: &Path) -> String {
    let segment = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(segment).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::tests::{event, request};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fixture {
        #[expect(dead_code)]
        names: Vec<String>,
        #[serde(default)]
        #[expect(dead_code)]
        on: bool,
    }

    fn refusal(body: &str) -> (u16, Value) {
        let mut event = event(&json!({}), &json!({}));
        event["body"] = body.into();
        let answer = parse_json_body::<Fixture>(&request(&event)).unwrap_err().into_response();
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap())
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        for body in [
            "",
            "{",
            "{}x",
            "{\"names\": [\"a\"]} {}",
            r#"{"names": ["\ud800"]}"#,
            r#"{"names": 1e999}"#,
            &"[".repeat(200),
        ] {
            assert_eq!(refusal(body).0, 400, "{body}");
        }
    }

    #[test]
    fn a_wrong_field_is_pointed_at() {
        for (body, pointer) in [
            ("[]", ""),
            ("{}", ""),
            (r#"{"names": "a"}"#, "/names"),
            (r#"{"names": ["a", 2]}"#, "/names/1"),
            (r#"{"names": [], "on": null}"#, "/on"),
            (r#"{"names": [], "a/b~": 1}"#, "/a~1b~0"),
            (r#"{"names": [], "names": []}"#, ""),
        ] {
            let (status, problem) = refusal(body);
            assert_eq!(
                (status, &problem["errors"][0]["pointer"]),
                (422, &json!(pointer)),
                "{body}: {problem}"
            );
        }
    }

    #[test]
    fn what_is_wrong_with_a_field_does_not_quote_it() {
        for (body, detail) in [
            (r#"{"names": "ann@example.com, expected"}"#, "must be a list"),
            (r#"{"names": ["a"], "on": "ann@example.com"}"#, "must be a boolean"),
            (r#"{"names": ["a"], "ann@example.com": 1}"#, "is not known"),
            (r#""ann@example.com""#, "must be an object"),
            (r#"[["ann@example.com"], true]"#, "must be an object"),
            ("{}", "missing field `names`"),
        ] {
            assert_eq!(refusal(body).1["errors"][0]["detail"], detail, "{body}");
        }
    }

    #[test]
    fn a_body_over_the_limit_is_too_large() {
        assert_eq!(refusal(&" ".repeat(BODY_LIMIT + 1)).0, 413);
    }
}
