//! Responses to recipients: HTML pages, and the same content in JSON.

use askama::Template;
use lambda_http::http::StatusCode;
use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, REFRESH,
    RETRY_AFTER,
};
use serde::Serialize;
use sharelink_domain::access::Target;
use sharelink_domain::archive::{LeftOut, LeftOutReason};
use sharelink_domain::{Generation, Language, Message, Share, SharerName, TimeLeft, Timestamp, Title};
use sharelink_http::problem::{ProblemBody, problem_response};
use sharelink_http::{ProblemType, Request, Response, header, json_response, to_rfc3339};

use crate::archive::total_size;
use crate::file_kind::FileKind;
use crate::look::Look;
use crate::texts::Texts;

/// The response format that a recipient's client requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseFormat {
    Page {
        language: Language,
        /// Whether the browser asks for this language.
        is_requested: bool,
    },
    Json,
}

impl ResponseFormat {
    /// Returns JSON if `Accept` lists JSON but not HTML. All other requests get an HTML page: browsers list
    /// HTML, and other clients can display it. A page is in the language that the browser asks for, or else
    /// in the default language until [the share's language](Self::use_language_of) is known.
    pub(crate) fn requested(request: &Request, default_language: Language) -> Self {
        match header(request, "accept") {
            Some(accept) if accept.contains("application/json") && !accept.contains("text/html") => {
                Self::Json
            }
            _ => {
                let requested = Language::requested(header(request, "accept-language"));
                let language = requested.unwrap_or(default_language);
                Self::Page { language, is_requested: requested.is_some() }
            }
        }
    }

    /// Uses the share's language unless the browser asks for one. A link of another generation was replaced,
    /// and has the same page as a forged one.
    pub(crate) fn use_language_of(&mut self, share: &Share, generation: Generation) {
        match self {
            Self::Page { language, is_requested: false } if share.generation == generation => {
                *language = share.language;
            }
            _ => {}
        }
    }
}

#[derive(Template)]
#[template(path = "files.html")]
struct FilesPage<'a> {
    look: &'a Look,
    texts: &'static Texts,
    heading: String,
    sharer: Option<&'a str>,
    /// The item's title, if known.
    title: Option<&'a str>,
    message: Option<&'a str>,
    /// The expiry in RFC 3339.
    expires_at: String,
    expiry: String,
    time_left: String,
    total: String,
    /// The archive's URL and the label of the link to it, if the files are offered as one archive.
    archive: Option<(String, String)>,
    files: Vec<FileRow>,
    /// The URL and the label of the link to the choice about emails.
    emails: (String, &'static str),
}

impl FilesPage<'_> {
    /// Returns whether a message fills a phone's screen, so that the page needs a link past it.
    fn is_long(message: &str) -> bool {
        message.chars().count() + 40 * message.lines().count() > 800
    }
}

/// The page that link previewers get. It names no file and no person.
#[derive(Template)]
#[template(path = "preview.html")]
struct PreviewPage<'a> {
    look: &'a Look,
    texts: &'static Texts,
    title: &'a str,
}

/// A file on the page.
struct FileRow {
    name: String,
    kind: String,
    size: String,
    href: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FilesBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sharer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    files: Vec<FileBody<'a>>,
    /// The archive's URL, if the files are offered as one archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    archive_href: Option<String>,
    expires_at: String,
}

/// A file in JSON.
#[derive(Serialize)]
struct FileBody<'a> {
    name: &'a str,
    size: u64,
    href: String,
}

/// The page that is shown while an archive is made.
#[derive(Template)]
#[template(path = "waiting.html")]
struct WaitingPage<'a> {
    look: &'a Look,
    texts: &'static Texts,
    percent: u64,
    percent_text: String,
    progress: String,
    /// The names of the files that the archive will lack, and the reasons.
    left_out: Vec<(String, &'static str)>,
    /// The URL of the list of files, relative to the page.
    list: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WaitingBody<'a> {
    bytes_done: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<LeftOutBody<'a>>,
}

#[derive(Serialize)]
struct LeftOutBody<'a> {
    name: &'a str,
    reason: &'static str,
}

impl<'a> From<&'a LeftOut> for LeftOutBody<'a> {
    fn from(file: &'a LeftOut) -> Self {
        let reason = match file.reason {
            LeftOutReason::Missing => "missing",
            LeftOutReason::Archived => "archived",
            LeftOutReason::Unreadable => "unreadable",
        };
        Self { name: file.name.as_str(), reason }
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    look: &'a Look,
    texts: &'static Texts,
    title: &'static str,
    text: &'static str,
    /// The sharer's name, and the text that follows it.
    sharer: Option<(&'a str, &'static str)>,
    form: Option<Form>,
    may_try_again: bool,
    /// The URL of the list of files, relative to the page.
    list: Option<String>,
}

