//! The routes behind the Manage Link Access dialog: an item's shares, changes to them, and the share log. And
//! the lists of all items' shares, and changes to many shares together.

mod all_shares;
mod bulk;
mod bulk_expiration;
mod bulk_revoke;
mod csv;
mod email_limits;
mod link;
mod notice_settings;
mod parameters;
mod problems;
mod renew;
mod resend;
mod revoke;
mod router;
mod share_log;
mod share_permission;
mod share_rules;
mod shares;
mod suggestions;
mod switches;

use sharelink_aws::base_url::PublicBaseUrl;
use sharelink_aws::email_limits::load_email_limits;
use sharelink_aws::item_resolver::ItemResolver;
use sharelink_aws::key_ring_cache::KeyRingCache;
use sharelink_aws::link_builder::LinkBuilder;
use sharelink_aws::load_config;
use sharelink_aws::share_rules::load_share_rules;
use sharelink_aws::share_table::{ShareLog, ShareTable};
use sharelink_aws::stored_key::{StoredHashKey, StoredIndexKey};
use sharelink_aws::switch_cache::SwitchCache;
use sharelink_domain::Language;
use sharelink_http::{Authorization, run_with_callers};
use sharelink_runtime::{
    Clock, Metrics, optional, required, required_bool, required_days, required_number, required_or_empty,
    required_positive_number, start_logging,
};

use router::ManageShares;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    start_logging();
    let metrics = Metrics::start(env!("CARGO_PKG_NAME"))?;
    let config = load_config()?;
    let base_url = PublicBaseUrl::new(&config, required("PUBLIC_BASE_URL_PARAMETER")?);
    let clock = Clock::from_env();
    let table = ShareTable::with_connections(&config, required("TABLE_NAME")?);
    let (key_ring_cache, switches, hash_key, index_key) = tokio::join!(
        KeyRingCache::fetched(&config, required("KEY_RING_SECRET")?, clock.now()),
        SwitchCache::fetched(&table, clock.now()),
        StoredHashKey::fetched(&config, required("HASH_KEY_SECRET")?),
        StoredIndexKey::fetched(&config, required("INDEX_KEY_SECRET")?),
    );
    let manage_shares = ManageShares {
        authorization: Authorization::from_env()?,
        clock,
        default_access_days: required_positive_number("DEFAULT_ACCESS_DAYS")?,
        default_language: Language::parse(&required("DEFAULT_LANGUAGE")?)?,
        email_limits: load_email_limits()?,
        hash_key,
        index_key,
        item_resolver: optional("ITEM_RESOLVER").map(|function| ItemResolver::for_access(&config, function)),
        links: LinkBuilder::new(key_ring_cache, base_url),
        log: ShareLog::beside(&table, required("LOG_TABLE_NAME")?),
        notices: required_or_empty("NOTICES")?.parse()?,
        reminder_days: u64::from(required_number("REMINDER_DAYS")?).try_into()?,
        retention: required_days("RETENTION_DAYS")?,
        rules: load_share_rules()?,
        suggests_recipients: required_bool("SUGGEST_RECIPIENTS")?,
        switches,
        table,
    };
    run_with_callers(
        &metrics,
        || manage_shares.hash_key.get_for_log(),
        |request| manage_shares.handle(request),
    )
    .await
}
