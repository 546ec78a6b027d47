//! The platform's event bus in `EventBridge`, which receives each entry of the share log as an event.
//!
//! `infra/events` describes the events. They name no recipient, and contain no address, file, link or
//! message.

use std::sync::{Mutex, PoisonError};

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::Builder;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_types::SdkConfig;
use chrono::TimeDelta;
use serde::Serialize;
use sharelink_domain::log::{LogEntry, LogEvent};
use sharelink_domain::{Item, Timestamp};

use crate::call_timer::CallTimer;
use crate::share_table::sortable;
use crate::{AwsError, Error, InternalError};

const SERVICE: &str = "events";

/// The source of every event.
pub const SOURCE: &str = "sharelink";

/// The maximum number of events in a call
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>).
pub const BATCH_LIMIT: usize = 10;

/// How long the bus is assumed to exist after it was found.
const MAX_AGE: TimeDelta = TimeDelta::minutes(1);

/// An entry of the share log, as an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareEvent {
    /// The name of the entry's kind, such as `Share Created`.
    pub detail_type: &'static str,
    /// A JSON object.
    pub detail: String,
    at: Timestamp,
}

/// The detail of an event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    /// Equal in all copies of the event, and only in those.
    id: &'a str,
    /// The id of the event that this event corrects.
    #[serde(skip_serializing_if = "Option::is_none")]
    corrects: Option<&'a str>,
    time: String,
    module: &'a str,
    item: &'a str,
    share_id: String,
    /// The `sub` claim of the sharer who caused the event, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(flatten)]
    facts: Facts,
}

/// The details of an entry that may leave the deployment.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Facts {
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
}

impl ShareEvent {
    /// Creates the event for an entry of the item's log, or `None` if the entry is
    /// [internal](LogEntry::is_internal).
    pub fn new(item: &Item, entry: &LogEntry) -> Result<Option<Self>, InternalError> {
        if entry.is_internal() {
            return Ok(None);
        }
        let key = format!("{}#{}", sortable(entry.at), entry.sequence);
        // A correction has the key of the entry that it replaces.
        let correction = entry.is_correction().then(|| format!("{key}#correction"));
        let detail = Detail {
            id: correction.as_ref().unwrap_or(&key),
            corrects: correction.is_some().then_some(&key),
            time: sortable(entry.at),
            module: item.module.as_str(),
            item: item.name.as_str(),
            share_id: entry.share.to_string(),
            sub: entry.by.as_ref().map(|sharer| sharer.sub.as_str()),
            facts: Facts { client: entry.source.map(|source| source.client.name()), ..facts(&entry.event) },
        };
        let detail = serde_json::to_string(&detail).map_err(|_| InternalError::Encoding("an event"))?;
        Ok(Some(Self { detail_type: detail_type(&entry.event), detail, at: entry.at }))
    }

    fn to_request(&self, bus: &str) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(bus)
            .source(SOURCE)
            .detail_type(self.detail_type)
            .detail(&self.detail)
            .time(DateTime::from_millis(self.at.timestamp_millis()))
            .build()
    }
}

fn detail_type(event: &LogEvent) -> &'static str {
    match event {
        LogEvent::Created => "Share Created",
        LogEvent::Emailed => "Share Emailed",
        LogEvent::MailFailed { .. } => "Share Email Failed",
        LogEvent::Delivered => "Share Email Delivered",
        LogEvent::Bounced { .. } => "Share Email Bounced",
        LogEvent::Complained => "Share Email Complained",
        LogEvent::Reminded => "Share Reminder Sent",
        LogEvent::ReminderFailed { .. } => "Share Reminder Failed",
        LogEvent::Opened { .. } => "Share Opened",
        LogEvent::Downloaded { .. } => "Share File Downloaded",
        LogEvent::DownloadedAll { .. } => "Share Archive Downloaded",
        LogEvent::DownloadFailed { .. } => "Share Download Failed",
        LogEvent::ExpirationChanged { .. } => "Share Expiration Changed",
        LogEvent::Revoked => "Share Revoked",
        LogEvent::Reactivated => "Share Reactivated",
        LogEvent::LinkCopied => "Share Link Copied",
        LogEvent::LinkRenewed { .. } => "Share Link Renewed",
        LogEvent::Resent => "Share Email Resent",
        LogEvent::MoreTimeRequested { .. } => "Share More Time Requested",
        LogEvent::EmailsStopped => "Share Emails Stopped",
        LogEvent::EmailsAllowed => "Share Emails Allowed",
        LogEvent::Expired => "Share Expired",
        LogEvent::Purged { .. } => "Share Purged",
        LogEvent::Restored => "Share Restored",
    }
}

