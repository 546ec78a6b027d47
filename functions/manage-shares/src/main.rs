//! The Manage Link Access dialog: an item's shares and their log, and whatever is done to one of them.

mod manage;
mod parameters;
mod permissions;
mod problems;

use sharelink_aws::links::Links;
use sharelink_aws::load_config;
use sharelink_aws::parameters::PublicBaseUrl;
use sharelink_aws::share_table::ShareTable;
use sharelink_http::{Authorization, run};
use sharelink_runtime::{Clock, days, optional, required, start_logging};

use manage::ManageShares;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    start_logging();
    let config = load_config().await;
    let base_url =
        PublicBaseUrl::new(&config, optional("PUBLIC_BASE_URL"), required("PUBLIC_BASE_URL_PARAMETER")?);
    let manage_shares = ManageShares {
        authorization: Authorization::from_env()?,
        clock: Clock::from_env(),
        links: Links::new(&config, required("KEY_RING_SECRET")?, base_url),
        retention: days("RETENTION_DAYS")?,
        table: ShareTable::new(&config, required("TABLE_NAME")?),
    };
    run(|request| manage_shares.handle(request)).await
}
