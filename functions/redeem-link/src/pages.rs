//! Responses to recipients: HTML pages, and the same content in JSON.

use std::sync::LazyLock;

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::http::StatusCode;
use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use serde::Serialize;
use sharelink_domain::names::strip_bidi_controls;
use sharelink_domain::{Share, SharedFile, Title};
use sharelink_http::problem::problem_response;
use sharelink_http::{ProblemType, Request, Response, header, json_response, to_rfc3339};

use crate::texts::Language;

/// The response format that a recipient's client requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseFormat {
    Page(Language),
    Json,
}

impl ResponseFormat {
    /// Returns JSON if `Accept` lists JSON but not HTML. All other requests get an HTML page: browsers list
    /// HTML, and other clients can display it.
    pub(crate) fn requested(request: &Request) -> Self {
        match header(request, "accept") {
            Some(accept) if accept.contains("application/json") && !accept.contains("text/html") => {
                Self::Json
            }
            _ => Self::Page(Language::preferred(header(request, "accept-language"))),
        }
    }
}

const STYLE: &str = include_str!("../templates/page.css");

/// The content security policy, which allows the page's style sheet and blocks everything else.
static CONTENT_POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

#[derive(Template)]
#[template(path = "files.html")]
struct FilesPage<'a> {
    style: &'static str,
    language: Language,
    sharer: Option<&'a str>,
    /// The item's title, if known.
    title: Option<&'a str>,
    files: &'a [FileLink],
    until: String,
}

#[derive(Serialize)]
struct FileLink {
    name: String,
    size: u64,
    /// A relative URL, so that it works regardless of the link's base URL.
    href: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FilesBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    files: &'a [FileLink],
    expires_at: String,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    style: &'static str,
    language: Language,
    title: &'static str,
    text: &'static str,
}

/// Creates the response that lists a share's files.
pub(crate) fn files(share: &Share, files: &[SharedFile], token: &str, format: ResponseFormat) -> Response {
    let links: Vec<FileLink> = files
        .iter()
        .zip(1..)
        .map(|(file, n)| FileLink {
            name: match format {
                ResponseFormat::Page(_) => strip_bidi_controls(file.name.as_str()),
                ResponseFormat::Json => file.name.to_string(),
            },
            size: file.size,
            href: format!("{token}/files/{n}"),
        })
        .collect();
    let title = share.title.as_ref().map(Title::as_str);
    match format {
        ResponseFormat::Json => {
            let body = FilesBody { title, files: &links, expires_at: to_rfc3339(share.expires_at) };
            json_response(StatusCode::OK, "application/json", &body)
        }
        ResponseFormat::Page(language) => page(
            StatusCode::OK,
            &FilesPage {
                style: STYLE,
                language,
                sharer: share.created_by.name.as_deref(),
                title,
                files: &links,
                until: language.until(share.local_expiry()),
            },
        ),
    }
}

/// Creates the response for a failed redemption. It reveals nothing about the share or the people involved.
pub(crate) fn problem(problem_type: ProblemType, format: ResponseFormat) -> Response {
    let ResponseFormat::Page(language) = format else {
        return problem_response(problem_type, &problem_type.body(None));
    };
    let (title, text) = language.problem(match problem_type {
        // A recipient who opens an unknown route sees the page for an unknown link.
        ProblemType::RouteNotFound => ProblemType::UnknownLink,
        other => other,
    });
    let mut response = page(problem_type.status(), &ProblemPage { style: STYLE, language, title, text });
    problem_type.set_retry_after(&mut response);
    response
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    let (status, body) = match template.render() {
        Ok(body) => (status, body),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
    };
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// Adds headers that keep the response out of caches, search engines and frames, and that keep the link out
/// of referrers.
pub(crate) fn with_security_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(policy) = HeaderValue::from_str(&CONTENT_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}
