//! The claims of the token that API Gateway's authorizer verified.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use serde_json::{Map, Number, Value};
use sharelink_domain::json::{REPLACEMENT_CHARACTER, replace_lone_surrogates};

use crate::claim_path::ClaimPath;
use crate::{Request, header};

/// A token's claims with their JSON types, each of which can be read only if it agrees with the text that API
/// Gateway's authorizer verified.
///
/// The authorizer passes every claim to the function as text. It turns a list into `[a b]`, which may be one
/// right or two, so the text must never be split. Therefore, the claims are read from the token in the
/// `Authorization` header.
pub(crate) struct VerifiedClaims<'a> {
    claims: Map<String, Value>,
    /// The claims as the authorizer passed them.
    texts: &'a HashMap<String, String>,
}

/// The token in the request is not the token that the authorizer verified, or there is no such token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotVerified;

impl<'a> VerifiedClaims<'a> {
    /// Reads the claims of the request's token. The token's subject, issuer and expiry must be those that the
    /// authorizer verified.
    pub(crate) fn of(request: &'a Request) -> Result<Self, NotVerified> {
        let texts = authorizer_claims(request).ok_or(NotVerified)?;
        let claims = decode_token(request).ok_or(NotVerified)?;
        let is_text = |name| claims.get(name).is_some_and(Value::is_string);
        let is_complete = is_text("sub") && is_text("iss") && claims.get("exp").is_some_and(Value::is_number);
        let verified = Self { claims, texts };
        let is_verified = |name| agrees(verified.claims.get(name), verified.text(name), None);
        if is_complete && ["sub", "iss", "exp"].into_iter().all(is_verified) {
            Ok(verified)
        } else {
            Err(NotVerified)
        }
    }

    /// Returns the token's subject.
    pub(crate) fn subject(&self) -> &str {
        self.claims.get("sub").and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns a claim, or `None` if the token does not have it.
    pub(crate) fn get(&self, path: &ClaimPath) -> Result<Option<&Value>, NotVerified> {
        let claim = path.find(&self.claims);
        if agrees(self.claims.get(path.root()), self.text(path.root()), claim) {
            Ok(claim)
        } else {
            tracing::warn!(claim = path.root(), "a claim differs from the one that API Gateway verified");
            Err(NotVerified)
        }
    }

    /// Returns a top-level claim as the authorizer passed it.
    fn text(&self, name: &str) -> Option<&'a str> {
        self.texts.get(name).map(String::as_str)
    }
}

/// Returns the claims that the authorizer passed, as text.
fn authorizer_claims(request: &Request) -> Option<&HashMap<String, String>> {
    let RequestContext::ApiGatewayV2(context) = request.request_context_ref()? else { return None };
    Some(&context.authorizer.as_ref()?.jwt.as_ref()?.claims)
}

/// Returns the claims of the token in the `Authorization` header. The token must have three base64url parts
/// and nothing else (RFC 7515, section 7.1). API Gateway joins duplicate headers with a comma, so a second
/// token makes the header invalid.
fn decode_token(request: &Request) -> Option<Map<String, Value>> {
    let authorization = header(request, "authorization")?;
    let token = match authorization.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        Some(_) => return None,
        None => authorization,
    };
    let parts: Vec<Vec<u8>> =
        token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part)).collect::<Result<_, _>>().ok()?;
    match parts.as_slice() {
        [header, payload, signature] if !header.is_empty() && !signature.is_empty() => {
            // The authorizer reads them in the same way.
            serde_json::from_slice(&replace_lone_surrogates(payload, REPLACEMENT_CHARACTER)).ok()
        }
        _ => None,
    }
}

