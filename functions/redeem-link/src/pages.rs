//! What a recipient sees.

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
use sharelink_domain::{Share, SharedFile};
use sharelink_http::problem::problem_response;
use sharelink_http::{ProblemType, Request, Response, header, json_response, to_rfc3339};

use crate::texts::Language;

/// The form that a recipient's client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Page(Language),
    Json,
}

impl Form {
    /// JSON for a client that names it; a browser names HTML, and everything else can show it.
    pub(crate) fn wanted(request: &Request) -> Self {
        match header(request, "accept") {
            Some(accept) if accept.contains("application/json") && !accept.contains("text/html") => {
                Self::Json
            }
            _ => Self::Page(Language::wanted(header(request, "accept-language"))),
        }
    }
}

const STYLE: &str = include_str!("../templates/page.css");

/// Nothing but the page's own style sheet may be loaded or run.
static POLICY: LazyLock<String> = LazyLock::new(|| {
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
    files: &'a [FileLink],
    until: String,
}

#[derive(Serialize)]
struct FileLink {
    name: String,
    size: u64,
    /// Relative, so that it works under whatever prefix the link has.
    href: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FilesBody<'a> {
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

/// The list of a share's files.
pub(crate) fn files(share: &Share, files: &[SharedFile], token: &str, form: Form) -> Response {
    let files: Vec<FileLink> = files
        .iter()
        .zip(1..)
        .map(|(file, n)| FileLink {
            name: match form {
                Form::Page(_) => strip_bidi_controls(file.name.as_str()),
                Form::Json => file.name.to_string(),
            },
            size: file.size,
            href: format!("{token}/files/{n}"),
        })
        .collect();
    match form {
        Form::Json => {
            let body = FilesBody { files: &files, expires_at: to_rfc3339(share.expires_at) };
            json_response(StatusCode::OK, "application/json", &body)
        }
        Form::Page(language) => page(
            StatusCode::OK,
            &FilesPage {
                style: STYLE,
                language,
                sharer: share.created_by.name.as_deref(),
                files: &files,
                until: language.until(share.local_expiry()),
            },
        ),
    }
}

/// Why there is no file. The same for everyone: it names nobody and nothing.
pub(crate) fn problem(problem: ProblemType, form: Form) -> Response {
    let Form::Page(language) = form else { return problem_response(problem, &problem.body(None)) };
    let (title, text) = language.problem(problem);
    let mut answer = page(problem.status(), &ProblemPage { style: STYLE, language, title, text });
    problem.set_retry_after(&mut answer);
    answer
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    let (status, body) = match template.render() {
        Ok(body) => (status, body),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
    };
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    answer
}

/// Keeps an answer out of caches, referrers, search engines and frames.
pub(crate) fn protected(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(policy) = HeaderValue::from_str(&POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    answer
}
