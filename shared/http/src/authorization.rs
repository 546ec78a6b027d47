//! Authenticates callers, and checks the Share permission and the right to manage all shares.

use serde_json::Value;
use sharelink_domain::names::to_display_text;
use sharelink_domain::permission::{AccessRights, PermissionError, SharePermission};
use sharelink_domain::resolution::{ItemQuery, Purpose};
use sharelink_domain::{EmailAddress, Item, ModuleName, Sharer};
use sharelink_runtime::{SettingError, optional, required};
use thiserror::Error;

use crate::claim_path::{ClaimPath, ClaimPathError};
use crate::verified_claims::{NotVerified, VerifiedClaims};
use crate::{Problem, ProblemType, Request};

const SHARE_PERMISSION: &str = "SHARE_PERMISSION";
const MANAGE_ALL_PERMISSION: &str = "MANAGE_ALL_PERMISSION";

/// The deployment's permission settings are missing or invalid.
#[derive(Debug, Error)]
pub enum AuthorizationError {
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error("the environment variable {0} {1}")]
    Permission(&'static str, PermissionError),
    #[error("the environment variable {0} {1}")]
    Claim(&'static str, ClaimPathError),
}

/// An authenticated caller with their access rights.
#[derive(Clone, Debug)]
pub struct Caller {
    sharer: Sharer,
    rights: AccessRights,
}

impl Caller {
    /// Returns the caller as the sharer of the shares that they create or change.
    #[must_use]
    pub fn into_sharer(self) -> Sharer {
        self.sharer
    }

    /// Returns the claim `sub`, which identifies the caller.
    #[must_use]
    pub fn sub(&self) -> &str {
        &self.sharer.sub
    }

    /// Returns the question to the item resolver, whether the caller may use an item for this purpose.
    #[must_use]
    pub fn query(&self, item: &Item, purpose: Purpose) -> ItemQuery {
        ItemQuery { item: item.clone(), sub: self.sharer.sub.clone(), rights: self.rights.clone(), purpose }
    }
}

/// The claims that describe a caller.
#[derive(Clone, Debug)]
pub struct CallerClaims {
    /// The name shown to recipients.
    pub name: ClaimPath,
    /// The address that receives recipients' replies.
    pub email: ClaimPath,
    /// The access rights: a list of strings, or one string.
    pub access_rights: ClaimPath,
    /// The separator between the rights in a string. If it is `None`, the string is a single right.
    pub access_rights_separator: Option<String>,
}

impl CallerClaims {
    fn from_env() -> Result<Self, AuthorizationError> {
        let path = |setting| {
            let path = required(setting)?.parse();
            path.map_err(|error| AuthorizationError::Claim(setting, error))
        };
        Ok(Self {
            name: path("NAME_CLAIM")?,
            email: path("EMAIL_CLAIM")?,
            access_rights: path("ACCESS_RIGHTS_CLAIM")?,
            access_rights_separator: optional("ACCESS_RIGHTS_SEPARATOR"),
        })
    }
}

/// The deployment's rules for deciding who may share, and who may manage all shares.
#[derive(Clone, Debug)]
pub struct Authorization {
    permission: SharePermission,
    manage_all: SharePermission,
    claims: CallerClaims,
    /// The claims that may say that the caller's address is not verified.
    email_verified: [ClaimPath; 2],
}

impl Authorization {
    /// Reads the rules from the environment.
    pub fn from_env() -> Result<Self, AuthorizationError> {
        let permission = |setting, json: &str| {
            SharePermission::parse(json).map_err(|error| AuthorizationError::Permission(setting, error))
        };
        let share = permission(SHARE_PERMISSION, &required(SHARE_PERMISSION)?)?;
        // Functions that do not manage shares lack this setting.
        let manage_all = optional(MANAGE_ALL_PERMISSION).unwrap_or_else(|| "{}".to_owned());
        let manage_all = permission(MANAGE_ALL_PERMISSION, &manage_all)?;
        Ok(Self::new(share, CallerClaims::from_env()?).with_manage_all(manage_all))
    }

    /// Creates the rules from the access rights that grant the Share permission and the claims that describe
    /// a caller.
    #[must_use]
    pub fn new(permission: SharePermission, claims: CallerClaims) -> Self {
        let email_verified = [ClaimPath::top_level(EMAIL_VERIFIED), claims.email.sibling(EMAIL_VERIFIED)];
        Self { permission, manage_all: SharePermission::default(), claims, email_verified }
    }

    /// Sets the access rights that grant the right to manage all shares.
    #[must_use]
    pub fn with_manage_all(self, manage_all: SharePermission) -> Self {
        Self { manage_all, ..self }
    }

    /// Returns the caller if they have the Share permission in this module.
    pub fn authorize(&self, request: &Request, module: &ModuleName) -> Result<Caller, Problem> {
        let caller = self.authenticate(request)?;
        if self.can_share(&caller, module) {
            Ok(caller)
        } else {
            Err(ProblemType::SharePermissionMissing.into())
        }
    }

    /// Returns the caller, whether or not they have the Share permission.
    pub fn authenticate(&self, request: &Request) -> Result<Caller, Problem> {
        self.read_caller(request).map_err(|NotVerified| ProblemType::Unauthenticated.into())
    }

    /// Returns whether a caller has the Share permission in this module.
    #[must_use]
    pub fn can_share(&self, caller: &Caller, module: &ModuleName) -> bool {
        self.permission.allows(&caller.rights, module)
    }

    /// Returns whether a caller may manage every share in this module: whatever holders of the Share
    /// permission may do with an item's shares, without asking the item resolver.
    #[must_use]
    pub fn can_manage_all(&self, caller: &Caller, module: &ModuleName) -> bool {
        self.manage_all.allows(&caller.rights, module)
    }

    /// Returns whether a caller may manage every share in some module.
    #[must_use]
    pub fn can_manage_all_somewhere(&self, caller: &Caller) -> bool {
        self.manage_all.allows_somewhere(&caller.rights)
    }

    /// Returns whether a caller may manage the shares of a module, if the item resolver allows the item.
    #[must_use]
    pub fn can_manage(&self, caller: &Caller, module: &ModuleName) -> bool {
        self.can_share(caller, module) || self.can_manage_all(caller, module)
    }

    /// Returns whether a caller has the Share permission in some module.
    #[must_use]
    pub fn can_share_somewhere(&self, caller: &Caller) -> bool {
        self.permission.allows_somewhere(&caller.rights)
    }

    /// Returns whether a caller may manage shares in some module.
    #[must_use]
    pub fn can_manage_somewhere(&self, caller: &Caller) -> bool {
        self.can_share_somewhere(caller) || self.can_manage_all_somewhere(caller)
    }

    fn read_caller(&self, request: &Request) -> Result<Caller, NotVerified> {
        let claims = VerifiedClaims::of(request)?;
        let sub = claims.subject();
        // The subject identifies the caller. If it were truncated or cleaned up, it could match another
        // caller's subject.
        if sub.is_empty() || sub.len() > SUBJECT_LIMIT || sub.chars().any(char::is_control) {
            return Err(NotVerified);
        }
        Ok(Caller {
            sharer: Sharer { sub: sub.to_owned(), name: self.name(&claims), email: self.email(&claims) },
            rights: self.access_rights(&claims)?,
        })
    }

    /// Returns the caller's name. A name that API Gateway did not verify is ignored: the caller may share
    /// without a name.
    fn name(&self, claims: &VerifiedClaims<'_>) -> Option<String> {
        claims.get(&self.claims.name).ok()??.as_str().and_then(to_display_text)
    }

    /// Returns the caller's address. An address may belong to anyone if API Gateway did not verify the claim,
    /// or if the identity provider does not report the address as verified, so it is then ignored. Many
    /// providers report nothing; their addresses are used.
    fn email(&self, claims: &VerifiedClaims<'_>) -> Option<EmailAddress> {
        for path in &self.email_verified {
            if claims.get(path).ok()?.is_some_and(|claim| !is_true(claim)) {
                return None;
            }
        }
        claims.get(&self.claims.email).ok()??.as_str()?.parse().ok()
    }

    /// Returns the caller's access rights. A claim that is neither a string nor a list of strings grants
    /// nothing. Rights that API Gateway did not verify are an error.
    fn access_rights(&self, claims: &VerifiedClaims<'_>) -> Result<AccessRights, NotVerified> {
        Ok(match claims.get(&self.claims.access_rights)? {
            Some(Value::Array(list)) => {
                let rights = list.iter().map(|right| right.as_str().map(ToOwned::to_owned));
                rights.collect::<Option<AccessRights>>().unwrap_or_default()
            }
            Some(Value::String(text)) => match &self.claims.access_rights_separator {
                Some(separator) => text.split(separator.as_str()).map(ToOwned::to_owned).collect(),
                None => [text.clone()].into_iter().collect(),
            },
            _ => AccessRights::default(),
        })
    }
}

/// The claim that says whether an address is verified (OpenID Connect Core 1.0, section 5.1). It is read at
/// the top level and beside the address.
const EMAIL_VERIFIED: &str = "email_verified";

/// Returns whether the claim is true. Some providers send booleans as strings.
fn is_true(claim: &Value) -> bool {
    match claim {
        Value::Bool(value) => *value,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// The maximum length of a subject, in bytes (OpenID Connect Core 1.0, section 2).
const SUBJECT_LIMIT: usize = 255;

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::{event, flattened, request, token};

    fn authorization(separator: Option<&str>) -> Authorization {
        with_claims("name", "email", "accessRights", separator)
    }

    fn with_claims(name: &str, email: &str, rights: &str, separator: Option<&str>) -> Authorization {
        let permission = SharePermission::parse(r#"{"jobs": ["producer"], "*": ["admin"]}"#).unwrap();
        let claims = CallerClaims {
            name: name.parse().unwrap(),
            email: email.parse().unwrap(),
            access_rights: rights.parse().unwrap(),
            access_rights_separator: separator.map(Into::into),
        };
        Authorization::new(permission, claims)
    }

    fn claims(rights: &Value) -> Value {
        json!({"sub": "u1", "iss": "https://issuer", "exp": 1_900_000_000, "accessRights": rights,
               "name": "Ann\r\nB", "email": "ann@example.com"})
    }

    /// Authorizes a request for the module `jobs`. The error is the response's status code.
    fn authorize(authorization: &Authorization, header: &str, verified: &Value) -> Result<Sharer, u16> {
        let request = request(&event(&json!({"authorization": header}), verified));
        authorization
            .authorize(&request, &"jobs".parse().unwrap())
            .map(Caller::into_sharer)
            .map_err(|problem| problem.into_response().status().as_u16())
    }

    /// Authorizes a request with a token that API Gateway verified.
    fn authorize_claims(authorization: &Authorization, claims: &Value) -> Result<Sharer, u16> {
        authorize(authorization, &format!("Bearer {}", token(claims)), &flattened(claims))
    }

    fn authorize_rights(rights: &Value, separator: Option<&str>) -> Result<Sharer, u16> {
        authorize_claims(&authorization(separator), &claims(rights))
    }

    /// Returns the email of a caller who may share, if these claims are added to their token.
    fn email(email_claim: &str, additional: &Value) -> Option<String> {
        let mut claims = claims(&json!(["producer"]));
        claims.as_object_mut().unwrap().extend(additional.as_object().unwrap().clone());
        let authorization = with_claims("name", email_claim, "accessRights", None);
        authorize_claims(&authorization, &claims).unwrap().email.map(|email| email.as_str().to_owned())
    }

    #[test]
    fn permitted_caller_is_returned_as_the_sharer() {
        let sharer = authorize_rights(&json!(["viewer", "producer"]), None).unwrap();
        assert_eq!(sharer.sub, "u1");
        assert_eq!(sharer.name.as_deref(), Some("Ann  B"));
        assert_eq!(sharer.email.unwrap().as_str(), "ann@example.com");
    }

    #[test]
    fn query_describes_the_caller() {
        let claims = claims(&json!(["viewer", "producer", ""]));
        let header = json!({"authorization": token(&claims)});
        let caller =
            authorization(None).authenticate(&request(&event(&header, &flattened(&claims)))).unwrap();
        let item = Item::parse("jobs/1042").unwrap();
        let query = caller.query(&item, Purpose::Share);
        assert_eq!((query.item, query.sub.as_str(), query.purpose), (item, "u1", Purpose::Share));
        assert_eq!(query.rights.iter().collect::<Vec<_>>(), ["producer", "viewer"]);
    }

    #[test]
    fn right_to_manage_all_shares_depends_on_the_module() {
        let manage_all = SharePermission::parse(r#"{"jobs": ["lead"], "*": ["auditor"]}"#).unwrap();
        let authorization = authorization(None).with_manage_all(manage_all);
        let rights_of = |rights: Value| {
            let claims = claims(&rights);
            let header = json!({"authorization": token(&claims)});
            let caller = authorization.authenticate(&request(&event(&header, &flattened(&claims)))).unwrap();
            let modules = ["jobs", "assets"].map(|module| module.parse().unwrap());
            let all = modules.each_ref().map(|module| authorization.can_manage_all(&caller, module));
            let some = modules.each_ref().map(|module| authorization.can_manage(&caller, module));
            let somewhere = authorization.can_manage_all_somewhere(&caller);
            (all, some, [somewhere, authorization.can_manage_somewhere(&caller)])
        };
        let both = [true, true];
        assert_eq!(rights_of(json!(["auditor"])), (both, both, both));
        assert_eq!(rights_of(json!(["lead"])), ([true, false], [true, false], both));
        assert_eq!(rights_of(json!(["producer"])), ([false, false], [true, false], [false, true]));
        assert_eq!(rights_of(json!(["viewer"])), ([false; 2], [false; 2], [false; 2]));
    }

    #[test]
    fn subject_is_either_kept_unchanged_or_rejected() {
        let authorize_subject = |sub: &str| {
            let mut claims = claims(&json!(["producer"]));
            claims["sub"] = sub.into();
            authorize_claims(&authorization(None), &claims)
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
            json!({"producer": true}),
            json!(true),
            json!(1),
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
    fn caller_without_a_name_or_an_address_may_share() {
        let mut claims = claims(&json!(["producer"]));
        claims["name"] = json!(null);
        claims["email"] = json!("not an address");
        let sharer = authorize_claims(&authorization(None), &claims).unwrap();
        assert_eq!((sharer.name, sharer.email), (None, None));
    }

    #[test]
    fn address_that_is_not_verified_is_ignored() {
        assert_eq!(email("email", &json!({})).as_deref(), Some("ann@example.com"));
        for verified in [json!(true), json!("true"), json!("True")] {
            let flag = json!({"email_verified": verified});
            assert_eq!(email("email", &flag).as_deref(), Some("ann@example.com"), "{verified}");
        }
        for verified in
            [json!(false), json!("False"), json!(0), json!("0"), json!("no"), json!(""), json!(null)]
        {
            let flag = json!({"email_verified": verified});
            assert_eq!(email("email", &flag), None, "{verified}");
            assert_eq!(email("/email", &flag), None, "{verified}");
        }
    }

    #[test]
    fn nested_address_that_is_not_verified_is_ignored() {
        let user = |verified: bool| json!({"email": "bob@example.com", "email_verified": verified});
        assert_eq!(email("/user/email", &json!({"user": user(true)})).as_deref(), Some("bob@example.com"));
        assert_eq!(email("/user/email", &json!({"user": user(false)})), None);
        assert_eq!(email("/user/email", &json!({"user": user(true), "email_verified": false})), None);
    }

    #[test]
    fn token_is_accepted_with_and_without_bearer_scheme() {
        let claims = claims(&json!(["producer"]));
        let (token, verified) = (token(&claims), flattened(&claims));
        assert!(authorize(&authorization(None), &token, &verified).is_ok());
        assert!(authorize(&authorization(None), &format!("bearer {token}"), &verified).is_ok());
    }

    #[test]
    fn token_that_differs_from_the_verified_one_is_rejected() {
        let authorization = authorization(None);
        let claims = claims(&json!(["producer"]));
        let token = token(&claims);
        for (name, other) in [
            ("sub", json!("u2")),
            ("iss", json!("https://other")),
            ("exp", json!("1900000001")),
            ("accessRights", json!("[viewer]")),
        ] {
            let mut verified = flattened(&claims);
            verified[name] = other;
            assert_eq!(authorize(&authorization, &token, &verified), Err(401), "different {name}");
            verified.as_object_mut().unwrap().remove(name);
            assert_eq!(authorize(&authorization, &token, &verified), Err(401), "missing {name}");
        }
    }

    #[test]
    fn name_or_address_that_differs_from_the_verified_one_is_ignored() {
        let claims = claims(&json!(["producer"]));
        let identify = |verified: &Value| {
            let sharer = authorize(&authorization(None), &token(&claims), verified).unwrap();
            (sharer.name, sharer.email.map(|email| email.as_str().to_owned()))
        };
        let (name, email) = (Some("Ann  B".to_owned()), Some("ann@example.com".to_owned()));
        for (claim, other, expected) in
            [("name", "Eve", (None, email)), ("email", "eve@example.com", (name.clone(), None))]
        {
            let mut verified = flattened(&claims);
            verified[claim] = json!(other);
            assert_eq!(identify(&verified), expected, "different {claim}");
            verified.as_object_mut().unwrap().remove(claim);
            assert_eq!(identify(&verified), expected, "missing {claim}");
        }
        let mut verified = flattened(&claims);
        verified["email_verified"] = json!("true");
        assert_eq!(identify(&verified), (name, None), "additional email_verified");
    }

    #[test]
    fn empty_claims_that_the_authorizer_omits_do_not_lock_the_caller_out() {
        let mut claims = claims(&json!(["producer"]));
        (claims["name"], claims["email"]) = (json!(""), json!(""));
        let mut verified = flattened(&claims);
        verified.as_object_mut().unwrap().retain(|_, text| text != "");
        let sharer = authorize(&authorization(None), &token(&claims), &verified).unwrap();
        assert_eq!((sharer.name, sharer.email), (None, None));
    }

    #[test]
    fn verified_number_may_be_a_number_or_text() {
        let claims = claims(&json!(["producer"]));
        for exp in [json!(1_900_000_000), json!(1.9e9), json!("1900000000"), json!("1.9e+09")] {
            let mut verified = flattened(&claims);
            verified["exp"] = exp;
            assert!(authorize(&authorization(None), &token(&claims), &verified).is_ok(), "{verified}");
        }
        let mut verified = flattened(&claims);
        verified["exp"] = json!(1_900_000_001);
        assert_eq!(authorize(&authorization(None), &token(&claims), &verified), Err(401));
    }

    #[test]
    fn malformed_authorization_header_is_rejected() {
        let claims = claims(&json!(["producer"]));
        let token = token(&claims);
        let (head, signature) = token.rsplit_once('.').unwrap();
        for header in [
            "",
            "Basic x",
            "Bearer",
            "Bearer a.b.c",
            "Bearer a",
            &format!("Basic {token}"),
            &format!("Bearer {token},Bearer {token}"),
            &format!("Bearer {token}, {token}"),
            &format!("Bearer x,{token}"),
            &format!("Bearer {token}.{signature}"),
            &format!("Bearer {head}"),
            &format!("Bearer {head}."),
            &format!("Bearer {head}.{signature}="),
            &format!("Bearer {head}.!"),
            &format!("Bearer !{token}"),
            &format!("Bearer {}", token.trim_start_matches("e30")),
        ] {
            assert_eq!(authorize(&authorization(None), header, &flattened(&claims)), Err(401), "{header}");
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
            let verified = flattened(&claims(&json!(["producer"])));
            prop_assert!(authorize(&authorization, &header, &verified).is_err());
            let bearer = format!("Bearer e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
            prop_assert!(authorize(&authorization, &bearer, &verified).is_err());
        }
    }
}
