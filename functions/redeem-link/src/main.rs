//! `GET` and `HEAD /s/{token}` and `/s/{token}/files/{n}`: answers a recipient's link with the shared files.
//! No login: the link is the key.

mod pages;
mod redeem;
mod texts;

use sharelink_aws::files::FileStore;
use sharelink_aws::key_ring_cache::KeyRingCache;
use sharelink_aws::share_table::ShareTable;
use sharelink_aws::{load_config, within};
use sharelink_http::run;
use sharelink_runtime::{Clock, Metrics, required, start_logging};

use redeem::{FILE_LIMIT, RING_LIMIT, RedeemLink, SHARE_LIMIT};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    start_logging();
    let metrics = Metrics::start(env!("CARGO_PKG_NAME"))?;
    let config = load_config()?;
    let clock = Clock::from_env();
    let limited = |limit| within(&config, limit);
    let (for_ring, for_share, for_file) = (limited(RING_LIMIT), limited(SHARE_LIMIT), limited(FILE_LIMIT));
    // All at once: while one waits for AWS, the next is made.
    let (key_ring_cache, table, files) = tokio::join!(
        KeyRingCache::fetched(&for_ring, required("KEY_RING_SECRET")?, clock.now()),
        ShareTable::connected(&for_share, required("TABLE_NAME")?),
        FileStore::connected(&for_file, required("FILES_BUCKET")?),
    );
    let redeem_link = RedeemLink { clock, files, key_ring_cache, table };
    run(&metrics, |request| redeem_link.handle(request)).await
}
