//! The Manage Link Access dialog: lists, reads, changes and revokes an item's shares.

mod manage;
mod permissions;

use sharelink_aws::load_config;
use sharelink_aws::share_table::ShareTable;
use sharelink_http::{Authorization, run};
use sharelink_runtime::{Clock, days, required, start_logging};

use manage::ManageShares;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    start_logging();
    let config = load_config().await;
    let manage_shares = ManageShares {
        authorization: Authorization::from_env()?,
        clock: Clock::from_env(),
        retention: days("RETENTION_DAYS")?,
        table: ShareTable::new(&config, required("TABLE_NAME")?),
    };
    run(|request| manage_shares.handle(request)).await
}
