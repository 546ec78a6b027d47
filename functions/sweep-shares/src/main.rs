//! Updates the share log and the expiry alarms from the table's stream, and publishes the log's entries, from
//! the log's stream, as events.

mod publish;
mod stream_change;
mod sweep;

use aws_lambda_events::dynamodb::Event;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use sharelink_aws::event_bus::EventBus;
use sharelink_aws::load_config;
use sharelink_aws::share_table::{ShareLog, ShareTable};
use sharelink_runtime::{
    Clock, Metrics, optional, required, required_days, required_or_empty, start_logging,
};

use sweep::SweepShares;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    start_logging();
    let config = load_config()?;
    let table = ShareTable::new(&config, required("TABLE_NAME")?);
    let sweep_shares = SweepShares {
        clock: Clock::from_env(),
        event_bus: optional("EVENT_BUS").map(|name| EventBus::new(&config, name)),
        metrics: Metrics::start(env!("CARGO_PKG_NAME"))?,
        log: ShareLog::beside(&table, required("LOG_TABLE_NAME")?),
        log_retention: required_days("LOG_RETENTION_DAYS")?,
        notices: required_or_empty("NOTICES")?.parse()?,
        table,
    };
    let sweep_shares = &sweep_shares;
    run(service_fn(|event: LambdaEvent<Event>| sweep_shares.handle(event))).await
}
