//! The demo page: the web components as a platform would embed them, and the sent emails.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::mailbox::Mailbox;

const PAGE: &str = include_str!("../demo/index.html");
const SCRIPT: &str = include_str!("../demo/demo.js");
const STYLE: &str = include_str!("../demo/demo.css");

/// The Content-Security-Policy for an email: it allows displaying the email and following its link, and
/// nothing else.
const EMAIL_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                            form-action 'none'; frame-ancestors 'none'; \
                            sandbox allow-downloads allow-top-navigation-by-user-activation";

/// The demo page, which is unavailable until the API's URL is set.
pub(crate) struct DemoPage {
    api_url: OnceLock<String>,
    mailbox: Mailbox,
}

impl DemoPage {
    pub(crate) fn new(mailbox: Mailbox) -> Arc<Self> {
        Arc::new(Self { api_url: OnceLock::new(), mailbox })
    }

    pub(crate) fn set_api_url(&self, api_url: &str) {
        self.api_url.get_or_init(|| api_url.to_owned());
    }

    pub(crate) fn routes(self: Arc<Self>) -> Router {
        Router::new()
            .route("/", get(Self::page))
            .route("/demo.js", get(async || with_content_type("text/javascript; charset=utf-8", SCRIPT)))
            .route("/demo.css", get(async || with_content_type("text/css; charset=utf-8", STYLE)))
            .route("/mail/{n}", get(Self::email))
            .with_state(self)
    }

    async fn page(State(page): State<Arc<Self>>) -> Response {
        let Some(api_url) = page.api_url.get() else {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        };
        let origin = api_url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let policy = format!(
            "default-src 'none'; script-src 'self' {origin}; style-src 'self'; connect-src 'self' {origin}; \
             img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        html(policy, PAGE.replace("{api}", api_url))
    }

    /// Returns an email as its recipient sees it.
    async fn email(State(page): State<Arc<Self>>, Path(n): Path<usize>) -> Response {
        match page.mailbox.emails().await {
            Ok(emails) => match emails.get(n) {
                Some(email) => html(EMAIL_POLICY.to_owned(), email.html.clone()),
                None => StatusCode::NOT_FOUND.into_response(),
            },
            Err(_) => StatusCode::BAD_GATEWAY.into_response(),
        }
    }
}

fn html(policy: String, page: String) -> Response {
    let headers = [(CONTENT_SECURITY_POLICY, policy), (REFERRER_POLICY, "no-referrer".to_owned())];
    (headers, with_content_type("text/html; charset=utf-8", page)).into_response()
}

fn with_content_type(content_type: &'static str, body: impl IntoResponse) -> Response {
    let nosniff = (HeaderName::from_static("x-content-type-options"), "nosniff");
    ([(CONTENT_TYPE, content_type), nosniff], body).into_response()
}
