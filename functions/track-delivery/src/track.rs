//! From a report of SES to the share that it is about.

use lambda_runtime::Error;
use serde_json::Value;
use sharelink_aws::share_table::ShareTable;
use sharelink_aws::{AwsError, new_write_id};
use sharelink_domain::Share;
use sharelink_runtime::Metrics;

use crate::report::Report;

pub(crate) struct TrackDelivery {
    pub(crate) metrics: Metrics,
    pub(crate) table: ShareTable,
}

impl TrackDelivery {
    /// Fails only for what may pass: Lambda invokes again. What is no report on an email of ours is ignored.
    pub(crate) async fn handle(&self, event: Value) -> Result<(), Error> {
        let handled = self.track(event).await;
        self.metrics.flush();
        Ok(handled?)
    }

    async fn track(&self, event: Value) -> Result<(), AwsError> {
        let report = match Report::read(event) {
            Ok(report) => report,
            Err(error) => {
                tracing::warn!(%error, "an event was ignored");
                return Ok(());
            }
        };
        let Report { email, event, at } = report;
        let decide = |share: &Share| share.with_delivery_report(&email, event, at);
        let noted = self.table.report(&email.item, email.share, new_write_id()?, decide).await;
        let noted = noted.inspect_err(|error| tracing::error!(%error, "a report could not be noted"))?;
        if noted {
            metrics::counter!("EmailReports", "Event" => event.name()).increment(1);
        }
        // Late, repeated, of an earlier email, or of a share that is gone.
        tracing::info!(event = event.name(), attempt = email.attempt, noted, "a report was handled");
        Ok(())
    }
}
