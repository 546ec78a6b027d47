//! `cargo operator export`.

use std::fs::OpenOptions;
use std::io::{Write, stdout};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use sharelink_aws::share_table::{Export, PersonKeys};
use sharelink_domain::EmailAddress;
use sharelink_runtime::Clock;

use crate::deployment::{self, Deployment};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    deployment: deployment::Options,
    /// Exports what is kept about this recipient
    #[arg(long, value_name = "ADDRESS")]
    recipient: EmailAddress,
    /// The file to create, readable only by its owner. The default is the standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let mut output: Box<dyn Write> = match &options.output {
        None => Box::new(stdout().lock()),
        // A file that exists may be readable by others.
        Some(path) => {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            Box::new(file.with_context(|| format!("{} cannot be created", path.display()))?)
        }
    };
    let deployment = Deployment::open(options.deployment).await?;
    let keys = PersonKeys {
        index: deployment.index_key.get_or_fetch().await?,
        counters: deployment.hash_key.get_or_fetch().await?,
    };
    let export = Export::collect(
        (&deployment.shares, &deployment.log),
        &deployment.reports,
        keys,
        &options.recipient,
        Clock::from_env().now(),
        |count| eprintln!("so far: {count} shares and log entries"),
    );
    let export = export.await?;
    serde_json::to_writer_pretty(&mut output, &export)?;
    writeln!(output)?;
    output.flush()?;
    eprintln!("{} shares and {} log entries", export.shares.len(), export.log_entries.len());
    Ok(())
}