/// A button that sends a request, with what it does.
struct Form {
    text: &'static str,
    /// The URL of the request, relative to the page.
    action: String,
    label: &'static str,
}

/// A page on which a recipient makes a choice, or that confirms it.
#[derive(Template)]
#[template(path = "choice.html")]
struct ChoicePage<'a> {
    look: &'a Look,
    texts: &'static Texts,
    title: &'static str,
    text: &'static str,
    form: Option<Form>,
    /// The URL of the files, relative to the page, if the link still leads to them.
    files: Option<String>,
}

/// The body of the response to a request for more time.
#[derive(Serialize)]
struct MoreTimeBody {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EmailsBody {
    emails_stopped: bool,
}

#[derive(Serialize)]
struct EndedBody<'a> {
    #[serde(flatten)]
    problem: ProblemBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    sharer: Option<&'a str>,
}

/// Creates the response that lists a share's files at `now`.
pub(crate) fn files(
    look: &Look,
    share: &Share,
    sharer: Option<&SharerName>,
    has_archive: bool,
    token: &str,
    now: Timestamp,
    format: ResponseFormat,
) -> Response {
    let sharer = sharer.map(SharerName::as_str);
    let title = share.title.as_ref().map(Title::as_str);
    let message = share.message.as_ref().map(Message::as_str);
    // A relative URL works regardless of the link's base URL.
    let files = &share.files;
    let numbered = files.iter().zip(1..).map(|(file, n)| (file, format!("{token}/files/{n}")));
    let archive_href = format!("{token}/archive");
    let expires_at = to_rfc3339(share.expires_at);
    let ResponseFormat::Page { language, .. } = format else {
        let files = numbered
            .map(|(file, href)| FileBody { name: file.name.as_str(), size: file.size, href })
            .collect();
        let archive_href = has_archive.then_some(archive_href);
        let body = FilesBody { sharer, title, message, files, archive_href, expires_at };
        return json_response(StatusCode::OK, "application/json", &body);
    };
    let texts = Texts::of(language);
    let total = language.size(total_size(files));
    let rows = numbered.map(|(file, href)| {
        let name = file.name.to_display_text();
        let kind = texts.kind(FileKind::of(&name));
        FileRow { name, kind, size: language.size(file.size), href }
    });
    page(
        StatusCode::OK,
        &FilesPage {
            look,
            texts,
            heading: match sharer {
                Some(_) => (texts.heading_after_sharer)(files.len()),
                None => (texts.heading_without_sharer)(files.len()),
            },
            sharer,
            title,
            message: message.map(str::trim),
            expires_at,
            expiry: language.date_with_weekday(share.local_expiry()),
            time_left: language.time_left(TimeLeft::until(share.local_expiry(), now)),
            total: (texts.total)(files.len(), &total),
            archive: has_archive.then(|| (archive_href, (texts.download_all)(files.len(), &total))),
            files: rows.collect(),
            emails: (
                format!("{token}/emails"),
                if share.emails_stopped_at().is_some() {
                    texts.emails.stopped_link
                } else {
                    texts.emails.stop_link
                },
            ),
        },
    )
}

/// An archive that is being made.
pub(crate) struct Waiting<'a> {
    pub(crate) bytes_done: u64,
    /// The size of all files.
    pub(crate) bytes: u64,
    /// The files that the archive will lack.
    pub(crate) left_out: &'a [LeftOut],
    pub(crate) token: &'a str,
}

impl Waiting<'_> {
    /// Returns how much of the archive is made, in percent. It is never all, because the response to a finished
    /// archive is the archive.
    fn percent(&self) -> u64 {
        let percent = u128::from(self.bytes_done) * 100 / u128::from(self.bytes.max(1));
        u64::try_from(percent).unwrap_or(99).min(99)
    }

    /// Returns after how many seconds to ask again. A page that changes rarely need not reload often, which
    /// disturbs people who have it read aloud.
    fn retry_after(&self) -> u64 {
        let gigabytes_left = self.bytes.saturating_sub(self.bytes_done) / 1_000_000_000;
        gigabytes_left.clamp(3, 15)
    }
}

