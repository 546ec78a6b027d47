//! Processes changes from the table's stream, and passes on those from the log's.

use std::time::{Duration, SystemTime};

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::DynamoDbEventResponse;
use chrono::TimeDelta;
use lambda_runtime::LambdaEvent;
use sharelink_aws::event_bus::EventBus;
use sharelink_aws::share_table::{IndexedShare, ShareLog, ShareTable, is_log_entry};
use sharelink_aws::{AwsError, Error};
use sharelink_domain::erasure::covers;
use sharelink_domain::log::{self, LogEntry};
use sharelink_domain::notices::{Notice, NoticeKinds};
use sharelink_domain::{IndexHashes, Item, ShareId, SharerKey};
use sharelink_runtime::streams::process_records;
use sharelink_runtime::{Clock, Metrics};
use tokio::time::{Instant, sleep};

use crate::stream_change::{ShareImages, StreamChange};

pub(crate) struct SweepShares {
    pub(crate) clock: Clock,
    /// The bus for the log's entries, if the platform has one.
    pub(crate) event_bus: Option<EventBus>,
    pub(crate) log: ShareLog,
    pub(crate) log_retention: TimeDelta,
    pub(crate) metrics: Metrics,
    /// The kinds of notices that the deployment sends.
    pub(crate) notices: NoticeKinds,
    pub(crate) table: ShareTable,
}

/// The delay before retrying a record while DynamoDB or `EventBridge` is unavailable.
pub(crate) const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The longest time that one attempt can take.
const MAX_ATTEMPT_DURATION: Duration = Duration::from_secs(45);

/// The time after which no new attempt starts, because it might not finish before the function times out.
pub(crate) struct RetryDeadline(Instant);

impl RetryDeadline {
    fn before(function_deadline: SystemTime) -> Self {
        let time_left = function_deadline.duration_since(SystemTime::now()).unwrap_or_default();
        Self(Instant::now() + time_left.saturating_sub(MAX_ATTEMPT_DURATION))
    }

    pub(crate) fn has_passed(&self) -> bool {
        Instant::now() >= self.0
    }
}

/// The reason a record was not processed.
#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error(transparent)]
    Failed(#[from] Error),
    #[error("DynamoDB was unavailable until the retry deadline")]
    DeadlinePassed,
}

impl SweepShares {
    pub(crate) async fn handle(
        &self,
        event: LambdaEvent<Event>,
    ) -> Result<DynamoDbEventResponse, lambda_runtime::Error> {
        let deadline = RetryDeadline::before(event.context.deadline());
        let (entries, changes) =
            event.payload.records.into_iter().partition(|record| is_log_entry(&record.change.keys));
        let mut batch = Event::default();
        batch.records = changes;
        let mut response = process_records(batch, |record| self.sweep(record, &deadline)).await;
        response.batch_item_failures.extend(self.publish(entries, &deadline).await);
        self.metrics.flush();
        Ok(response)
    }

    /// Processes a record, retrying while DynamoDB is unavailable. After the deadline, the batch's remaining
    /// records are not attempted: during an outage, even one attempt per record would take too long.
    async fn sweep(&self, record: EventRecord, deadline: &RetryDeadline) -> Result<(), SweepError> {
        while !deadline.has_passed() {
            match self.attempt(record.clone()).await {
                Err(Error::Aws(AwsError::Unavailable { .. })) => sleep(RETRY_DELAY).await,
                result => return Ok(result?),
            }
        }
        Err(SweepError::DeadlinePassed)
    }

    /// Processes a record once. Every step is idempotent, and no step depends on the order of records.
    async fn attempt(&self, record: EventRecord) -> Result<(), Error> {
        match StreamChange::parse(record, &self.clock)? {
            StreamChange::ShareCreated(share) => {
                self.append(&share, log::entries_for_creation(&share.share)).await?;
                self.table.set_alarm(&share.share).await?;
            }
            StreamChange::ShareChanged(images) => {
                let ShareImages { old, new } = *images;
                self.append(&new, log::entries_for_change(&old, &new.share)).await?;
                if new.share.version != old.version {
                    self.table.set_alarm(&new.share).await?;
                }
            }
            StreamChange::SharePurged { share, at } => {
                self.append(&share, log::entries_for_purge(&share.share, at)).await?;
                self.table.clear_alarm(&share.share).await?;
            }
            StreamChange::AlarmRemoved { item, share } => self.handle_alarm_removal(&item, share).await?,
            StreamChange::AlarmSet => {}
        }
        Ok(())
    }

    /// Logs the expiry of a share whose alarm was removed, if the share has expired. A share that has yet to
    /// expire gets a new alarm. The decision depends only on the share's current state, not on the removed
    /// alarm.
    async fn handle_alarm_removal(&self, item: &Item, id: ShareId) -> Result<(), Error> {
        let Some(share) = self.table.get_indexed(item, id).await? else { return Ok(()) };
        let now = self.clock.now();
        self.append(&share, log::entries_for_expiry(&share.share, now)).await?;
        if share.share.scheduled_expiry().is_some_and(|at| at > now) {
            self.table.set_alarm(&share.share).await?;
        }
        Ok(())
    }

    /// Appends entries to the log, each with the notice to the sharer that follows from it, and removes what
    /// they say about the recipient again if the recipient was erased.
    ///
    /// The order matters. An erasure is recorded before the tables are searched: either the search finds
    /// these entries and notices, or this function finds the erasure.
    async fn append(&self, share: &IndexedShare, entries: Vec<LogEntry>) -> Result<(), Error> {
        for entry in &entries {
            let (log, retention) = (&self.log, self.log_retention);
            match self.notice(entry, share).await? {
                Some((notice, sharer)) => {
                    let (entry, now) = (entry.clone(), self.clock.now());
                    self.table.append_with_notice(log, entry, retention, (&notice, sharer), now).await?;
                }
                None => log.append(&share.share.item, entry.clone(), retention).await?,
            }
        }
        let IndexedShare { share, hashes } = share;
        let Some(hashes) = hashes.as_ref().filter(|_| !entries.is_empty()) else { return Ok(()) };
        if covers(self.table.erased_at(&hashes.recipient).await?, share.created_at) {
            for entry in &entries {
                self.log.remove(&share.item, entry).await?;
            }
            let is_erased = |item: &Item, id| *item == share.item && id == share.id;
            self.table.forget_notices(hashes.sharer, is_erased).await?;
        }
        Ok(())
    }

    /// Returns the notice that follows from an entry, with the hash of the sharer, if the deployment sends
    /// such notices and the sharer wants them.
    async fn notice(
        &self,
        entry: &LogEntry,
        IndexedShare { share, hashes }: &IndexedShare,
    ) -> Result<Option<(Notice, SharerKey)>, AwsError> {
        let notice = Notice::of(entry, share).filter(|notice| self.notices.includes(notice.kind));
        let Some((notice, IndexHashes { sharer, .. })) = notice.zip(*hashes) else { return Ok(None) };
        let wanted = self.table.notice_settings(sharer).await?;
        Ok(wanted.includes(notice.kind).then_some((notice, sharer)))
    }
}
