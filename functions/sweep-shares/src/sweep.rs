//! From a record of the stream to what it means for the log and for the alarms.

use std::time::{Duration, SystemTime};

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::DynamoDbEventResponse;
use chrono::TimeDelta;
use lambda_runtime::{Error, LambdaEvent};
use sharelink_aws::AwsError;
use sharelink_aws::share_table::{DecodeError, ShareTable, parse_alarm_keys, parse_share_image};
use sharelink_domain::log::{self, LogEntry};
use sharelink_domain::{Item, Share, ShareId, Timestamp};
use sharelink_runtime::streams::process_records;
use sharelink_runtime::{Clock, Metrics};
use thiserror::Error;
use tokio::time::{Instant, sleep};

pub(crate) struct SweepShares {
    pub(crate) clock: Clock,
    pub(crate) log_retention: TimeDelta,
    pub(crate) metrics: Metrics,
    pub(crate) table: ShareTable,
}

/// How long to wait for DynamoDB before it is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a last try may take.
const LAST_TRY: Duration = Duration::from_secs(45);

/// How long DynamoDB is waited for.
struct Patience(Instant);

impl Patience {
    /// So long that a last try fits in before the function's time is up.
    fn until(deadline: SystemTime) -> Self {
        let left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
        Self(Instant::now() + left.saturating_sub(LAST_TRY))
    }

    fn is_left(&self) -> bool {
        Instant::now() < self.0
    }
}

/// Why a record was not swept.
#[derive(Debug, Error)]
enum SweepError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("DynamoDB has not answered for long")]
    Late,
}

/// What a record tells of.
enum Change {
    Created(Box<Share>),
    /// From what it was to what it is.
    Changed(Box<(Share, Share)>),
    /// At this time.
    Purged(Box<Share>, Timestamp),
    /// A share's alarm has gone off, or was taken away.
    Alarm(Item, ShareId),
    /// An alarm was set.
    Nothing,
}

impl SweepShares {
    pub(crate) async fn handle(&self, event: LambdaEvent<Event>) -> Result<DynamoDbEventResponse, Error> {
        let patience = Patience::until(event.context.deadline());
        let response = process_records(event.payload, |record| self.sweep(record, &patience)).await;
        self.metrics.flush();
        Ok(response)
    }

    /// Sweeps a record, and waits for DynamoDB while there is time. Once there is none, the batch's other records are
    /// not tried: where nothing answers, even one try of each would take too long.
    async fn sweep(&self, record: EventRecord, patience: &Patience) -> Result<(), SweepError> {
        while patience.is_left() {
            match self.sweep_once(record.clone()).await {
                Err(AwsError::Unavailable { .. }) => sleep(PAUSE).await,
                swept => return Ok(swept?),
            }
        }
        Err(SweepError::Late)
    }

    /// Each step is the same when it is taken again, and none depends on the order of records.
    async fn sweep_once(&self, record: EventRecord) -> Result<(), AwsError> {
        match self.read(record)? {
            Change::Created(share) => {
                self.log(&share.item, log::entries_for_creation(&share)).await?;
                self.table.set_alarm(&share).await?;
            }
            Change::Changed(images) => {
                let (old, new) = *images;
                self.log(&new.item, log::entries_for_change(&old, &new)).await?;
                if new.version != old.version {
                    self.table.set_alarm(&new).await?;
                }
            }
            Change::Purged(share, at) => {
                self.log(&share.item, log::entries_for_purge(&share, at)).await?;
                self.table.clear_alarm(&share).await?;
            }
            Change::Alarm(item, id) => self.look(&item, id).await?,
            Change::Nothing => {}
        }
        Ok(())
    }

    fn read(&self, record: EventRecord) -> Result<Change, DecodeError> {
        let change = record.change;
        let removed = record.event_name == "REMOVE";
        if let Some((item, id)) = parse_alarm_keys(change.keys)? {
            return Ok(if removed { Change::Alarm(item, id) } else { Change::Nothing });
        }
        if removed {
            let at = self.clock.adjust(change.approximate_creation_date_time);
            return Ok(Change::Purged(Box::new(parse_share_image(change.old_image)?), at));
        }
        let new = parse_share_image(change.new_image)?;
        if record.event_name == "INSERT" {
            return Ok(Change::Created(Box::new(new)));
        }
        Ok(Change::Changed(Box::new((parse_share_image(change.old_image)?, new))))
    }

    /// Looks at a share whose alarm is gone: it is asked what is true now, whatever the alarm was set for and
    /// whoever took it away. One that is still to expire gets its alarm back.
    async fn look(&self, item: &Item, id: ShareId) -> Result<(), AwsError> {
        let Some(share) = self.table.get(item, id).await? else { return Ok(()) };
        let now = self.clock.now();
        self.log(item, log::entries_for_expiry(&share, now)).await?;
        if share.scheduled_expiry().is_some_and(|at| at > now) {
            self.table.set_alarm(&share).await?;
        }
        Ok(())
    }

    async fn log(&self, item: &Item, entries: Vec<LogEntry>) -> Result<(), AwsError> {
        for entry in entries {
            self.table.append_to_log(item, entry, self.log_retention).await?;
        }
        Ok(())
    }
}