/// Returns whether a top-level claim agrees with the text that the authorizer passed for it. If the claim is
/// an object, only `nested`, the part of it that is read, is compared.
///
/// The authorizer passes strings unchanged, numbers and booleans as text, lists of strings as `[a b]`, and
/// omits `null` (observed, for example by the authors of <https://github.com/floci-io/floci/pull/2011>). AWS
/// does not document the format of an object, so the comparison accepts any format that contains the values
/// unchanged, and JSON. The comparison can therefore miss a difference, but it never rejects a verified
/// token.
///
/// A claim that the authorizer did not pass is rejected, because the authorizer passes every claim:
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html>. Otherwise, a
/// caller without any access rights could add some. An empty claim may be missing, because it adds nothing, and
/// AWS does not document that empty claims are passed.
fn agrees(claim: Option<&Value>, text: Option<&str>, nested: Option<&Value>) -> bool {
    let (claim, text) = match (claim, text) {
        (None, None) => return true,
        (Some(claim), None) => return is_empty(claim),
        (None, Some(_)) => return false,
        (Some(claim), Some(text)) => (claim, text),
    };
    let is_json = || serde_json::from_str(text).is_ok_and(|json: Value| json == *claim);
    match claim {
        Value::Null => matches!(text, "" | "null" | "<nil>"),
        Value::Bool(value) => text == if *value { "true" } else { "false" },
        Value::Number(number) => is_same_number(number, text),
        Value::String(value) => text == value,
        Value::Array(list) => match list.iter().map(Value::as_str).collect::<Option<Vec<_>>>() {
            Some(strings) => text == format!("[{}]", strings.join(" ")) || is_json(),
            None => contains_values(text, claim) || is_json(),
        },
        Value::Object(_) => nested.is_none_or(|nested| contains_values(text, nested)) || is_json(),
    }
}