/// Returns the details that may leave the deployment. A generation is part of a link.
fn facts(event: &LogEvent) -> Facts {
    match event {
        LogEvent::Opened { number }
        | LogEvent::Downloaded { number }
        | LogEvent::DownloadedAll { number } => Facts { number: Some(*number), ..Facts::default() },
        LogEvent::MoreTimeRequested { number } => {
            Facts { number: Some((*number).into()), ..Facts::default() }
        }
        LogEvent::MailFailed { reason }
        | LogEvent::Bounced { reason }
        | LogEvent::ReminderFailed { reason } => Facts { reason: Some(reason.code()), ..Facts::default() },
        LogEvent::DownloadFailed { reason } => Facts { reason: Some(reason.name()), ..Facts::default() },
        LogEvent::ExpirationChanged { from, to } => {
            Facts { from: Some(sortable(*from)), to: Some(sortable(*to)), ..Facts::default() }
        }
        LogEvent::Created
        | LogEvent::Emailed
        | LogEvent::Delivered
        | LogEvent::Complained
        | LogEvent::Reminded
        | LogEvent::Revoked
        | LogEvent::Reactivated
        | LogEvent::LinkCopied
        | LogEvent::LinkRenewed { .. }
        | LogEvent::Resent
        | LogEvent::EmailsStopped
        | LogEvent::EmailsAllowed
        | LogEvent::Expired
        | LogEvent::Purged { .. }
        | LogEvent::Restored => Facts::default(),
    }
}

/// The bus of this name, in the deployment's account and region.
#[derive(Debug)]
pub struct EventBus {
    client: Client,
    name: String,
    /// When the bus was last found to exist.
    found_at: Mutex<Option<Timestamp>>,
}

impl EventBus {
    #[must_use]
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        let settings = Builder::from(config).interceptor(CallTimer(SERVICE)).build();
        Self { client: Client::from_conf(settings), name: name.into(), found_at: Mutex::new(None) }
    }

    /// Publishes at most [`BATCH_LIMIT`] events. Returns, for each event, whether it was accepted.
    ///
    /// A lost response publishes the events again, because `EventBridge` does not recognize retries.
    pub async fn publish(&self, events: &[&ShareEvent], now: Timestamp) -> Result<Vec<bool>, Error> {
        self.require_bus(now).await?;
        let entries = events.iter().map(|event| event.to_request(&self.name)).collect();
        let response = self.client.put_events().set_entries(Some(entries)).send().await;
        let response = response.map_err(|error| AwsError::new(SERVICE, &error))?;
        let results = response.entries();
        // The response has an entry for each event, in the same order.
        let accepted =
            (0..events.len()).map(|n| results.get(n).is_some_and(|entry| entry.event_id().is_some()));
        for code in results.iter().filter_map(|entry| entry.error_code()) {
            metrics::counter!("CallFailures", "Service" => SERVICE).increment(1);
            tracing::warn!(code, "EventBridge did not accept an event");
        }
        Ok(accepted.collect())
    }

    /// Fails if the bus does not exist. `EventBridge` accepts events for a missing bus, and drops them
    /// (<https://github.com/aws/aws-cli/issues/9186>).
    async fn require_bus(&self, now: Timestamp) -> Result<(), AwsError> {
        let found_at = *self.found_at.lock().unwrap_or_else(PoisonError::into_inner);
        if found_at.is_some_and(|at| (now - at).abs() < MAX_AGE) {
            return Ok(());
        }
        let found = self.client.describe_event_bus().name(&self.name).send().await;
        found.map_err(|error| AwsError::new(SERVICE, &error))?;
        *self.found_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        Ok(())
    }
}
