//! Shares as they appear in API responses, always without their links.

use chrono::SecondsFormat;
use serde::Serialize;
use sharelink_domain::access::InactiveReason;
use sharelink_domain::reminder::{Reminder, ReminderState};
use sharelink_domain::{
    EmailAddress, ItemName, MailReason, MailState, Message, ModuleName, RecipientName, Share, SharedFile,
    Sharer, Status, Timestamp, Title,
};

/// A share in a response.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShareResponse<'a> {
    share_id: String,
    recipient: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_name: Option<&'a str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    expires_at: String,
    created_at: String,
    created_by: SharerResponse<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    language: &'static str,
    files: Vec<FileResponse<'a>>,
    mail: MailResponse,
    opens: u64,
    downloads: u64,
    archive_downloads: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_opened_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_opened_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renewed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reminder: Option<ReminderResponse>,
    notify_on_first_download: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_time: Option<MoreTimeResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emails_stopped_at: Option<String>,
    version: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReminderResponse {
    days_before: u8,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
}

impl ReminderResponse {
    fn new(share: &Share, now: Timestamp) -> Option<Self> {
        let Reminder { days_before, state } = share.reminder?;
        let (state, at) = match (state, share.planned_reminder(now)) {
            (ReminderState::Sent { at }, _) => ("sent", Some(at)),
            (_, Some(due)) => ("planned", Some(due)),
            (_, None) => ("none", None),
        };
        Some(Self { days_before: days_before.get(), state, at: at.map(to_rfc3339) })
    }
}

/// A share in a list of all items' shares.
#[derive(Debug, Serialize)]
pub struct ListedShareResponse<'a> {
    module: &'a ModuleName,
    item: &'a ItemName,
    #[serde(flatten)]
    share: ShareResponse<'a>,
}

impl<'a> ListedShareResponse<'a> {
    /// Creates the representation of a share, with its status as of `now`.
    #[must_use]
    pub fn new(share: &'a Share, now: Timestamp) -> Self {
        Self { module: &share.item.module, item: &share.item.name, share: ShareResponse::new(share, now) }
    }
}

/// A file in a response.
#[derive(Debug, Serialize)]
pub struct FileResponse<'a> {
    name: &'a str,
    size: u64,
}

impl<'a> From<&'a SharedFile> for FileResponse<'a> {
    fn from(file: &'a SharedFile) -> Self {
        Self { name: file.name.as_str(), size: file.size }
    }
}

/// A sharer in a response.
#[derive(Debug, Serialize)]
pub struct SharerResponse<'a> {
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
}

impl<'a> From<&'a Sharer> for SharerResponse<'a> {
    fn from(sharer: &'a Sharer) -> Self {
        Self {
            sub: &sharer.sub,
            name: sharer.name.as_deref(),
            email: sharer.email.as_ref().map(EmailAddress::as_str),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MoreTimeResponse {
    requests: u32,
    requested_at: String,
    is_open: bool,
}

#[derive(Debug, Serialize)]
struct MailResponse {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
}

impl<'a> ShareResponse<'a> {
    /// Creates the representation of a share, with its status as of `now`.
    #[must_use]
    pub fn new(share: &'a Share, now: Timestamp) -> Self {
        let (status, reason) = match share.status(now) {
            Status::Active => ("active", None),
            Status::Inactive(InactiveReason::Expired) => ("inactive", Some("expired")),
            Status::Inactive(InactiveReason::Revoked) => ("inactive", Some("revoked")),
        };
        Self {
            share_id: share.id.to_string(),
            recipient: share.recipient.as_str(),
            recipient_name: share.recipient_name.as_ref().map(RecipientName::as_str),
            status,
            reason,
            expires_at: to_rfc3339(share.expires_at),
            created_at: to_rfc3339(share.created_at),
            created_by: SharerResponse::from(&share.created_by),
            message: share.message.as_ref().map(Message::as_str),
            title: share.title.as_ref().map(Title::as_str),
            language: share.language.tag(),
            files: share.files.iter().map(FileResponse::from).collect(),
            mail: MailResponse {
                state: share.mail.state.name(),
                at: share.mail.at.filter(|_| share.mail.state != MailState::None).map(to_rfc3339),
                reason: share.mail.reason.map(MailReason::code),
                detail: share.mail.reason.map(MailReason::detail),
            },
            opens: share.usage.opens,
            downloads: share.usage.downloads,
            archive_downloads: share.usage.archive_downloads,
            first_opened_at: share.usage.first_at.map(to_rfc3339),
            last_opened_at: share.usage.last_at.map(to_rfc3339),
            revoked_at: share.revoked_at.map(to_rfc3339),
            renewed_at: share.renewed_at.map(to_rfc3339),
            reminder: ReminderResponse::new(share, now),
            notify_on_first_download: share.notify_on_first_download,
            more_time: share.more_time.map(|request| MoreTimeResponse {
                requests: request.requests,
                requested_at: to_rfc3339(request.requested_at),
                is_open: share.is_more_time_open(),
            }),
            emails_stopped_at: share.emails_stopped_at().map(to_rfc3339),
            version: share.version,
        }
    }
}

/// Formats a time for a response, as RFC 3339 in UTC. Includes milliseconds only if they are not zero.
#[must_use]
pub fn to_rfc3339(time: Timestamp) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