/// Creates the response for an archive that is being made. The page reloads itself, and the download starts
/// once the archive is ready.
pub(crate) fn waiting(look: &Look, waiting: &Waiting<'_>, format: ResponseFormat) -> Response {
    let retry_after = HeaderValue::from(waiting.retry_after());
    let mut response = match format {
        ResponseFormat::Page { language, .. } => {
            let texts = Texts::of(language);
            let left_out = waiting.left_out.iter();
            let left_out = left_out.map(|file| (file.name.to_display_text(), texts.left_out(file.reason)));
            let percent = waiting.percent();
            let template = WaitingPage {
                look,
                texts,
                percent,
                percent_text: language.percent(percent),
                progress: (texts.progress)(
                    &language.size(waiting.bytes_done.min(waiting.bytes)),
                    &language.size(waiting.bytes),
                ),
                left_out: left_out.collect(),
                list: format!("../{}", waiting.token),
            };
            let mut response = page(StatusCode::ACCEPTED, &template);
            // A header, because a page that is saved or printed must not reload.
            response.headers_mut().insert(REFRESH, retry_after.clone());
            response
        }
        ResponseFormat::Json => {
            let left_out = waiting.left_out.iter().map(LeftOutBody::from).collect();
            let body = WaitingBody { bytes_done: waiting.bytes_done, bytes: waiting.bytes, left_out };
            json_response(StatusCode::ACCEPTED, "application/json", &body)
        }
    };
    response.headers_mut().insert(RETRY_AFTER, retry_after);
    response
}

/// Creates the response for link previewers. It contains nothing but the item's title, if any, because a
/// previewer stores what it gets, and its request is not counted.
pub(crate) fn preview(look: &Look, item_title: Option<&Title>, format: ResponseFormat) -> Response {
    let texts = Texts::of(match format {
        ResponseFormat::Page { language, .. } => language,
        ResponseFormat::Json => Language::English,
    });
    let title = item_title.map_or(texts.shared_files, Title::as_str);
    page(StatusCode::OK, &PreviewPage { look, texts, title })
}

/// Creates the response for a link whose access has ended. It is the same for expired and revoked shares, and
/// reveals nothing but the sharer's name, if given. `link` is the link's URL, relative to the page.
pub(crate) fn access_ended(
    look: &Look,
    sharer: Option<&SharerName>,
    link: Option<&str>,
    format: ResponseFormat,
) -> Response {
    let problem_type = ProblemType::AccessEnded;
    let sharer = sharer.map(SharerName::as_str);
    let ResponseFormat::Page { language, .. } = format else {
        return problem_response(problem_type, &EndedBody { problem: problem_type.body(None), sharer });
    };
    let texts = Texts::of(language);
    let (title, anonymous_text) = texts.problem(problem_type);
    let (text, sharer) = match sharer {
        Some(sharer) => {
            let (before, after) = texts.ask_sharer;
            (before, Some((sharer, after)))
        }
        None => (anonymous_text, None),
    };
    let form = link.map(|link| {
        let (text, label) = (texts.more_time.ask, texts.more_time.button);
        Form { text, action: format!("{link}/more-time"), label }
    });
    let template = ProblemPage { look, texts, title, text, sharer, form, may_try_again: false, list: None };
    with_form(look, page(problem_type.status(), &template))
}

/// Creates the response to a request for more time. It is the same whether or not the request counts.
/// `files` is the URL of the files, relative to the page, if the link works again. A page links to them, and
/// no redirect leads there: its policy applies to redirects after a form, which may lead to the file's host.
pub(crate) fn more_time_requested(look: &Look, files: Option<&str>, format: ResponseFormat) -> Response {
    let ResponseFormat::Page { language, .. } = format else {
        return json_response(StatusCode::OK, "application/json", &MoreTimeBody {});
    };
    let texts = Texts::of(language);
    let (title, text) = if files.is_some() { texts.more_time.granted } else { texts.more_time.asked };
    let files = files.map(ToOwned::to_owned);
    page(StatusCode::OK, &ChoicePage { look, texts, title, text, form: None, files })
}

/// Creates the page on which the recipient of a share stops emails about it, or allows them again.
/// `has_chosen` says whether the recipient has just done so. `link` is the link's URL, relative to the page.
pub(crate) fn emails(
    look: &Look,
    share: &Share,
    has_chosen: bool,
    link: &str,
    now: Timestamp,
    format: ResponseFormat,
) -> Response {
    let emails_stopped = share.emails_stopped_at().is_some();
    let ResponseFormat::Page { language, .. } = format else {
        return json_response(StatusCode::OK, "application/json", &EmailsBody { emails_stopped });
    };
    let texts = Texts::of(language);
    let (title, text) = match (emails_stopped, has_chosen) {
        (true, _) => texts.emails.stopped,
        (false, true) => texts.emails.allowed,
        (false, false) => texts.emails.stop,
    };
    let (choice, label) = if emails_stopped {
        ("allow", texts.emails.allow_button)
    } else {
        ("stop", texts.emails.stop_button)
    };
    let form = Some(Form { text: "", action: format!("{link}/emails/{choice}"), label });
    let is_active = share.redeem(share.generation, Target::List, now).is_ok();
    let files = is_active.then(|| link.to_owned());
    with_form(look, page(StatusCode::OK, &ChoicePage { look, texts, title, text, form, files }))
}

