//! Who calls, and whether they hold the Share permission.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use serde_json::{Map, Value};
use sharelink_domain::names::strip_bidi_controls;
use sharelink_domain::permission::{AccessRights, PermissionError, SharePermission};
use sharelink_domain::{ModuleName, Sharer};
use sharelink_runtime::{SettingError, optional, required};
use thiserror::Error;

use crate::event::header;
use crate::{Problem, ProblemType, Request};

/// The deployment's settings of who may share do not make sense.
#[derive(Debug, Error)]
pub enum AuthorizationError {
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error("SHARE_PERMISSION {0}")]
    Permission(#[from] PermissionError),
}

/// Who calls, and with which access rights.
#[derive(Clone, Debug)]
pub struct Caller {
    sharer: Sharer,
    rights: AccessRights,
}

/// The deployment's rule of who may share.
#[derive(Clone, Debug)]
pub struct Authorization {
    permission: SharePermission,
    /// The claim that lists the caller's access rights.
    claim: String,
    /// What separates them where the claim is one string; without it, such a claim is one right.
    separator: Option<String>,
}

impl Authorization {
    /// The rule as the deployment set it.
    pub fn from_env() -> Result<Self, AuthorizationError> {
        let permission = SharePermission::parse(&required("SHARE_PERMISSION")?)?;
        Ok(Self::new(permission, required("ACCESS_RIGHTS_CLAIM")?, optional("ACCESS_RIGHTS_SEPARATOR")))
    }

    /// A rule: who holds the permission, the claim that lists a caller's access rights, and what separates them where
    /// the claim is one string.
    #[must_use]
    pub fn new(permission: SharePermission, claim: String, separator: Option<String>) -> Self {
        Self { permission, claim, separator }
    }

    /// The caller, who holds the Share permission in this module.
    pub fn sharer(&self, request: &Request, module: &ModuleName) -> Result<Sharer, Problem> {
        let caller = self.caller(request)?;
        if self.can_share(&caller, module) {
            Ok(caller.sharer)
        } else {
            Err(ProblemType::SharePermissionMissing.into())
        }
    }

    /// Whoever calls, with or without the permission.
    pub fn caller(&self, request: &Request) -> Result<Caller, Problem> {
        let claims = verified_claims(request).ok_or(ProblemType::Unauthenticated)?;
        let sharer = sharer(&claims).ok_or(ProblemType::Unauthenticated)?;
        Ok(Caller { sharer, rights: self.access_rights(&claims) })
    }

    /// Whether a caller holds the Share permission in this module.
    #[must_use]
    pub fn can_share(&self, caller: &Caller, module: &ModuleName) -> bool {
        self.permission.allows(&caller.rights, module)
    }

    /// Anything but a list of strings, or one string, grants nothing.
    fn access_rights(&self, claims: &Map<String, Value>) -> AccessRights {
        match claims.get(&self.claim) {
            Some(Value::Array(rights)) => {
                let rights = rights.iter().map(|right| right.as_str().map(ToOwned::to_owned));
                rights.collect::<Option<AccessRights>>().unwrap_or_default()
            }
            Some(Value::String(rights)) => match &self.separator {
                Some(separator) => rights.split(separator.as_str()).map(ToOwned::to_owned).collect(),
                None => [rights.clone()].into_iter().collect(),
            },
            _ => AccessRights::default(),
        }
    }
}

/// The typed claims of the token that the gateway's authorizer verified.
///
/// The gateway hands claims on as strings, a list as `[a b]`, which may be one right or two and must never
/// be taken apart. The same token is in the request; its payload is read again, and believed only where it
/// is the one that the authorizer saw.
fn verified_claims(request: &Request) -> Option<Map<String, Value>> {
    let RequestContext::ApiGatewayV2(context) = request.request_context_ref()? else { return None };
    let verified = &context.authorizer.as_ref()?.jwt.as_ref()?.claims;
    let token = header(request, "authorization")?;
    let token = match token.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        Some(_) => return None,
        None => token,
    };
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Map<String, Value> = serde_json::from_slice(&payload).ok()?;
    let same_text =
        |name| claims.get(name)?.as_str().filter(|claim| verified.get(name).is_some_and(|v| v == claim));
    same_text("sub")?;
    same_text("iss")?;
    let expiry: f64 = verified.get("exp")?.parse().ok()?;
    let same_expiry = claims.get("exp")?.as_f64()?.to_bits() == expiry.to_bits();
    same_expiry.then_some(claims)
}

/// The longest text of a claim that is kept for display.
const CLAIM_LIMIT: usize = 200;

/// The longest subject (OpenID Connect Core 1.0, section 2).
const SUBJECT_LIMIT: usize = 255;

