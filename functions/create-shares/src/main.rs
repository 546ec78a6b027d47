//! `POST /modules/{module}/items/{item}/shares`: shares an item's files, with one share per recipient.
//! `GET /modules/{module}/items/{item}/files`: lists the item's shareable files and their sizes.

mod body;
mod create;
mod files;
mod item_source;
mod results;

use sharelink_aws::email_limits::load_email_limits;
use sharelink_aws::load_config;
use sharelink_aws::share_rules::load_share_rules;
use sharelink_aws::share_table::ShareTable;
use sharelink_aws::stored_key::{StoredHashKey, StoredIndexKey};
use sharelink_aws::switch_cache::SwitchCache;
use sharelink_domain::Language;
use sharelink_http::{Authorization, run_with_callers};
use sharelink_runtime::{Clock, Metrics, required, required_days, required_number, start_logging};

use create::CreateShares;
use item_source::ItemSource;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    start_logging();
    let metrics = Metrics::start(env!("CARGO_PKG_NAME"))?;
    let config = load_config()?;
    let clock = Clock::from_env();
    let table = ShareTable::with_connections(&config, required("TABLE_NAME")?);
    let (switches, items, hash_key, index_key) = tokio::join!(
        SwitchCache::fetched(&table, clock.now()),
        ItemSource::from_env(&config),
        StoredHashKey::fetched(&config, required("HASH_KEY_SECRET")?),
        StoredIndexKey::fetched(&config, required("INDEX_KEY_SECRET")?),
    );
    let create_shares = CreateShares {
        authorization: Authorization::from_env()?,
        clock,
        default_language: Language::parse(&required("DEFAULT_LANGUAGE")?)?,
        default_reminder: u64::from(required_number("REMINDER_DAYS")?).try_into()?,
        email_limits: load_email_limits()?,
        hash_key,
        index_key,
        items: items?,
        retention: required_days("RETENTION_DAYS")?,
        rules: load_share_rules()?,
        switches,
        table,
    };
    run_with_callers(
        &metrics,
        || create_shares.hash_key.get_for_log(),
        |request| create_shares.handle(request),
    )
    .await
}
