//! Authenticates callers and checks the Share permission.

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

use crate::{Problem, ProblemType, Request, header};

/// The deployment's permission settings are missing or invalid.
#[derive(Debug, Error)]
pub enum AuthorizationError {
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error("SHARE_PERMISSION {0}")]
    Permission(#[from] PermissionError),
}

/// An authenticated caller with their access rights.
#[derive(Clone, Debug)]
pub struct Caller {
    sharer: Sharer,
    rights: AccessRights,
}

/// The deployment's rules for deciding who may share.
#[derive(Clone, Debug)]
pub struct Authorization {
    permission: SharePermission,
    /// The name of the claim that lists the caller's access rights.
    rights_claim: String,
    /// The separator between the rights in a string claim. If it is `None`, a string claim is a single right.
    rights_separator: Option<String>,
}

impl Authorization {
    /// Reads the rules from the environment.
    pub fn from_env() -> Result<Self, AuthorizationError> {
        let permission = SharePermission::parse(&required("SHARE_PERMISSION")?)?;
        Ok(Self::new(permission, required("ACCESS_RIGHTS_CLAIM")?, optional("ACCESS_RIGHTS_SEPARATOR")))
    }

    /// Creates the rules from the access rights that grant the Share permission, the name of the claim that
    /// lists a caller's access rights, and the separator between the rights in a string claim.
    #[must_use]
    pub fn new(permission: SharePermission, rights_claim: String, rights_separator: Option<String>) -> Self {
        Self { permission, rights_claim, rights_separator }
    }

    /// Returns the caller if they have the Share permission in this module.
    pub fn authorize(&self, request: &Request, module: &ModuleName) -> Result<Sharer, Problem> {
        let caller = self.authenticate(request)?;
        if self.can_share(&caller, module) {
            Ok(caller.sharer)
        } else {
            Err(ProblemType::SharePermissionMissing.into())
        }
    }

    /// Returns the caller, whether or not they have the Share permission.
    pub fn authenticate(&self, request: &Request) -> Result<Caller, Problem> {
        let claims = verified_claims(request).ok_or(ProblemType::Unauthenticated)?;
        let sharer = parse_sharer(&claims).ok_or(ProblemType::Unauthenticated)?;
        Ok(Caller { sharer, rights: self.access_rights(&claims) })
    }

    /// Returns whether a caller has the Share permission in this module.
    #[must_use]
    pub fn can_share(&self, caller: &Caller, module: &ModuleName) -> bool {
        self.permission.allows(&caller.rights, module)
    }

    /// Returns the caller's access rights. A claim that is neither a string nor a list of strings grants
    /// nothing.
    fn access_rights(&self, claims: &Map<String, Value>) -> AccessRights {
        match claims.get(&self.rights_claim) {
            Some(Value::Array(list)) => {
                let rights = list.iter().map(|right| right.as_str().map(ToOwned::to_owned));
                rights.collect::<Option<AccessRights>>().unwrap_or_default()
            }
            Some(Value::String(text)) => match &self.rights_separator {
                Some(separator) => text.split(separator.as_str()).map(ToOwned::to_owned).collect(),
                None => [text.clone()].into_iter().collect(),
            },
            _ => AccessRights::default(),
        }
    }
}

/// Returns the claims of the request's token with their JSON types, if API Gateway's authorizer verified that
/// token.
///
/// The authorizer passes every claim to the function as a string. It turns a list into `[a b]`, which may be
/// one right or two, so it must never be split. Therefore, this function reads the claims from the token in
/// the `Authorization` header. It trusts the token only if its subject, issuer and expiry match those that
/// the authorizer verified.
fn verified_claims(request: &Request) -> Option<Map<String, Value>> {
    let RequestContext::ApiGatewayV2(context) = request.request_context_ref()? else { return None };
    let verified = &context.authorizer.as_ref()?.jwt.as_ref()?.claims;
    let authorization = header(request, "authorization")?;
    let token = match authorization.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        Some(_) => return None,
        None => authorization,
    };
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Map<String, Value> = serde_json::from_slice(&payload).ok()?;
    let matching_text =
        |name| claims.get(name)?.as_str().filter(|claim| verified.get(name).is_some_and(|v| v == claim));
    matching_text("sub")?;
    matching_text("iss")?;
    let verified_expiry: f64 = verified.get("exp")?.parse().ok()?;
    let is_same_expiry = claims.get("exp")?.as_f64()?.to_bits() == verified_expiry.to_bits();
    is_same_expiry.then_some(claims)
}

/// The maximum length of a displayed claim, in characters. Longer claims are truncated.
const DISPLAY_LIMIT: usize = 200;

/// The maximum length of a subject, in bytes (OpenID Connect Core 1.0, section 2).
const SUBJECT_LIMIT: usize = 255;

/// Reads the caller's identity from their claims, or returns `None` if the subject is missing or invalid.
fn parse_sharer(claims: &Map<String, Value>) -> Option<Sharer> {
    // The subject identifies the caller. If it were truncated or cleaned up, it could match another caller's
    // subject.
    let sub = claims.get("sub")?.as_str()?;
    if sub.is_empty() || sub.len() > SUBJECT_LIMIT || sub.chars().any(char::is_control) {
        return None;
    }
    Some(Sharer {
        sub: sub.to_owned(),
        name: claims.get("name").and_then(Value::as_str).and_then(to_display_text),
        email: claims.get("email").and_then(Value::as_str).and_then(|email| email.parse().ok()),
    })
}

