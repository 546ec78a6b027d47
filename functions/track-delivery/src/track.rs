//! Applies delivery reports to shares.

use lambda_runtime::Error;
use serde_json::Value;
use sharelink_aws::new_write_id;
use sharelink_aws::share_table::ShareTable;
use sharelink_domain::Share;
use sharelink_runtime::Metrics;

use crate::report::DeliveryReport;

pub(crate) struct TrackDelivery {
    pub(crate) metrics: Metrics,
    pub(crate) table: ShareTable,
}

impl TrackDelivery {
    /// Handles an event. Fails if the report could not be applied, so that Lambda retries the event. Ignores
    /// an event that is not a report about a Sharelink email.
    pub(crate) async fn handle(&self, event: Value) -> Result<(), Error> {
        let result = self.track(event).await;
        self.metrics.flush();
        Ok(result?)
    }

    async fn track(&self, event: Value) -> Result<(), sharelink_aws::Error> {
        let report = match DeliveryReport::parse(event) {
            Ok(report) => report,
            Err(reason) => {
                tracing::warn!(%reason, "an event was ignored");
                return Ok(());
            }
        };
        let DeliveryReport { email, event, at } = report;
        let decide = |share: &Share| share.with_delivery_report(&email, event, at);
        let applied = self
            .table
            .apply_report(&email.item, email.share, new_write_id()?, decide)
            .await
            .inspect_err(|error| tracing::error!(%error, "a delivery report could not be applied"))?;
        if applied {
            metrics::counter!("EmailReports", "Event" => event.name()).increment(1);
        }
        // A report is not applied if it is outdated or repeated, if it is about an earlier email, or if its
        // share has been purged.
        tracing::info!(
            event = event.name(),
            attempt = email.attempt,
            applied,
            "a delivery report was handled"
        );
        Ok(())
    }
}
