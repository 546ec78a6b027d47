//! The routes behind the Manage Link Access dialog: an item's shares, changes to them, and the share log.

mod email_limits;
mod link;
mod parameters;
mod problems;
mod renew;
mod resend;
mod revoke;
mod router;
mod share_log;
mod share_permission;
mod shares;

use sharelink_aws::base_url::PublicBaseUrl;
use sharelink_aws::email_limits::load_email_limits;
use sharelink_aws::item_resolver::ItemResolver;
use sharelink_aws::key_ring_cache::KeyRingCache;
use sharelink_aws::link_builder::LinkBuilder;
use sharelink_aws::load_config;
use sharelink_aws::share_table::{ShareLog, ShareTable};
use sharelink_aws::stored_hash_key::StoredHashKey;
use sharelink_http::{Authorization, run_with_callers};
use sharelink_runtime::{Clock, Metrics, optional, required, required_days, start_logging};

use router::ManageShares;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    start_logging();
    let metrics = Metrics::start(env!("CARGO_PKG_NAME"))?;
    let config = load_config()?;
    let base_url = PublicBaseUrl::new(&config, required("PUBLIC_BASE_URL_PARAMETER")?);
    let clock = Clock::from_env();
    let (key_ring_cache, table, hash_key) = tokio::join!(
        KeyRingCache::fetched(&config, required("KEY_RING_SECRET")?, clock.now()),
        ShareTable::connected(&config, required("TABLE_NAME")?),
        StoredHashKey::fetched(&config, required("HASH_KEY_SECRET")?),
    );
    let manage_shares = ManageShares {
        authorization: Authorization::from_env()?,
        clock,
        email_limits: load_email_limits()?,
        hash_key,
        item_resolver: optional("ITEM_RESOLVER").map(|function| ItemResolver::for_access(&config, function)),
        links: LinkBuilder::new(key_ring_cache, base_url),
        log: ShareLog::beside(&table, required("LOG_TABLE_NAME")?),
        retention: required_days("RETENTION_DAYS")?,
        table,
    };
    run_with_callers(
        &metrics,
        || manage_shares.hash_key.get_for_log(),
        |request| manage_shares.handle(request),
    )
    .await
}
