//! The resources of a deployment.

use anyhow::{Context, Result, ensure};
use clap::Args;
use sharelink_aws::failure_queue::FailureQueue;
use sharelink_aws::share_table::{ShareLog, ShareTable};
use sharelink_aws::stored_key::{StoredHashKey, StoredIndexKey};
use sharelink_aws::{AwsConfig, load_config};

/// The resources that contain addresses.
#[derive(Args)]
#[group(id = "deployment")]
pub(crate) struct Options {
    /// The deployment's table of shares (output `TableName`)
    #[arg(long, value_name = "TABLE")]
    pub(crate) table: String,
    /// The deployment's table of the share log (output `LogTableName`)
    #[arg(long, value_name = "TABLE")]
    log_table: String,
    /// The secret with the key of the indexes' hashes (resource `IndexKey`)
    #[arg(long, value_name = "SECRET")]
    pub(crate) index_key: String,
    /// The secret with the key of the counters' hashes (resource `HashKey`)
    #[arg(long, value_name = "SECRET")]
    hash_key: String,
    /// The queue of failed SES reports (output `TrackFailuresUrl`)
    #[arg(long, value_name = "URL")]
    track_failures: String,
}

/// A deployment's resources that contain addresses.
pub(crate) struct Deployment {
    pub(crate) shares: ShareTable,
    pub(crate) log: ShareLog,
    pub(crate) reports: FailureQueue,
    pub(crate) index_key: StoredIndexKey,
    pub(crate) hash_key: StoredHashKey,
}

impl Deployment {
    pub(crate) async fn open(options: Options) -> Result<Self> {
        ensure!(options.table != options.log_table, "--table and --log-table must be different tables");
        ensure!(
            options.index_key != options.hash_key,
            "--index-key and --hash-key must be different secrets"
        );
        let config = load_config()?;
        let shares = ShareTable::new(&config, options.table);
        Ok(Self {
            log: ShareLog::beside(&shares, options.log_table),
            shares,
            reports: FailureQueue::new(&config, options.track_failures),
            index_key: open_index_key(&config, &options.index_key).await?,
            hash_key: fetched(StoredHashKey::fetched(&config, options.hash_key).await).await?,
        })
    }
}

/// Fetches the key of the indexes' hashes.
pub(crate) async fn open_index_key(config: &AwsConfig, secret: &str) -> Result<StoredIndexKey> {
    let key = StoredIndexKey::fetched(config, secret).await;
    key.get_or_fetch().await.context("the secret --index-key cannot be read")?;
    Ok(key)
}

async fn fetched(key: StoredHashKey) -> Result<StoredHashKey> {
    key.get_or_fetch().await.context("the secret --hash-key cannot be read")?;
    Ok(key)
}
