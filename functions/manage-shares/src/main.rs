//! The Manage Link Access dialog: an item's shares and their log, and whatever is done to one of them.

mod manage;
mod parameters;
mod permissions;
mod problems;

use sharelink_aws::key_ring_cache::KeyRingCache;
use sharelink_aws::links::LinkBuilder;
use sharelink_aws::load_config;
use sharelink_aws::parameters::PublicBaseUrl;
use sharelink_aws::share_table::ShareTable;
use sharelink_http::{Authorization, run};
use sharelink_runtime::{Clock, Metrics, required, required_days, start_logging};

use manage::ManageShares;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    start_logging();
    let metrics = Metrics::start(env!("CARGO_PKG_NAME"))?;
    let config = load_config()?;
    let base_url = PublicBaseUrl::new(&config, required("PUBLIC_BASE_URL_PARAMETER")?);
    let clock = Clock::from_env();
    let (key_ring_cache, table) = tokio::join!(
        KeyRingCache::fetched(&config, required("KEY_RING_SECRET")?, clock.now()),
        ShareTable::connected(&config, required("TABLE_NAME")?),
    );
    let manage_shares = ManageShares {
        authorization: Authorization::from_env()?,
        clock,
        links: LinkBuilder::new(key_ring_cache, base_url),
        retention: required_days("RETENTION_DAYS")?,
        table,
    };
    run(&metrics, |request| manage_shares.handle(request)).await
}