fn is_empty(claim: &Value) -> bool {
    match claim {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Returns whether the text is this number, in any notation: `1900000000` is also `1.9e+09`.
fn is_same_number(number: &Number, text: &str) -> bool {
    let values = number.as_f64().zip(text.parse::<f64>().ok());
    values.is_some_and(|(number, value)| number.to_bits() == value.to_bits())
}

/// Returns whether the text contains each of the value's strings and booleans as a whole word.
fn contains_values(text: &str, value: &Value) -> bool {
    match value {
        Value::String(word) => contains_word(text, word),
        Value::Bool(value) => contains_word(text, if *value { "true" } else { "false" }),
        Value::Array(list) => list.iter().all(|value| contains_values(text, value)),
        Value::Object(object) => object.values().all(|value| contains_values(text, value)),
        Value::Null | Value::Number(_) => true,
    }
}

/// Returns whether the text contains the word, and neither a letter, a digit, `-` nor `_` adjoins it.
fn contains_word(text: &str, word: &str) -> bool {
    let adjoins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-' || c == '_');
    // `str::match_indices` would miss an occurrence that overlaps another one.
    let is_word_at = |start: usize| {
        let (before, rest) = text.split_at(start);
        rest.strip_prefix(word)
            .is_some_and(|after| !adjoins(before.chars().next_back()) && !adjoins(after.chars().next()))
    };
    word.is_empty() || text.char_indices().any(|(start, _)| is_word_at(start))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::{event, flattened_text, request, token};

    /// Returns whether the claim at this path can be read from a token in which the top-level claim `root`
    /// has this value, although API Gateway passed this text for it.
    fn is_readable(path: &str, root: &Value, text: Option<&str>) -> bool {
        let mut claims = json!({"sub": "u1", "iss": "https://issuer", "exp": 1_900_000_000, "root": root});
        let mut texts = json!({"sub": "u1", "iss": "https://issuer", "exp": "1900000000", "root": text});
        if root.is_null() {
            claims.as_object_mut().unwrap().remove("root");
        }
        if text.is_none() {
            texts.as_object_mut().unwrap().remove("root");
        }
        let request = request(&event(&json!({"authorization": token(&claims)}), &texts));
        VerifiedClaims::of(&request).unwrap().get(&path.parse().unwrap()).is_ok()
    }

    #[test]
    fn verified_claim_is_readable_in_every_known_format() {
        let nested = json!({"roles": ["Ünï admin", "xa", "a a"], "n": 1, "on": true});
        for (path, root, text) in [
            ("root", json!("a b"), "a b"),
            ("root", json!(""), ""),
            ("root", json!(true), "true"),
            ("root", json!(1_900_000_000), "1.9e+09"),
            ("root", json!(["a b", "c"]), "[a b c]"),
            ("root", json!([]), "[]"),
            ("root", json!(["a", "b"]), r#"["a","b"]"#),
            ("root", json!(["a", 1]), "[a 1]"),
            ("/root/roles", nested.clone(), "map[n:1 on:true roles:[Ünï admin xa a a]]"),
            ("/root/roles", nested.clone(), "{roles=[Ünï admin, xa, a a], n=1, on=true}"),
            (
                "/root/roles",
                nested.clone(),
                r#"{"n": 1, "on": true, "roles": ["\u00dcn\u00ef admin", "xa", "a a"]}"#,
            ),
            ("/root/on", nested.clone(), "map[n:1 on:true roles:[Ünï admin xa a a]]"),
            ("/root/other", nested, "map[n:1 on:true roles:[Ünï admin xa a a]]"),
        ] {
            assert!(is_readable(path, &root, Some(text)), "{path} in {root} as {text}");
        }
        assert!(is_readable("root", &Value::Null, None));
    }

    #[test]
    fn token_with_half_a_character_is_readable() {
        let payload = r#"{"sub": "u1", "iss": "https://issuer", "exp": 1, "name": "Ann \ud83d"}"#;
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
        let texts = json!({"sub": "u1", "iss": "https://issuer", "exp": "1", "name": "Ann \u{fffd}"});
        let request = request(&event(&json!({"authorization": token}), &texts));
        let name = VerifiedClaims::of(&request).unwrap().get(&"name".parse().unwrap()).unwrap().cloned();
        assert_eq!(name, Some("Ann \u{fffd}".into()));
    }

    #[test]
    fn claim_that_differs_from_the_verified_text_is_rejected() {
        for (path, root, text) in [
            ("root", json!("admin"), "viewer"),
            ("root", json!("admin"), "[admin]"),
            ("root", json!(true), "false"),
            ("root", json!(1), "2"),
            ("root", json!(["admin"]), "[viewer]"),
            ("root", json!(["admin"]), "[viewer admin]"),
            ("root", json!(["admin"]), "admin"),
            ("root", json!([]), "[admin]"),
            ("root", json!(""), "admin"),
            ("root", Value::Null, "false"),
            ("/root/roles", json!({"roles": ["admin"]}), "map[roles:[viewer]]"),
            ("/root/roles", json!({"roles": ["admin"]}), "map[roles:[realm-admin admins]]"),
            ("/root/roles", json!({"roles": ["admin"]}), r#"{"roles": ["viewer"]}"#),
            ("/root/on", json!({"on": true}), "map[on:false]"),
        ] {
            assert!(!is_readable(path, &root, Some(text)), "{path} in {root} as {text}");
        }
    }

    #[test]
    fn claim_that_the_authorizer_did_not_pass_is_rejected() {
        for root in [json!("admin"), json!([""]), json!({"roles": []}), json!(false), json!(0)] {
            assert!(!is_readable("root", &root, None), "{root}");
        }
    }

    #[test]
    fn empty_claim_is_readable_if_the_authorizer_omits_it() {
        for root in [json!(""), json!([]), json!({})] {
            assert!(is_readable("root", &root, None), "{root}");
        }
        assert!(is_readable("/root/roles", &json!({}), None));
    }

    proptest! {
        #[test]
        fn verified_token_is_never_rejected(rights in prop::collection::vec(".{0,8}", 0..6), other in ".{0,8}") {
            let list = json!(rights);
            prop_assert!(is_readable("root", &list, Some(&flattened_text(&list))));
            let nested = json!({"other": other, "roles": rights});
            for text in [flattened_text(&nested), nested.to_string()] {
                prop_assert!(is_readable("/root/roles", &nested, Some(&text)), "{}", text);
            }
        }
    }
}
