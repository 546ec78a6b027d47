//! A small OpenID Connect issuer. The API's authorizer fetches the issuer's keys and verifies its tokens.
//!
//! The key exists only in memory. Each start uses a new port, because emulators cache keys by the issuer's
//! address.

use std::sync::Arc;

use anyhow::{Context, Result};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::stack::StackInfo;

const KEY_ID: &str = "local";
const TOKEN_LIFETIME_SECONDS: i64 = 12 * 60 * 60;

/// A token's claims about its user.
#[derive(Args, Clone, Debug, Serialize)]
pub(crate) struct Claims {
    /// The subject
    #[arg(long, default_value = "ann")]
    sub: String,
    /// The name shown to recipients
    #[arg(long, default_value = "Ann Example")]
    name: String,
    /// The address that recipients reply to
    #[arg(long, default_value = "ann@sharelink.example")]
    email: String,
    /// An access right; repeatable. `producer` allows sharing in the module jobs, `admin` in all modules
    #[arg(long = "right", default_value = "producer")]
    #[serde(rename = "accessRights")]
    rights: Vec<String>,
}

impl Default for Claims {
    fn default() -> Self {
        Self {
            sub: "ann".into(),
            name: "Ann Example".into(),
            email: "ann@sharelink.example".into(),
            rights: vec!["producer".into()],
        }
    }
}

/// The issuer.
pub(crate) struct Issuer {
    url: String,
    audience: String,
    key: KeyPair,
}

impl Issuer {
    /// Creates an issuer with this URL and a new key.
    pub(crate) fn new(url: String, audience: String) -> Result<Self> {
        Ok(Self { url, audience, key: KeyPair::generate(KeySize::Rsa2048)? })
    }

    /// Returns the issuer's routes: discovery, keys, and tokens for any caller on this machine.
    pub(crate) fn routes(self: Arc<Self>) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(Self::discovery))
            .route("/jwks.json", get(Self::keys))
            .route("/token", get(Self::token))
            .with_state(self)
    }

    async fn discovery(State(issuer): State<Arc<Self>>) -> Json<Value> {
        Json(json!({
            "issuer": issuer.url,
            "jwks_uri": format!("{}/jwks.json", issuer.url),
            "id_token_signing_alg_values_supported": ["RS256"],
        }))
    }

    async fn keys(State(issuer): State<Arc<Self>>) -> Json<Value> {
        let PublicKeyComponents::<Vec<u8>> { n, e } = issuer.key.public_key().into();
        let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
        Json(json!({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": n, "e": e}]}))
    }

    /// Returns a token. The query string contains the claims as base64url-encoded JSON.
    async fn token(State(issuer): State<Arc<Self>>, RawQuery(query): RawQuery) -> Result<String, StatusCode> {
        let json = URL_SAFE_NO_PAD.decode(query.unwrap_or_default()).map_err(|_| StatusCode::BAD_REQUEST)?;
        let claims: Map<String, Value> =
            serde_json::from_slice(&json).map_err(|_| StatusCode::BAD_REQUEST)?;
        issuer.sign(&claims).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Signs a token with these claims.
    pub(crate) fn sign(&self, claims: &impl Serialize) -> Result<String> {
        #[derive(Serialize)]
        struct Token<'a, C> {
            iss: &'a str,
            aud: &'a str,
            iat: i64,
            exp: i64,
            #[serde(flatten)]
            claims: &'a C,
        }
        let now = Utc::now().timestamp();
        let token = Token {
            iss: &self.url,
            aud: &self.audience,
            iat: now,
            exp: now + TOKEN_LIFETIME_SECONDS,
            claims,
        };
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": KEY_ID});
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&serde_json::to_value(&token)?));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Runs `cargo local token`: prints a token from the running stack's issuer.
pub(crate) async fn print_token(claims: &Claims) -> Result<()> {
    let stack =
        StackInfo::find_running().await.context("no stack is running: start one with `cargo local up`")?;
    println!("{}", stack.token(claims).await?);
    Ok(())
}

impl StackInfo {
    /// Fetches a token from this stack's issuer.
    pub(crate) async fn token(&self, claims: &Claims) -> Result<String> {
        let query = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims)?);
        let response = reqwest::get(format!("{}/token?{query}", self.issuer)).await?.error_for_status()?;
        Ok(response.text().await?)
    }
}
