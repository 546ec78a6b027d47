//! Tests the settings that `infra/README.md` documents for each identity provider, with tokens in the shape
//! that the provider documents.

use serde_json::{Map, Value, json};
use sharelink_domain::Sharer;
use sharelink_domain::permission::SharePermission;

use crate::testing::{event, flattened, request, token};
use crate::{Authorization, Caller, CallerClaims};

/// The settings for an identity provider, and one of its tokens.
struct Provider {
    name_claim: &'static str,
    email_claim: &'static str,
    access_rights_claim: &'static str,
    access_rights_separator: Option<&'static str>,
    token: Value,
}

impl Provider {
    /// Authorizes a caller with the provider's token, after changing it. The error is the response's status
    /// code.
    fn authorize(&self, change: impl FnOnce(&mut Map<String, Value>)) -> Result<Sharer, u16> {
        let mut claims = self.token.clone();
        change(claims.as_object_mut().unwrap());
        let caller_claims = CallerClaims {
            name: self.name_claim.parse().unwrap(),
            email: self.email_claim.parse().unwrap(),
            access_rights: self.access_rights_claim.parse().unwrap(),
            access_rights_separator: self.access_rights_separator.map(Into::into),
        };
        let permission = SharePermission::parse(r#"{"jobs": ["producer"]}"#).unwrap();
        let header = json!({"authorization": format!("Bearer {}", token(&claims))});
        Authorization::new(permission, caller_claims)
            .authorize(&request(&event(&header, &flattened(&claims))), &"jobs".parse().unwrap())
            .map(Caller::into_sharer)
            .map_err(|problem| problem.into_response().status().as_u16())
    }

    /// Panics unless the token identifies Ann, and grants the permission only through the access right
    /// `producer`.
    #[track_caller]
    fn assert_identifies_ann(&self) {
        let ann = self.authorize(|_| ()).unwrap();
        assert_eq!(self.token["sub"], ann.sub);
        assert_eq!(ann.name.as_deref(), Some("Ann Example"));
        assert_eq!(ann.email.unwrap().as_str(), "ann@example.com");
        self.assert_right_is_required();
    }

    #[track_caller]
    fn assert_right_is_required(&self) {
        let other_right = |claims: &mut Map<String, Value>| {
            let text = Value::from(claims.clone()).to_string().replace("producer", "co-producer");
            *claims = serde_json::from_str(&text).unwrap();
        };
        assert_eq!(self.authorize(other_right), Err(403));
    }
}

/// <https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-id-token.html>
fn cognito_id_token() -> Provider {
    Provider {
        name_claim: "name",
        email_claim: "email",
        access_rights_claim: "cognito:groups",
        access_rights_separator: None,
        token: json!({
            "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            "cognito:groups": ["viewers", "producer"],
            "email_verified": true,
            "cognito:preferred_role": "arn:aws:iam::111122223333:role/my-test-role",
            "iss": "https://cognito-idp.us-west-2.amazonaws.com/us-west-2_example",
            "cognito:username": "ann",
            "name": "Ann Example",
            "origin_jti": "5b9f50a3-05da-454a-8b99-b79c2349de77",
            "cognito:roles": ["arn:aws:iam::111122223333:role/my-test-role"],
            "aud": "xxxxxxxxxxxxexample",
            "identities": [{"userId": "ann", "providerName": "Google", "issuer": null, "primary": "true"}],
            "event_id": "64f513be-32db-42b0-b78e-b02127b4f463",
            "token_use": "id",
            "auth_time": 1_676_312_777,
            "exp": 1_676_316_377,
            "iat": 1_676_312_777,
            "jti": "7f6d0a9c-4a3b-4f2e-9d4e-0e8f1c2b3a4d",
            "email": "ann@example.com",
        }),
    }
}

/// <https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html>
fn cognito_access_token() -> Provider {
    Provider {
        token: json!({
            "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            "cognito:groups": ["viewers", "producer"],
            "iss": "https://cognito-idp.us-west-2.amazonaws.com/us-west-2_example",
            "version": 2,
            "client_id": "xxxxxxxxxxxxexample",
            "origin_jti": "dcc8c3a9-5f1c-4f3c-8f52-8f4f6e3a8a15",
            "event_id": "64f513be-32db-42b0-b78e-b02127b4f463",
            "token_use": "access",
            "scope": "phone openid profile email",
            "auth_time": 1_676_313_851,
            "exp": 1_676_317_451,
            "iat": 1_676_313_851,
            "jti": "cd2d1c1a-0a3c-4f1e-9d5b-3c8a5f7f6b1e",
            "username": "ann",
        }),
        ..cognito_id_token()
    }
}

/// <https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles>, with the `permissions` of
/// role-based access control and namespaced claims that an Action adds.
fn auth0() -> Provider {
    Provider {
        name_claim: "https://platform.example/name",
        email_claim: "https://platform.example/email",
        access_rights_claim: "permissions",
        access_rights_separator: None,
        token: json!({
            "iss": "https://my-domain.auth0.com/",
            "sub": "auth0|123456",
            "aud": ["https://platform.example/sharelink", "https://my-domain.auth0.com/userinfo"],
            "azp": "my_client_id",
            "exp": 1_311_281_970,
            "iat": 1_311_280_970,
            "scope": "openid profile email",
            "permissions": ["read:files", "producer"],
            "https://platform.example/name": "Ann Example",
            "https://platform.example/email": "ann@example.com",
            "https://platform.example/roles": ["producer"],
        }),
    }
}

/// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>, with the optional
/// claim `email`.
fn entra_id() -> Provider {
    Provider {
        name_claim: "name",
        email_claim: "email",
        access_rights_claim: "roles",
        access_rights_separator: None,
        token: json!({
            "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3",
            "iss": "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
            "iat": 1_537_231_048,
            "nbf": 1_537_231_048,
            "exp": 1_537_234_948,
            "aio": "AXQAi/8IAAAAtAaZLo3ChMif6KOnttRB7eBq4/DccQzjcJGxPYy/C3jDaNGxXd6wNIIVGRghNRnwJ1lOcAnNZcjvkoyrFxCttv33140RioOFJ4bCCGVuoCag1uOTT22222gHwLPYQ/uf79QX+0KIijdrmp69RctzmQ==",
            "azp": "6e74172b-be56-4843-9ff4-e66a39bb12e3",
            "azpacr": "0",
            "email": "ann@example.com",
            "name": "Ann Example",
            "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
            "preferred_username": "ann@contoso.example",
            "rh": "I",
            "roles": ["viewer", "producer"],
            "scp": "access_as_user",
            "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
            "tid": "72f988bf-86f1-41af-91ab-2d7cd011db47",
            "uti": "fqiBqXLPj0eQa82S-IYFAA",
            "ver": "2.0",
        }),
    }
}

/// <https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/#access-token-payload>, with the
/// custom claims `groups`, `name` and `email`.
fn okta() -> Provider {
    Provider {
        name_claim: "name",
        email_claim: "email",
        access_rights_claim: "groups",
        access_rights_separator: None,
        token: json!({
            "ver": 1,
            "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
            "iss": "https://example.okta.com/oauth2/aus9o8wzkhckw9TLa0h7z",
            "aud": "https://api.example.com",
            "sub": "ann@example.com",
            "iat": 1_467_145_094,
            "exp": 1_467_148_694,
            "auth_time": 1_467_145_090,
            "cid": "nmdP1fcyvdVO11AL7ECm",
            "uid": "00ujmkLgagxeRrAg20g3",
            "scp": ["openid", "email", "profile"],
            "groups": ["Everyone", "Job Owners", "producer"],
            "name": "Ann Example",
            "email": "ann@example.com",
        }),
    }
}

/// <https://www.keycloak.org/docs/latest/server_admin/#_oidc_token_role_mappings>
fn keycloak() -> Provider {
    Provider {
        name_claim: "name",
        email_claim: "email",
        access_rights_claim: "/realm_access/roles",
        access_rights_separator: None,
        token: json!({
            "exp": 1_673_171_296,
            "iat": 1_673_170_996,
            "jti": "d58f5dc8-fd8f-462b-8a19-716f8f83985b",
            "iss": "https://keycloak.example.com/realms/platform",
            "aud": ["sharelink", "account"],
            "sub": "36fa0f91-f94d-4a0c-afed-6b7d952e47da",
            "typ": "Bearer",
            "azp": "platform",
            "sid": "2a88c258-f73a-4103-b862-e1fbd8f4e04e",
            "acr": "1",
            "allowed-origins": ["https://platform.example"],
            "realm_access": {"roles": ["offline_access", "producer", "default-roles-platform", "uma_authorization"]},
            "resource_access": {
                "sharelink": {"roles": ["producer"]},
                "account": {"roles": ["manage-account", "manage-account-links", "view-profile"]},
            },
            "scope": "openid email profile",
            "email_verified": true,
            "name": "Ann Example",
            "preferred_username": "ann",
            "given_name": "Ann",
            "family_name": "Example",
            "email": "ann@example.com",
        }),
    }
}

#[test]
fn cognito_id_token_identifies_the_sharer() {
    cognito_id_token().assert_identifies_ann();
}

#[test]
fn cognito_access_token_has_rights_but_no_name_or_address() {
    let provider = cognito_access_token();
    let ann = provider.authorize(|_| ()).unwrap();
    assert_eq!((ann.name, ann.email), (None, None));
    provider.assert_right_is_required();
}

#[test]
fn cognito_scope_is_split_by_the_separator() {
    let provider = Provider {
        access_rights_claim: "scope",
        access_rights_separator: Some(" "),
        ..cognito_access_token()
    };
    assert_eq!(provider.authorize(|_| ()), Err(403));
    assert!(
        provider.authorize(|claims| drop(claims.insert("scope".into(), "openid producer".into()))).is_ok()
    );
}

#[test]
fn auth0_token_identifies_the_sharer() {
    auth0().assert_identifies_ann();
    let with_roles = Provider { access_rights_claim: "https://platform.example/roles", ..auth0() };
    with_roles.assert_identifies_ann();
}

#[test]
fn entra_id_token_identifies_the_sharer() {
    entra_id().assert_identifies_ann();
}

#[test]
fn okta_token_identifies_the_sharer() {
    okta().assert_identifies_ann();
}

#[test]
fn keycloak_token_identifies_the_sharer() {
    keycloak().assert_identifies_ann();
    let with_client_roles =
        Provider { access_rights_claim: "/resource_access/sharelink/roles", ..keycloak() };
    with_client_roles.assert_identifies_ann();
}

#[test]
fn keycloak_address_that_is_not_verified_is_ignored() {
    let ann =
        keycloak().authorize(|claims| drop(claims.insert("email_verified".into(), false.into()))).unwrap();
    assert_eq!(ann.email, None);
}
