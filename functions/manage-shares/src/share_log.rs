//! `GET …/share-log`.

use lambda_http::http::StatusCode;
use serde::Serialize;
use sharelink_aws::share_table::LogCursor;
use sharelink_domain::UseSource;
use sharelink_domain::log::{LogEntry, LogEvent};
use sharelink_http::{
    Problem, Response, SharerResponse, encode_cursor, json_response, parse_cursor, to_rfc3339,
};

use crate::parameters::parse_limit;
use crate::router::{Call, ManageShares};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogResponse<'a> {
    entries: Vec<LogEntryResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogEntryResponse<'a> {
    at: String,
    #[serde(flatten)]
    event: EventResponse,
    share_id: String,
    recipient: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<SharerResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<UseSourceResponse>,
}

#[derive(Serialize)]
struct UseSourceResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    client: &'static str,
}

impl From<UseSource> for UseSourceResponse {
    fn from(source: UseSource) -> Self {
        Self { network: source.network.map(|network| network.to_string()), client: source.client.name() }
    }
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "camelCase")]
enum EventResponse {
    Created,
    Emailed,
    MailFailed { reason: &'static str, detail: &'static str },
    Delivered,
    Bounced { reason: &'static str, detail: &'static str },
    Complained,
    Reminded,
    ReminderFailed { reason: &'static str, detail: &'static str },
    Opened { number: u64 },
    Downloaded { number: u64 },
    DownloadedAll { number: u64 },
    DownloadFailed { reason: &'static str },
    ExpirationChanged { from: String, to: String },
    Revoked,
    Reactivated,
    LinkCopied,
    LinkRenewed,
    Resent,
    MoreTimeRequested { number: u32 },
    EmailsStopped,
    EmailsAllowed,
    Expired,
    Purged,
    Restored,
}

impl From<&LogEvent> for EventResponse {
    fn from(event: &LogEvent) -> Self {
        match event {
            LogEvent::Created => Self::Created,
            LogEvent::Emailed => Self::Emailed,
            LogEvent::MailFailed { reason } => {
                Self::MailFailed { reason: reason.code(), detail: reason.detail() }
            }
            LogEvent::Delivered => Self::Delivered,
            LogEvent::Bounced { reason } => Self::Bounced { reason: reason.code(), detail: reason.detail() },
            LogEvent::Complained => Self::Complained,
            LogEvent::Reminded => Self::Reminded,
            LogEvent::ReminderFailed { reason } => {
                Self::ReminderFailed { reason: reason.code(), detail: reason.detail() }
            }
            LogEvent::Opened { number } => Self::Opened { number: *number },
            LogEvent::Downloaded { number } => Self::Downloaded { number: *number },
            LogEvent::DownloadedAll { number } => Self::DownloadedAll { number: *number },
            LogEvent::DownloadFailed { reason } => Self::DownloadFailed { reason: reason.name() },
            LogEvent::ExpirationChanged { from, to } => {
                Self::ExpirationChanged { from: to_rfc3339(*from), to: to_rfc3339(*to) }
            }
            LogEvent::Revoked => Self::Revoked,
            LogEvent::Reactivated => Self::Reactivated,
            LogEvent::LinkCopied => Self::LinkCopied,
            LogEvent::LinkRenewed { .. } => Self::LinkRenewed,
            LogEvent::Resent => Self::Resent,
            LogEvent::MoreTimeRequested { number } => Self::MoreTimeRequested { number: *number },
            LogEvent::EmailsStopped => Self::EmailsStopped,
            LogEvent::EmailsAllowed => Self::EmailsAllowed,
            LogEvent::Expired => Self::Expired,
            LogEvent::Purged { .. } => Self::Purged,
            LogEvent::Restored => Self::Restored,
        }
    }
}

impl<'a> From<&'a LogEntry> for LogEntryResponse<'a> {
    fn from(entry: &'a LogEntry) -> Self {
        Self {
            at: to_rfc3339(entry.at),
            event: EventResponse::from(&entry.event),
            share_id: entry.share.to_string(),
            recipient: entry.recipient.as_str(),
            by: entry.by.as_ref().map(SharerResponse::from),
            source: entry.source.map(UseSourceResponse::from),
        }
    }
}

impl ManageShares {
    pub(crate) async fn list_share_log(&self, call: &Call<'_>) -> Result<Response, Problem> {
        let limit = parse_limit(call.request)?;
        let cursor = parse_cursor(call.request, LogCursor::parse)?;
        let page = self.log.list(&call.item, limit, cursor.as_ref()).await?;
        let entries = page.entries.iter().filter(|entry| !entry.is_internal());
        let body = LogResponse {
            entries: entries.map(LogEntryResponse::from).collect(),
            next_cursor: page.next.map(|cursor| encode_cursor(cursor.as_str())),
        };
        Ok(json_response(StatusCode::OK, "application/json", &body))
    }
}
