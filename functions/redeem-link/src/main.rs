//! `GET` and `HEAD /s/{token}` and `/s/{token}/files/{n}`: answers a recipient's link with the shared files.
//! No login: the link is the key.

mod pages;
mod redeem;

use sharelink_aws::files::FileStore;
use sharelink_aws::key_rings::KeyRings;
use sharelink_aws::load_config;
use sharelink_aws::share_table::ShareTable;
use sharelink_http::run;
use sharelink_runtime::{Clock, required, start_logging};

use redeem::RedeemLink;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    start_logging();
    let config = load_config().await;
    let redeem_link = RedeemLink {
        clock: Clock::from_env(),
        files: FileStore::new(&config, required("FILES_BUCKET")?),
        key_rings: KeyRings::new(&config, required("KEY_RING_SECRET")?),
        table: ShareTable::new(&config, required("TABLE_NAME")?),
    };
    redeem_link.warm_up().await;
    run(|request| redeem_link.handle(request)).await
}
