//! Makes archives: one ZIP file with all files of a share. Most bytes never pass through this function,
//! because S3 copies them.

mod archive_files;
mod event;
mod parts;
mod run;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use sharelink_aws::archives::{ArchiveBucket, ArchiveQueue};
use sharelink_aws::load_config;
use sharelink_aws::share_table::ShareTable;
use sharelink_runtime::{Clock, Metrics, required, start_logging};

use archive_files::ArchiveFiles;
use event::QueueEvent;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    start_logging();
    let config = load_config()?;
    let archive_files = ArchiveFiles {
        bucket: ArchiveBucket::new(&config, required("FILES_BUCKET")?, required("ARCHIVE_BUCKET")?),
        clock: Clock::from_env(),
        metrics: Metrics::start(env!("CARGO_PKG_NAME"))?,
        queue: ArchiveQueue::new(&config, required("ARCHIVE_QUEUE_URL")?),
        table: ShareTable::new(&config, required("TABLE_NAME")?),
    };
    let archive_files = &archive_files;
    run(service_fn(|event: LambdaEvent<QueueEvent>| Box::pin(archive_files.handle(event)))).await
}