/// Makes a claim safe to display: truncates it, replaces control characters with spaces, and removes
/// bidirectional control characters. Returns `None` if nothing is left.
fn to_display_text(claim: &str) -> Option<String> {
    let one_line: String =
        claim.chars().map(|c| if c.is_control() { ' ' } else { c }).take(DISPLAY_LIMIT).collect();
    let text = strip_bidi_controls(one_line.trim());
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::{event, request};

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

    fn verified_claims() -> Value {
        json!({"sub": "u1", "iss": "https://issuer", "exp": "1900000000", "accessRights": "[admin producer]"})
    }

    /// Authorizes a request for the module `jobs`. The error is the response's status code.
    fn authorize(authorization: &Authorization, header: &str, verified: &Value) -> Result<Sharer, u16> {
        let request = request(&event(&json!({"authorization": header}), verified));
        authorization
            .authorize(&request, &"jobs".parse().unwrap())
            .map_err(|problem| problem.into_response().status().as_u16())
    }

    fn authorize_rights(rights: &Value, separator: Option<&str>) -> Result<Sharer, u16> {
        let header = format!("Bearer {}", token(&claims(rights)));
        authorize(&authorization(separator), &header, &verified_claims())
    }

    #[test]
    fn permitted_caller_is_returned_as_the_sharer() {
        let sharer = authorize_rights(&json!(["viewer", "producer"]), None).unwrap();
        assert_eq!(sharer.sub, "u1");
        assert_eq!(sharer.name.as_deref(), Some("Ann  B"));
        assert_eq!(sharer.email.unwrap().as_str(), "ann@example.com");
    }

    #[test]
    fn subject_is_either_kept_unchanged_or_rejected() {
        let authorize_subject = |sub: &str| {
            let (mut claims, mut verified) = (claims(&json!(["producer"])), verified_claims());
            claims["sub"] = sub.into();
            verified["sub"] = sub.into();
            authorize(&authorization(None), &token(&claims), &verified)
        };
        for valid in ["x".repeat(255), " u\u{202e}1 ".to_owned()] {
            assert_eq!(authorize_subject(&valid).unwrap().sub, valid);
        }
        for invalid in ["x".repeat(256), String::new(), "u\n1".to_owned()] {
            assert_eq!(authorize_subject(&invalid), Err(401), "{invalid:?}");
        }
    }

    #[test]
    fn without_a_separator_a_string_claim_is_one_right() {
        assert!(authorize_rights(&json!("producer"), None).is_ok());
        assert_eq!(authorize_rights(&json!("viewer producer"), None), Err(403));
    }

    #[test]
    fn separator_splits_only_string_claims() {
        assert!(authorize_rights(&json!("viewer producer"), Some(" ")).is_ok());
        assert_eq!(authorize_rights(&json!(["viewer producer"]), Some(" ")), Err(403));
    }

    #[test]
    fn malformed_rights_claim_grants_nothing() {
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
            assert_eq!(authorize_rights(&rights, None), Err(403), "{rights}");
        }
    }

    #[test]
    fn token_is_accepted_with_and_without_bearer_scheme() {
        let token = token(&claims(&json!(["producer"])));
        assert!(authorize(&authorization(None), &token, &verified_claims()).is_ok());
        assert!(authorize(&authorization(None), &format!("bearer {token}"), &verified_claims()).is_ok());
    }

    #[test]
    fn token_that_differs_from_the_verified_one_is_rejected() {
        let authorization = authorization(None);
        let token = token(&claims(&json!(["producer"])));
        for (name, other) in
            [("sub", json!("u2")), ("iss", json!("https://other")), ("exp", json!("1900000001"))]
        {
            let mut verified = verified_claims();
            verified[name] = other;
            assert_eq!(authorize(&authorization, &token, &verified), Err(401), "different {name}");
            verified.as_object_mut().unwrap().remove(name);
            assert_eq!(authorize(&authorization, &token, &verified), Err(401), "missing {name}");
        }
    }

    #[test]
    fn malformed_authorization_header_is_rejected() {
        let token = token(&claims(&json!(["producer"])));
        for header in ["", "Basic x", "Bearer", "Bearer a.b.c", "Bearer a", &format!("Basic {token}")] {
            assert_eq!(authorize(&authorization(None), header, &verified_claims()), Err(401), "{header}");
        }
    }

    #[test]
    fn request_without_authorizer_is_unauthenticated() {
        let mut event = event(&json!({"authorization": token(&claims(&json!(["producer"])))}), &json!({}));
        event["requestContext"].as_object_mut().unwrap().remove("authorizer");
        let problem = authorization(None).authorize(&request(&event), &"jobs".parse().unwrap()).unwrap_err();
        assert_eq!(problem.into_response().status(), 401);
    }

    proptest! {
        #[test]
        fn arbitrary_header_or_payload_is_rejected_without_a_panic(
            header in any::<String>(), payload in any::<Vec<u8>>(),
        ) {
            let authorization = authorization(None);
            prop_assert!(authorize(&authorization, &header, &verified_claims()).is_err());
            let bearer = format!("Bearer a.{}.c", URL_SAFE_NO_PAD.encode(payload));
            prop_assert!(authorize(&authorization, &bearer, &verified_claims()).is_err());
        }
    }
}
