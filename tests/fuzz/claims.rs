//! Nobody holds the Share permission but by the claims of the token that was verified.

#![no_main]

mod edited;

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use edited::Json;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use sharelink_domain::Sharer;
use sharelink_domain::permission::SharePermission;
use sharelink_http::{Authorization, parse_event};

#[derive(Arbitrary, Debug)]
struct Caller<'a> {
    /// What the authorizer says.
    verified: Json<'a>,
    token: Token<'a>,
    separator: Option<&'a str>,
}

#[derive(Arbitrary, Debug)]
enum Token<'a> {
    Header(&'a str),
    Claims(Json<'a>),
}

static VERIFIED: LazyLock<Value> = LazyLock::new(
    || json!({"sub": "u1", "iss": "https://issuer", "exp": "1900000000", "accessRights": "[producer]"}),
);

static CLAIMS: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "sub": "u1", "iss": "https://issuer", "exp": 1_900_000_000, "accessRights": ["viewer", "producer"],
        "name": "Ann", "email": "ann@example.com",
    })
});

/// Who may share, by these claims.
fn ask(verified: &Value, header: &str, separator: Option<&str>) -> Option<Sharer> {
    let event = json!({
        "headers": {"authorization": header},
        "requestContext": {
            "http": {"method": "GET"}, "authorizer": {"jwt": {"claims": verified}}, "routeKey": "GET /",
        },
    });
    let request = parse_event(event.to_string().as_bytes()).ok()?;
    let permission = SharePermission::parse(r#"{"jobs": ["producer"]}"#).unwrap();
    let authorization = Authorization::new(permission, "accessRights".into(), separator.map(Into::into));
    authorization.authorize(&request, &"jobs".parse().unwrap()).ok()
}

fn bearer(payload: &[u8]) -> String {
    format!("Bearer e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
}

fuzz_target!(
    init: assert!(ask(&VERIFIED, &bearer(CLAIMS.to_string().as_bytes()), None).is_some()),
    |caller: Caller| {
        // An empty setting is none.
        let separator = caller.separator.filter(|separator| !separator.is_empty());
        let Ok(verified) = serde_json::from_slice::<Value>(&caller.verified.text(&VERIFIED)) else { return };
        let payload = match caller.token {
            Token::Header(header) => return drop(ask(&verified, header, separator)),
            Token::Claims(claims) => claims.text(&CLAIMS),
        };
        let Some(sharer) = ask(&verified, &bearer(&payload), separator) else { return };
        let claims: Map<String, Value> = serde_json::from_slice(&payload).unwrap();
        assert!(claims["sub"] == verified["sub"] && claims["sub"] == sharer.sub);
        assert!(claims["iss"].is_string() && claims["iss"] == verified["iss"]);
        let expiry: f64 = verified["exp"].as_str().unwrap().parse().unwrap();
        assert_eq!(claims["exp"].as_f64(), Some(expiry));
        let granted = match &claims["accessRights"] {
            Value::Array(rights) => rights.contains(&json!("producer")),
            Value::String(rights) => match separator {
                Some(separator) => rights.split(separator).any(|right| right == "producer"),
                None => rights == "producer",
            },
            _ => false,
        };
        assert!(granted);
    }
);