/// Creates the response for a failed redemption. It reveals nothing about the share or the people involved.
/// `list` is the URL of the list of files, if the request was for one of them.
pub(crate) fn problem(
    look: &Look,
    problem_type: ProblemType,
    list: Option<String>,
    format: ResponseFormat,
) -> Response {
    let ResponseFormat::Page { language, .. } = format else {
        return problem_response(problem_type, &problem_type.body(None));
    };
    let texts = Texts::of(language);
    // A recipient who opens an unknown route sees the page for an unknown link.
    let is_unknown = matches!(problem_type, ProblemType::RouteNotFound | ProblemType::UnknownLink);
    let (title, text) = texts.problem(if is_unknown { ProblemType::UnknownLink } else { problem_type });
    // Every way of switching off has the same page.
    let list = list.filter(|_| !is_unknown && problem_type != ProblemType::LinkPaused);
    // The same files stay too large.
    let may_try_again = !is_unknown && problem_type != ProblemType::ArchiveTooLarge;
    let template = ProblemPage { look, texts, title, text, sharer: None, form: None, may_try_again, list };
    let mut response = page(problem_type.status(), &template);
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

/// Allows the response's page to send its form.
fn with_form(look: &Look, mut response: Response) -> Response {
    if let Ok(policy) = HeaderValue::from_str(&look.content_policy("'self'")) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Adds headers that keep the response out of caches, search engines and frames, and that keep the link out
/// of referrers.
pub(crate) fn with_security_headers(look: &Look, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex"));
    if let Ok(policy) = HeaderValue::from_str(&look.content_policy("'none'")) {
        headers.entry(CONTENT_SECURITY_POLICY).or_insert(policy);
    }
    response
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use sharelink_domain::brand::Accent;
    use sharelink_domain::testing::{NOW, ShareBuilder, file, time};
    use sharelink_domain::{Brand, SharedFile};

    use super::*;
    use crate::look::tests::{branded, plain};

    const fn page_in(language: Language) -> ResponseFormat {
        ResponseFormat::Page { language, is_requested: true }
    }

    const ENGLISH: ResponseFormat = page_in(Language::English);
    const GERMAN: ResponseFormat = page_in(Language::German);

    fn share(files: &[(&str, u64)]) -> ShareBuilder {
        let files = files.iter().map(|(name, size)| SharedFile { size: *size, ..file(name) }).collect();
        ShareBuilder::new().files(files).expires_in(TimeDelta::days(7))
    }

    fn text(response: &Response) -> String {
        String::from_utf8_lossy(response.body()).into_owned()
    }

    fn files(
        share: &Share,
        sharer: Option<&SharerName>,
        has_archive: bool,
        token: &str,
        now: Timestamp,
        format: ResponseFormat,
    ) -> Response {
        super::files(&plain(), share, sharer, has_archive, token, now, format)
    }

    fn preview(title: Option<&Title>, format: ResponseFormat) -> Response {
        super::preview(&plain(), title, format)
    }

    fn access_ended(sharer: Option<&SharerName>, link: Option<&str>, format: ResponseFormat) -> Response {
        super::access_ended(&plain(), sharer, link, format)
    }

    fn more_time_requested(format: ResponseFormat) -> Response {
        super::more_time_requested(&plain(), None, format)
    }

    fn emails(
        share: &Share,
        has_chosen: bool,
        link: &str,
        now: Timestamp,
        format: ResponseFormat,
    ) -> Response {
        super::emails(&plain(), share, has_chosen, link, now, format)
    }

    fn with_security_headers(response: Response) -> Response {
        super::with_security_headers(&plain(), response)
    }

    fn problem(problem_type: ProblemType, list: Option<String>, format: ResponseFormat) -> Response {
        super::problem(&plain(), problem_type, list, format)
    }

    /// Renders the list as Ann's share at its creation.
    fn list(share: &Share, format: ResponseFormat) -> String {
        let ann = SharerName::parse("Ann Example", None);
        text(&files(share, ann.as_ref(), false, "token", time(NOW), format))
    }

    #[track_caller]
    fn assert_contains(page: &str, parts: &[&str]) {
        for part in parts {
            assert!(page.contains(part), "{part} is missing from {page}");
        }
    }

    #[test]
    fn list_states_kinds_sizes_and_their_total() {
        let share = share(&[("art.pdf", 2_417_000), ("die.dwg", 348_200), ("README", 41_900)]).build();
        assert_contains(
            &list(&share, ENGLISH),
            &["3 files, 2.8 MB in total", "PDF document, 2.41 MB", "DWG file, 348.2 kB", "File, 41.9 kB"],
        );
        assert_contains(
            &list(&share, GERMAN),
            &["3 Dateien, insgesamt 2,8 MB", "PDF-Dokument, 2,41 MB", "DWG-Datei, 348,2 kB"],
        );
    }

    #[test]
    fn list_states_any_total() {
        let share = share(&[("a", u64::MAX), ("b", u64::MAX)]).build();
        assert_contains(&list(&share, ENGLISH), &["2 files, 18.44 EB in total"]);
    }

    #[test]
    fn list_of_a_single_file_is_in_the_singular() {
        let share = share(&[("art.pdf", 2_417_000)]).build();
        assert_contains(
            &list(&share, ENGLISH),
            &["Ann Example</bdi> shared a file with you</h1>", "1 file, 2.41 MB", "href=\"token/files/1\""],
        );
        assert_contains(
            &list(&share, GERMAN),
            &["Ann Example</bdi> hat eine Datei mit Ihnen geteilt</h1>", "1 Datei, 2,41 MB"],
        );
        let anonymous = |format| text(&files(&share, None, false, "token", time(NOW), format));
        assert_contains(&anonymous(ENGLISH), &["<h1>A file was shared with you</h1>"]);
        assert_contains(&anonymous(GERMAN), &["<h1>Eine Datei wurde mit Ihnen geteilt</h1>"]);
    }

    #[test]
    fn list_offers_all_files_at_once() {
        let share = share(&[("art.pdf", 2_417_000), ("die.dwg", 348_200), ("README", 41_900)]).build();
        let all = |format| text(&files(&share, None, true, "token", time(NOW), format));
        assert_contains(
            &all(ENGLISH),
            &["<a class=\"button\" href=\"token/archive\">Download all (3 files, 2.8 MB)</a>"],
        );
        assert_contains(&all(GERMAN), &[">Alle herunterladen (3 Dateien, 2,8 MB)</a>"]);
        assert_contains(&all(ResponseFormat::Json), &["\"archiveHref\":\"token/archive\""]);
        for format in [ENGLISH, GERMAN, ResponseFormat::Json] {
            assert!(!list(&share, format).contains("rchive"), "not offered");
        }
    }

    fn wait(bytes_done: u64, bytes: u64, left_out: &[LeftOut], format: ResponseFormat) -> Response {
        waiting(&plain(), &Waiting { bytes_done, bytes, left_out, token: "token" }, format)
    }

    #[test]
    fn waiting_page_says_how_far_the_archive_is() {
        let page = wait(1_200_000_000, 4_800_000_000, &[], ENGLISH);
        assert_eq!(
            (page.status(), &page.headers()["refresh"]),
            (StatusCode::ACCEPTED, &"3".parse().unwrap())
        );
        assert_contains(
            &text(&page),
            &[
                "<title>25% – Preparing your download</title>",
                "<progress max=\"100\" value=\"25\"",
                "1.2 GB of 4.8 GB",
                "<a href=\"../token\">Back to the files</a>",
            ],
        );
        assert_contains(
            &text(&wait(1_200_000_000, 4_800_000_000, &[], GERMAN)),
            &["<title>25\u{a0}% – Ihr Download wird vorbereitet</title>", "1,2 GB von 4,8 GB"],
        );
    }

    #[test]
    fn waiting_response_for_programs_has_the_bytes() {
        let left_out = [LeftOut { name: "a<".parse().unwrap(), reason: LeftOutReason::Archived }];
        let response = wait(1, 4, &left_out, ResponseFormat::Json);
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        assert_eq!(response.headers()["retry-after"], "3");
        assert!(!response.headers().contains_key("refresh"));
        let body: serde_json::Value = serde_json::from_str(&text(&response)).unwrap();
        let left_out = serde_json::json!([{"name": "a<", "reason": "archived"}]);
        assert_eq!(body, serde_json::json!({"bytesDone": 1, "bytes": 4, "leftOut": left_out}));
        let body: serde_json::Value =
            serde_json::from_str(&text(&wait(0, 4, &[], ResponseFormat::Json))).unwrap();
        assert_eq!(body, serde_json::json!({"bytesDone": 0, "bytes": 4}));
    }

    #[test]
    fn waiting_page_names_the_files_left_out() {
        let left_out = [
            LeftOut { name: "a\u{202e}<b>".parse().unwrap(), reason: LeftOutReason::Missing },
            LeftOut { name: "c".parse().unwrap(), reason: LeftOutReason::Unreadable },
        ];
        assert_contains(
            &text(&wait(0, 1, &left_out, ENGLISH)),
            &["These files cannot be included:", "a&#60;b&#62;</bdi> <span>moved or removed</span>"],
        );
        assert_contains(&text(&wait(0, 1, &left_out[..1], GERMAN)), &["verschoben oder entfernt"]);
        assert!(!text(&wait(0, 1, &[], ENGLISH)).contains("included"));
    }

    #[test]
    fn progress_stays_below_all_for_any_numbers() {
        for (bytes_done, bytes, percent) in [
            (0, 0, 0),
            (1, 0, 99),
            (5, 5, 99),
            (u64::MAX, u64::MAX, 99),
            (u64::MAX / 2, u64::MAX, 49),
            (9, 4, 99),
        ] {
            let page = text(&wait(bytes_done, bytes, &[], ENGLISH));
            assert_contains(&page, &[&format!("value=\"{percent}\"")]);
        }
    }

    #[test]
    fn large_archives_are_asked_for_less_often() {
        for (bytes, seconds) in [(0, "3"), (3_999_999_999, "3"), (8_000_000_000, "8"), (u64::MAX, "15")] {
            assert_eq!(wait(0, bytes, &[], ENGLISH).headers()["retry-after"], seconds);
        }
    }

    #[test]
    fn too_large_archive_leads_back_to_the_files() {
        for (format, title) in [
            (ENGLISH, "The files are too large for one archive"),
            (GERMAN, "Die Dateien sind zu groß für ein Archiv"),
        ] {
            let page = problem(ProblemType::ArchiveTooLarge, Some("../token".to_owned()), format);
            assert_eq!(page.status(), 404);
            let page = text(&page);
            assert_contains(&page, &[title, "<a href=\"../token\">"]);
            assert!(!page.contains("href=\"\""), "another try does not help: {page}");
        }
    }

    #[test]
    fn preview_contains_only_the_escaped_title() {
        let share = share(&[("art.pdf", 1)]).title("Budget <2027>").message("Secret").build();
        let page = text(&preview(share.title.as_ref(), ENGLISH));
        assert_contains(
            &page,
            &[
                "<title>Budget &#60;2027&#62;</title>",
                "<meta property=\"og:title\" content=\"Budget &#60;2027&#62;\">",
                "<meta name=\"robots\" content=\"noindex\">",
                "Open this link in a browser to get the files.",
            ],
        );
        for hidden in ["art.pdf", "Ann", "Secret", "href", "token"] {
            assert!(!page.contains(hidden), "{hidden}: {page}");
        }
        assert_contains(
            &text(&preview(None, GERMAN)),
            &["<title>Geteilte Dateien</title>", "content=\"Geteilte Dateien\"", "in einem Browser"],
        );
        assert_contains(&text(&preview(None, ResponseFormat::Json)), &["<title>Shared files</title>"]);
    }

    #[test]
    fn invisible_name_is_a_visible_link() {
        let share = share(&[("\u{202e}", 1), ("a\u{2028}b", 1)]).build();
        assert_contains(&list(&share, ENGLISH), &[">file</bdi>", ">a b</bdi>"]);
    }

    #[test]
    fn expiry_is_on_the_sharer_s_day_with_its_offset() {
        let share = share(&[("a", 1), ("b", 1)])
            .expires_in(TimeDelta::days(7) + TimeDelta::minutes(9 * 60 + 59))
            .expiry_offset("+02:00")
            .build();
        assert_contains(
            &list(&share, ENGLISH),
            &[
                "Access ends <strong>in 7 days</strong>, on ",
                "<time datetime=\"2026-03-17T21:59:00Z\">Tuesday, 17 March 2026 at 23:59 (UTC+02:00)</time>.",
            ],
        );
        assert_contains(
            &list(&share, GERMAN),
            &[
                "Der Zugriff endet <strong>in 7 Tagen</strong>, am ",
                ">Dienstag, dem 17. März 2026, um 23:59 Uhr (UTC+02:00)</time>.",
            ],
        );
    }

    #[test]
    fn message_is_escaped_and_keeps_its_lines() {
        let message = "Hi <b>all</b>,\r\n\r\n\u{5e9}\u{5dc}\u{5d5}\u{5dd}\n\thttps://evil.example/?a=1&b";
        let share = share(&[("a", 1), ("b", 1)]).message(message).build();
        let page = list(&share, ENGLISH);
        assert_contains(
            &page,
            &[
                "Message from <bdi translate=\"no\">Ann Example</bdi></h2>",
                "Hi &#60;b&#62;all&#60;/b&#62;,\r\n\r\n\u{5e9}\u{5dc}\u{5d5}\u{5dd}\n\thttps://evil.example/?a=1&#38;b</p>",
            ],
        );
        assert!(!page.contains("href=\"http"), "a URL in a message is not a link: {page}");
        assert!(!page.contains("#files"), "a short message needs no link past it: {page}");
    }

    #[test]
    fn page_offers_a_link_past_a_long_message() {
        let files = [("a", 1), ("b", 1)];
        for message in ["Ten words make a sentence of some length. ".repeat(40), "line\n".repeat(20)] {
            let page = list(&share(&files).message(&message).build(), ENGLISH);
            assert_contains(&page, &["<a href=\"#files\">Go to the files</a>", "<h2 id=\"files\">"]);
        }
    }

    #[test]
    fn names_are_not_translated_or_reordered() {
        let share =
            share(&[("harmless_file\u{202e}txt.exe", 1), ("\u{5d0}\u{5d1}.pdf", 1)]).title("Budget").build();
        assert_contains(
            &list(&share, GERMAN),
            &[
                "<h1><bdi translate=\"no\">Ann Example</bdi> hat 2 Dateien mit Ihnen geteilt</h1>",
                "<bdi translate=\"no\">Budget</bdi>",
                "<bdi dir=\"ltr\" translate=\"no\">harmless_filetxt.exe</bdi> <span>Programm, ",
                "<bdi dir=\"ltr\" translate=\"no\">\u{5d0}\u{5d1}.pdf</bdi> <span>PDF-Dokument, ",
            ],
        );
    }

    #[test]
    fn json_list_contains_the_message_as_typed() {
        let share = share(&[("a\u{202e}", 1), ("b", 1)]).message(" <b>\r\n").title("Budget").build();
        let body: serde_json::Value = serde_json::from_str(&list(&share, ResponseFormat::Json)).unwrap();
        let expected = serde_json::json!({
            "sharer": "Ann Example",
            "title": "Budget",
            "message": " <b>\r\n",
            "files": [
                {"name": "a\u{202e}", "size": 1, "href": "token/files/1"},
                {"name": "b", "size": 1, "href": "token/files/2"},
            ],
            "expiresAt": "2026-03-17T12:00:00Z",
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn ended_page_names_only_a_given_sharer() {
        let ann = SharerName::parse("Ann <b>", None);
        let access_ended = |sharer, format| access_ended(sharer, Some("token"), format);
        let named = access_ended(ann.as_ref(), ENGLISH);
        assert_eq!(named.status(), 410);
        assert_contains(&text(&named), &["ask <bdi translate=\"no\">Ann &#60;b&#62;</bdi>.</p>"]);
        assert_contains(
            &text(&access_ended(ann.as_ref(), GERMAN)),
            &["fragen Sie <bdi translate=\"no\">Ann"],
        );
        assert_contains(
            &text(&access_ended(ann.as_ref(), ResponseFormat::Json)),
            &["\"sharer\":\"Ann <b>\""],
        );

        let anonymous = text(&access_ended(None, ENGLISH));
        assert_contains(&anonymous, &["ask the person who sent you the link.</p>"]);
        assert!(!anonymous.contains("<bdi"), "{anonymous}");
        assert!(!anonymous.contains("href"), "nothing to try again: {anonymous}");
        assert!(!text(&access_ended(None, ResponseFormat::Json)).contains("sharer"));
    }

    #[test]
    fn ended_page_asks_for_more_time_with_one_button() {
        let page = access_ended(None, Some("../token"), ENGLISH);
        let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(policy.contains("form-action 'self'"), "{policy}");
        let protected = with_security_headers(page);
        assert_eq!(protected.headers()[CONTENT_SECURITY_POLICY], policy);
        let form = "<form class=\"actions\" method=\"post\" action=\"../token/more-time\">\
                    <button class=\"button\">Ask for more time</button></form>";
        let page = text(&protected);
        assert_contains(&page, &[form]);
        assert!(!page.contains("<input") && !page.contains("<script"), "{page}");
        let other = with_security_headers(more_time_requested(ENGLISH));
        let policy = other.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("form-action 'none'"), "a page without a form: {policy}");
    }

    #[test]
    fn emails_page_offers_the_other_choice() {
        let share = share(&[("a", 1)]).build();
        let choose = |share: &Share, wants_emails| {
            share.with_email_choice(share.generation, wants_emails, time(NOW)).unwrap().unwrap()
        };
        let stopped = choose(&share, false);
        let allowed = choose(&stopped, true);
        let show = |share: &Share, has_chosen, format| {
            text(&emails(share, has_chosen, "../token", time(NOW), format))
        };
        let stop = "action=\"../token/emails/stop\"><button class=\"button\">Stop emails<";
        let allow = "action=\"../token/emails/allow\"><button class=\"button\">Allow emails again<";
        let back = "<a href=\"../token\">Back to the files</a>";
        assert_contains(&show(&share, false, ENGLISH), &["Stop emails about this link?</h1>", stop, back]);
        assert_contains(&show(&stopped, true, ENGLISH), &["Emails are stopped</h1>", allow, back]);
        assert_contains(&show(&stopped, false, ENGLISH), &["Emails are stopped</h1>", allow]);
        assert_contains(&show(&allowed, true, ENGLISH), &["Emails are allowed again</h1>", stop]);
        for (share, body) in
            [(&stopped, r#"{"emailsStopped":true}"#), (&allowed, r#"{"emailsStopped":false}"#)]
        {
            assert_eq!(show(share, true, ResponseFormat::Json), body);
        }
        let ended = text(&emails(&share, false, "../token", share.expires_at, ENGLISH));
        assert!(ended.contains(stop) && !ended.contains(back), "the link leads to no files: {ended}");
    }

    #[test]
    fn page_of_files_leads_to_the_choice_about_emails() {
        let share = share(&[("a", 1), ("b", 1)]).build();
        assert_contains(
            &list(&share, ENGLISH),
            &["<a href=\"token/emails\">Stop emails about this link</a>"],
        );
        let stopped = share.with_email_choice(share.generation, false, time(NOW)).unwrap().unwrap();
        assert_contains(
            &list(&stopped, ENGLISH),
            &["<a href=\"token/emails\">Emails about this link are stopped</a>"],
        );
        assert!(!list(&share, ResponseFormat::Json).contains("emails"));
    }

    #[test]
    fn failed_file_can_be_tried_again_or_left() {
        for problem_type in [
            ProblemType::FileMissing,
            ProblemType::FileArchived,
            ProblemType::FileForbidden,
            ProblemType::TemporarilyUnavailable,
            ProblemType::Internal,
        ] {
            let list_url = Some("../../token".to_owned());
            assert_contains(
                &text(&problem(problem_type, list_url.clone(), ENGLISH)),
                &["href=\"\">Try again</a>", "<a href=\"../../token\">Back to the files</a>"],
            );
            assert_contains(
                &text(&problem(problem_type, list_url, GERMAN)),
                &[">Noch einmal versuchen</a>", ">Zurück zu den Dateien</a>"],
            );
            assert!(!text(&problem(problem_type, None, ENGLISH)).contains("Back to"), "{problem_type:?}");
        }
        let unknown = text(&problem(ProblemType::UnknownLink, Some("../../token".to_owned()), ENGLISH));
        assert!(!unknown.contains("href"), "{unknown}");
    }

    #[test]
    fn page_without_a_brand_has_neither_header_nor_footer() {
        let share = share(&[("a", 1)]).build();
        let page = list(&share, ENGLISH);
        for part in ["<header", "<footer", "<img"] {
            assert!(!page.contains(part), "{part}: {page}");
        }
        assert_contains(&page, &["<main>\n\n<h1>", "</p>\n\n</main>"]);
    }

    #[test]
    fn every_page_shows_the_brand() {
        let look = branded();
        let share = share(&[("a", 1)]).build();
        let order = Waiting { bytes_done: 0, bytes: 1, left_out: &[], token: "token" };
        for (format, imprint) in [(ENGLISH, "Legal notice"), (GERMAN, "Impressum")] {
            for response in [
                super::files(&look, &share, None, true, "token", time(NOW), format),
                waiting(&look, &order, format),
                super::preview(&look, None, format),
                super::access_ended(&look, None, Some("token"), format),
                super::emails(&look, &share, false, "token", time(NOW), format),
                super::more_time_requested(&look, None, format),
                super::problem(&look, ProblemType::LinkPaused, None, format),
            ] {
                let page = text(&response);
                assert_contains(
                    &page,
                    &[
                        "<img src=\"https://cdn.studio.example/logo.png\" alt=\"Studio &#60;North&#62;\">",
                        "<p dir=\"auto\" lang=\"\">Studio North Ltd</p>\n\
                         <p dir=\"auto\" lang=\"\">1 Pier &#38; Sons</p>",
                        &format!("<a href=\"https://studio.example/imprint\">{imprint}</a>"),
                        &format!("<style>{}</style>", look.style),
                    ],
                );
            }
        }
    }

    #[test]
    fn brand_without_a_logo_is_shown_by_name() {
        let name = "\u{5d0}\u{5d1} & Co";
        let brand = Brand::new(name.parse().ok(), Accent::default(), None, None).unwrap();
        let look = Look::new(brand).unwrap();
        let page = text(&super::preview(&look, None, ENGLISH));
        assert_contains(
            &page,
            &["<header><bdi translate=\"no\">\u{5d0}\u{5d1} &#38; Co</bdi></header>\n\n<h1>"],
        );
        assert!(!page.contains("<footer"), "{page}");
    }
}
