//! Reading a JSON body, with errors that point at the field.

use lambda_http::Body;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::{FieldError, Problem, ProblemType, Request};

/// More than the largest valid request takes.
const BODY_LIMIT: usize = 256 * 1024;

/// Reads the body as JSON.
pub fn json_body<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let bytes: &[u8] = match request.body() {
        Body::Text(text) => text.as_bytes(),
        Body::Binary(bytes) => bytes,
        _ => &[],
    };
    if bytes.len() > BODY_LIMIT {
        return Err(ProblemType::BodyTooLarge.into());
    }
    serde_json::from_slice::<Value>(bytes).map_err(|error| Problem::Malformed(error.to_string()))?;
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(bytes)).map_err(|error| {
        let pointer = pointer(error.path());
        Problem::Invalid(vec![FieldError::pointer(pointer, error.into_inner())])
    })
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
    use serde::Deserialize;
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
        let answer = json_body::<Fixture>(&request(event)).unwrap_err().into_answer();
        (answer.status().as_u16(), serde_json::from_str(answer.body()).unwrap())
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
    fn a_body_over_the_limit_is_too_large() {
        assert_eq!(refusal(&" ".repeat(BODY_LIMIT + 1)).0, 413);
    }
}
