//! Only the claims in the verified token grant the Share permission.

#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by a panic")]

mod json_input;

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use json_input::JsonInput;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use sharelink_domain::Sharer;
use sharelink_domain::permission::SharePermission;
use sharelink_http::{Authorization, CallerClaims, parse_event};

#[derive(Arbitrary, Debug)]
struct Caller<'a> {
    /// The claims that API Gateway's authorizer passes to the function.
    verified: JsonInput<'a>,
    token: Token<'a>,
    separator: Option<&'a str>,
}

#[derive(Arbitrary, Debug)]
enum Token<'a> {
    Header(&'a str),
    Claims(JsonInput<'a>),
}

static VERIFIED_CLAIMS: LazyLock<Value> = LazyLock::new(|| {
    json!({"sub": "u1", "iss": "https://issuer", "exp": "1900000000", "accessRights": "[viewer producer]",
             "name": "Ann", "email": "ann@example.com"})
});

static TOKEN_CLAIMS: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "sub": "u1", "iss": "https://issuer", "exp": 1_900_000_000, "accessRights": ["viewer", "producer"],
        "name": "Ann", "email": "ann@example.com",
    })
});

/// Returns the sharer if these claims and this header grant the Share permission in the module `jobs`.
fn authorize(verified: &Value, header: &str, separator: Option<&str>) -> Option<Sharer> {
    let event = json!({
        "headers": {"authorization": header},
        "requestContext": {
            "http": {"method": "GET"}, "authorizer": {"jwt": {"claims": verified}}, "routeKey": "GET /",
        },
    });
    let request = parse_event(event.to_string().as_bytes()).ok()?;
    let permission = SharePermission::parse(r#"{"jobs": ["producer"]}"#).unwrap();
    let claims = CallerClaims {
        name: "name".parse().unwrap(),
        email: "email".parse().unwrap(),
        access_rights: "accessRights".parse().unwrap(),
        access_rights_separator: separator.map(Into::into),
    };
    let authorization = Authorization::new(permission, claims);
    authorization.authorize(&request, &"jobs".parse().unwrap()).ok().map(sharelink_http::Caller::into_sharer)
}

fn bearer_header(payload: &[u8]) -> String {
    format!("Bearer e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
}

fn grants_producer(access_rights: &Value, separator: Option<&str>) -> bool {
    match access_rights {
        Value::Array(rights) => rights.contains(&json!("producer")),
        Value::String(rights) => match separator {
            Some(separator) => rights.split(separator).any(|right| right == "producer"),
            None => rights == "producer",
        },
        _ => false,
    }
}

/// Returns a claim as text, as API Gateway usually passes it.
fn to_text(claim: &Value) -> String {
    claim.as_str().map_or_else(|| claim.to_string(), ToOwned::to_owned)
}

/// Returns whether the text is the access rights as API Gateway passes them, or as JSON.
fn is_flattened(text: &str, access_rights: &Value) -> bool {
    let list = || access_rights.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>();
    access_rights == text
        || list().is_some_and(|rights| text == format!("[{}]", rights.join(" ")))
        || serde_json::from_str(text).is_ok_and(|json: Value| json == *access_rights)
}

fuzz_target!(
    init: {
        let header = bearer_header(TOKEN_CLAIMS.to_string().as_bytes());
        authorize(&VERIFIED_CLAIMS, &header, None).expect("the sample claims grant the permission");
    },
    |caller: Caller| {
        // The functions treat an empty separator as unset.
        let separator = caller.separator.filter(|separator| !separator.is_empty());
        let verified_json = caller.verified.into_bytes(&VERIFIED_CLAIMS);
        let Ok(verified) = serde_json::from_slice::<Value>(&verified_json) else { return };
        let payload = match caller.token {
            Token::Header(header) => return drop(authorize(&verified, header, separator)),
            Token::Claims(claims) => claims.into_bytes(&TOKEN_CLAIMS),
        };
        let Some(sharer) = authorize(&verified, &bearer_header(&payload), separator) else { return };
        let claims: Map<String, Value> = serde_json::from_slice(&payload).unwrap();
        assert_eq!(claims["sub"], sharer.sub);
        assert_eq!(claims["sub"], to_text(&verified["sub"]));
        assert!(claims["iss"].is_string(), "{}", claims["iss"]);
        assert_eq!(claims["iss"], to_text(&verified["iss"]));
        let verified_expiry: f64 = to_text(&verified["exp"]).parse().unwrap();
        assert_eq!(claims["exp"].as_f64(), Some(verified_expiry));
        let rights = &claims["accessRights"];
        assert!(grants_producer(rights, separator), "{rights}");
        assert!(is_flattened(&to_text(&verified["accessRights"]), rights), "{rights}");
    }
);
