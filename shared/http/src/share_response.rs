//! A share as callers see it. It never holds the link.

use chrono::SecondsFormat;
use lambda_http::http::header::HeaderValue;
use serde::Serialize;
use sharelink_domain::share::{ExpectedVersion, Reason, Status};
use sharelink_domain::{MailState, Share, SharedFile, Sharer, Timestamp};

use crate::event::header;
use crate::{ProblemType, Request};

/// A share in an answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShareResponse<'a> {
    share_id: String,
    recipient: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    expires_at: String,
    created_at: String,
    created_by: &'a Sharer,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    files: &'a [SharedFile],
    mail: MailResponse<'a>,
    opens: u64,
    downloads: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_opened_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_opened_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    version: u64,
}

#[derive(Debug, Serialize)]
struct MailResponse<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl<'a> ShareResponse<'a> {
    /// The share as it is now.
    #[must_use]
    pub fn new(share: &'a Share, now: Timestamp) -> Self {
        let (status, reason) = match share.status(now) {
            Status::Active => ("active", None),
            Status::Inactive(Reason::Expired) => ("inactive", Some("expired")),
            Status::Inactive(Reason::Revoked) => ("inactive", Some("revoked")),
        };
        Self {
            share_id: share.id.to_string(),
            recipient: share.recipient.as_str(),
            status,
            reason,
            expires_at: rfc3339(share.expires_at),
            created_at: rfc3339(share.created_at),
            created_by: &share.created_by,
            message: share.message.as_ref().map(sharelink_domain::request::Message::as_str),
            files: &share.files,
            mail: MailResponse {
                state: share.mail.state.name(),
                at: share.mail.at.filter(|_| share.mail.state != MailState::None).map(rfc3339),
                detail: share.mail.detail.as_deref(),
            },
            opens: share.usage.opens,
            downloads: share.usage.downloads,
            first_opened_at: share.usage.first_at.map(rfc3339),
            last_opened_at: share.usage.last_at.map(rfc3339),
            revoked_at: share.revoked_at.map(rfc3339),
            version: share.version,
        }
    }
}

/// A time in an answer: UTC, to the millisecond where there are any.
#[must_use]
pub fn rfc3339(time: Timestamp) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Which version of a share a change is meant for, from its `If-Match`: the entity tag as we gave it, or `*`
/// for any. A tag that is not ours matches no version.
pub fn parse_if_match(request: &Request) -> Result<ExpectedVersion, ProblemType> {
    match header(request, "if-match").map(str::trim) {
        None => Err(ProblemType::IfMatchMissing),
        Some("*") => Ok(ExpectedVersion::Any),
        Some(tag) => {
            let version = tag.trim_matches('"').parse().ok().filter(|version| entity_tag(*version) == tag);
            version.map(ExpectedVersion::Exactly).ok_or(ProblemType::StaleVersion)
        }
    }
}

fn entity_tag(version: u64) -> String {
    format!("\"{version}\"")
}

/// The share's version as a strong entity tag.
#[must_use]
pub fn etag(share: &Share) -> HeaderValue {
    HeaderValue::from_str(&entity_tag(share.version)).unwrap_or(HeaderValue::from_static("\"\""))
}
