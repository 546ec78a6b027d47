//! Applies SES delivery events to shares: deliveries, rejections, bounces and complaints.

mod report;
mod track;

use lambda_runtime::{LambdaEvent, run, service_fn};
use serde_json::Value;
use sharelink_aws::load_config;
use sharelink_aws::share_table::ShareTable;
use sharelink_runtime::{Metrics, required, start_logging};

use track::TrackDelivery;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start_logging();
    let config = load_config()?;
    let track_delivery = TrackDelivery {
        metrics: Metrics::start(env!("CARGO_PKG_NAME"))?,
        table: ShareTable::new(&config, required("TABLE_NAME")?),
    };
    let track_delivery = &track_delivery;
    run(service_fn(|event: LambdaEvent<Value>| track_delivery.handle(event.payload))).await
}
