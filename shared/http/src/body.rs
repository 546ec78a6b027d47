//! JSON request bodies, with errors that locate the invalid field.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use lambda_http::Body;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use sharelink_domain::json::{NONCHARACTER, replace_lone_surrogates};

use crate::{FieldError, Problem, ProblemType, Request};

/// The maximum size of a request body, in bytes. Every valid request is smaller.
const BODY_LIMIT: usize = 256 * 1024;

/// Returns the body's JSON text, without a byte order mark and lone surrogates.
fn json_text(request: &Request) -> Result<Cow<'_, [u8]>, Problem> {
    let bytes = match request.body() {
        Body::Text(text) => text.as_bytes(),
        Body::Binary(bytes) => bytes,
        _ => &[],
    };
    if bytes.len() > BODY_LIMIT {
        return Err(ProblemType::BodyTooLarge.into());
    }
    // Some .NET programs send the mark. A parser may ignore it (RFC 8259, section 8.1).
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    Ok(replace_lone_surrogates(bytes, NONCHARACTER))
}

/// Parses the body as a JSON object.
///
/// A body that is not JSON is reported as malformed (400). Well-formed JSON that is not a valid `T` is
/// reported as an invalid field (422).
pub fn parse_json_body<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    parse_object(&json_text(request)?)
}

fn parse_object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Check the syntax of the whole body first: an invalid field would hide a syntax error that follows it.
    serde_json::from_slice::<Value>(bytes).map_err(|error| Problem::Malformed(error.to_string()))?;
    let parsed = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(bytes));
    parsed.map(|Object(body)| body).map_err(|error| {
        let pointer = json_pointer(error.path());
        Problem::Invalid(vec![FieldError::pointer(pointer, error_detail(error.inner()))])
    })
}

/// A value that must be a JSON object. Without this wrapper, serde would also accept an array with the
/// struct's field values in order.
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

/// Rejects a body that is neither empty nor an empty JSON value, because its contents would be ignored.
///
/// HTTP clients send an empty value if they have nothing to send: axios `null`, and PHP's `[]`.
pub fn require_empty_body(request: &Request) -> Result<(), Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Empty {}
    let bytes = json_text(request)?;
    let is_empty = bytes.trim_ascii().is_empty()
        || match serde_json::from_slice(&bytes) {
            Ok(Value::Null) => true,
            Ok(Value::String(text)) => text.trim().is_empty(),
            Ok(Value::Array(values)) => values.is_empty(),
            _ => false,
        };
    if is_empty { Ok(()) } else { parse_object::<Empty>(&bytes).map(|Empty {}| ()) }
}

/// Describes an invalid field by stating what the parser expected there. The parser's message also quotes the
/// actual value. The description omits that value, because it may be an email address.
fn error_detail(error: &serde_json::Error) -> String {
    let full_text = error.to_string();
    let text = full_text.rsplit_once(" at line ").map_or(full_text.as_str(), |(text, _)| text);
    if text.starts_with("unknown field") {
        return "is not a known field".to_owned();
    }
    match text.rsplit_once(", expected ") {
        Some((_, "a sequence")) => "must be a list".to_owned(),
        Some((_, expected)) => format!("must be {expected}"),
        None => text.to_owned(),
    }
}

/// Returns the JSON pointer (RFC 6901) to a field in the body.
fn json_pointer(path: &Path) -> String {
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
    use crate::testing::{event, request};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fixture {
        #[expect(dead_code)]
        names: Vec<String>,
        #[serde(default)]
        #[expect(dead_code)]
        on: bool,
    }

    /// Parses an invalid body as a [`Fixture`] and returns the status and body of the problem response.
    fn problem(body: &str) -> (u16, Value) {
        let mut event = event(&json!({}), &json!({}));
        event["body"] = body.into();
        let response = parse_json_body::<Fixture>(&request(&event)).unwrap_err().into_response();
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
    }

    #[test]
    fn body_that_is_not_json_is_malformed() {
        for body in ["", "{", "{}x", "{\"names\": [\"a\"]} {}", r#"{"names": 1e999}"#, &"[".repeat(200)] {
            let (status, _) = problem(body);
            assert_eq!(status, 400, "{body}");
        }
    }

    #[test]
    fn lone_surrogate_is_read_as_a_noncharacter() {
        #[derive(Deserialize)]
        struct Text {
            text: String,
        }
        let mut event = event(&json!({}), &json!({}));
        event["body"] = "\u{feff}{\"text\": \"a\\ud83d\"}".into();
        let parsed: Text = parse_json_body(&request(&event)).unwrap();
        assert_eq!(parsed.text, "a\u{ffff}");
    }

    #[test]
    fn empty_value_is_an_empty_body() {
        let check = |body: &str| {
            let mut event = event(&json!({}), &json!({}));
            event["body"] = body.into();
            require_empty_body(&request(&event)).map_err(|problem| problem.into_response().status().as_u16())
        };
        for body in ["", " \r\n", "{}", " { }\n", "null", "\"\"", "\"  \"", "[]", "\u{feff}", "\u{feff}{}"] {
            assert_eq!(check(body), Ok(()), "{body:?}");
        }
        for body in ["{\"a\": null}", "[null]", "[[]]", "\"a\"", "0", "false", "\"null\""] {
            assert_eq!(check(body), Err(422), "{body:?}");
        }
        for body in ["x", "nul", "{", "{}{}", "undefined"] {
            assert_eq!(check(body), Err(400), "{body:?}");
        }
        assert_eq!(check(&" ".repeat(BODY_LIMIT + 1)), Err(413));
    }

    #[test]
    fn error_points_at_the_invalid_field() {
        for (body, pointer) in [
            ("[]", ""),
            ("{}", ""),
            (r#"{"names": "a"}"#, "/names"),
            (r#"{"names": ["a", 2]}"#, "/names/1"),
            (r#"{"names": [], "on": null}"#, "/on"),
            (r#"{"names": [], "a/b~": 1}"#, "/a~1b~0"),
            (r#"{"names": [], "names": []}"#, ""),
        ] {
            let (status, problem) = problem(body);
            assert_eq!(status, 422, "{body}: {problem}");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        }
    }

    #[test]
    fn error_detail_does_not_quote_the_value() {
        for (body, detail) in [
            (r#"{"names": "ann@example.com, expected"}"#, "must be a list"),
            (r#"{"names": ["a"], "on": "ann@example.com"}"#, "must be a boolean"),
            (r#"{"names": ["a"], "ann@example.com": 1}"#, "is not a known field"),
            (r#""ann@example.com""#, "must be an object"),
            (r#"[["ann@example.com"], true]"#, "must be an object"),
            ("{}", "missing field `names`"),
        ] {
            let (_, problem) = problem(body);
            assert_eq!(problem["errors"][0]["detail"], detail, "{body}");
        }
    }

    #[test]
    fn body_over_the_limit_is_too_large() {
        let (status, _) = problem(&" ".repeat(BODY_LIMIT + 1));
        assert_eq!(status, 413);
    }
}