fn sharer(claims: &Map<String, Value>) -> Option<Sharer> {
    let text = |name: &str| {
        let text = claims.get(name)?.as_str()?;
        let text: String =
            text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(CLAIM_LIMIT).collect();
        let text = strip_bidi_controls(text.trim());
        (!text.is_empty()).then_some(text)
    };
    // Compared, so kept whole: what is cut or mended could be somebody else's.
    let sub = claims.get("sub")?.as_str()?;
    if sub.is_empty() || sub.len() > SUBJECT_LIMIT || sub.chars().any(char::is_control) {
        return None;
    }
    Some(Sharer {
        sub: sub.to_owned(),
        name: text("name"),
        email: claims.get("email").and_then(Value::as_str).and_then(|email| email.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::event::tests::{event, request};

    fn authorization(separator: Option<&str>) -> Authorization {
        let permission = SharePermission::parse(r#"{"jobs": ["producer"], "*": ["admin"]}"#).unwrap();
        Authorization::new(permission, "accessRights".into(), separator.map(Into::into))
    }

    fn token(claims: &Value) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    fn claims(rights: &Value) -> Value {
        json!({"sub": "u1", "iss": "https://issuer", "exp": 1_900_000_000, "accessRights": rights,
               "name": "Ann\r\nB", "email": "ann@example.com"})
    }

    fn verified() -> Value {
        json!({"sub": "u1", "iss": "https://issuer", "exp": "1900000000", "accessRights": "[admin producer]"})
    }

    fn ask(authorization: &Authorization, header: &str, verified: &Value) -> Result<Sharer, u16> {
        let request = request(&event(&json!({"authorization": header}), verified));
        authorization
            .sharer(&request, &"jobs".parse().unwrap())
            .map_err(|problem| problem.into_response().status().as_u16())
    }

    fn ask_with(rights: &Value, separator: Option<&str>) -> Result<Sharer, u16> {
        ask(&authorization(separator), &format!("Bearer {}", token(&claims(rights))), &verified())
    }

    #[test]
    fn a_caller_with_the_permission_is_the_sharer() {
        let sharer = ask_with(&json!(["viewer", "producer"]), None).unwrap();
        assert_eq!((sharer.sub.as_str(), sharer.name.as_deref()), ("u1", Some("Ann  B")));
        assert_eq!(sharer.email.unwrap().as_str(), "ann@example.com");
    }

    #[test]
    fn a_subject_is_kept_whole_or_refused() {
        let ask_as = |sub: &str| {
            let (mut claims, mut verified) = (claims(&json!(["producer"])), verified());
            claims["sub"] = sub.into();
            verified["sub"] = sub.into();
            ask(&authorization(None), &token(&claims), &verified)
        };
        for good in ["x".repeat(255), " u\u{202e}1 ".to_owned()] {
            assert_eq!(ask_as(&good).unwrap().sub, good);
        }
        for bad in ["x".repeat(256), String::new(), "u\n1".to_owned()] {
            assert_eq!(ask_as(&bad), Err(401), "{bad:?}");
        }
    }

    #[test]
    fn a_string_claim_is_one_right_unless_a_separator_is_set() {
        assert!(ask_with(&json!("producer"), None).is_ok());
        assert_eq!(ask_with(&json!("viewer producer"), None), Err(403));
        assert!(ask_with(&json!("viewer producer"), Some(" ")).is_ok());
        assert_eq!(ask_with(&json!(["viewer producer"]), Some(" ")), Err(403));
    }

    #[test]
    fn odd_claims_grant_nothing() {
        for rights in [
            json!(null),
            json!({}),
            json!(true),
            json!([]),
            json!([["producer"]]),
            json!(["producer", 1]),
            json!("[producer]"),
            json!(["external producer"]),
        ] {
            assert_eq!(ask_with(&rights, None), Err(403), "{rights}");
        }
    }

    #[test]
    fn only_the_token_that_was_verified_counts() {
        let authorization = authorization(None);
        let good = token(&claims(&json!(["producer"])));
        assert!(ask(&authorization, &good, &verified()).is_ok());
        assert!(ask(&authorization, &format!("bearer {good}"), &verified()).is_ok());
        for (name, other) in
            [("sub", json!("u2")), ("iss", json!("https://other")), ("exp", json!("1900000001"))]
        {
            let mut verified = verified();
            verified[name] = other;
            assert_eq!(ask(&authorization, &good, &verified), Err(401), "{name}");
            verified.as_object_mut().unwrap().remove(name);
            assert_eq!(ask(&authorization, &good, &verified), Err(401), "{name}");
        }
        for header in ["", "Basic x", "Bearer", "Bearer a.b.c", "Bearer a", &format!("Basic {good}")] {
            assert_eq!(ask(&authorization, header, &verified()), Err(401), "{header}");
        }
    }

    #[test]
    fn without_the_authorizers_word_nobody_is_known() {
        let mut event = event(&json!({"authorization": token(&claims(&json!(["producer"])))}), &json!({}));
        event["requestContext"].as_object_mut().unwrap().remove("authorizer");
        let problem = authorization(None).sharer(&request(&event), &"jobs".parse().unwrap()).unwrap_err();
        assert_eq!(problem.into_response().status(), 401);
    }

    proptest! {
        #[test]
        fn any_header_and_payload_is_read_without_a_panic(header in any::<String>(), payload in any::<Vec<u8>>()) {
            let authorization = authorization(None);
            prop_assert!(ask(&authorization, &header, &verified()).is_err());
            let header = format!("Bearer a.{}.c", URL_SAFE_NO_PAD.encode(payload));
            prop_assert!(ask(&authorization, &header, &verified()).is_err());
        }
    }
}
