//! `GET` and `HEAD` for `/s/{token}`, `/s/{token}/files/{n}`, `/s/{token}/archive` and every other path under
//! `/s/`: redeem a recipient's link for the shared files. No login is required: the link itself grants access.
//!
//! `POST /s/{token}/more-time` asks the sharer for more time, and `/s/{token}/emails…` stops emails about the
//! share, or allows them again.

mod archive;
mod choices;
mod file_kind;
mod look;
mod pages;
mod path;
#[cfg(test)]
mod previews;
mod purpose;
mod redeem;
mod texts;

use sharelink_aws::brand::load_brand;
use sharelink_aws::files::FileStore;
use sharelink_aws::key_ring_cache::KeyRingCache;
use sharelink_aws::share_table::ShareTable;
use sharelink_aws::switch_cache::SwitchCache;
use sharelink_aws::{load_config, load_key_layout, with_timeout};
use sharelink_domain::Language;
use sharelink_http::run;
use sharelink_runtime::{Clock, Metrics, required, required_bool, start_logging};

use archive::Archives;
use look::Look;
use redeem::{FILE_TIMEOUT, KEY_RING_TIMEOUT, RedeemLink, SHARE_TIMEOUT};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    start_logging();
    let metrics = Metrics::start(env!("CARGO_PKG_NAME"))?;
    let config = load_config()?;
    let clock = Clock::from_env();
    let [key_ring_config, table_config, file_config] =
        [KEY_RING_TIMEOUT, SHARE_TIMEOUT, FILE_TIMEOUT].map(|limit| with_timeout(&config, limit));
    let table = ShareTable::with_connections(&table_config, required("TABLE_NAME")?);
    // Create the clients concurrently: while one waits for AWS, the next one is created.
    let (key_ring_cache, switches, files) = tokio::join!(
        KeyRingCache::fetched(&key_ring_config, required("KEY_RING_SECRET")?, clock.now()),
        SwitchCache::fetched(&table, clock.now()),
        FileStore::connected(&file_config, required("FILES_BUCKET")?),
    );
    let redeem_link = RedeemLink {
        archives: Archives::from_env(&file_config, &table)?,
        always_shows_page: required_bool("ALWAYS_SHOW_PAGE")?,
        clock,
        default_language: Language::parse(&required("DEFAULT_LANGUAGE")?)?,
        ended_page_names_sharer: required_bool("ENDED_PAGE_NAMES_SHARER")?,
        files,
        key_layout: load_key_layout()?,
        key_ring_cache,
        logs_use_sources: required_bool("LOG_USE_SOURCES")?,
        look: Look::new(load_brand().map_err(|error| error.to_string())?)?,
        switches,
        table,
    };
    run(&metrics, |request| redeem_link.handle(request)).await
}
