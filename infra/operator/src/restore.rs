//! `cargo operator restore`.

use std::num::NonZeroU32;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use clap::{Args, value_parser};
use sharelink_aws::load_config;
use sharelink_aws::share_table::{Restore, RestoreOptions, RestoreSummary, ShareLog, ShareTable};
use sharelink_domain::Item;
use sharelink_domain::restore::{Policy, Unconfirmed};
use sharelink_runtime::Clock;

use crate::deployment::open_index_key;

#[derive(Args)]
pub(crate) struct Options {
    /// The table of shares that was restored from a backup
    #[arg(long, value_name = "TABLE")]
    from: String,
    /// The deployment's table of shares
    #[arg(long, value_name = "TABLE")]
    to: String,
    /// The table of the share log that was restored from a backup, if log entries were lost too
    #[arg(long, value_name = "TABLE")]
    log_from: Option<String>,
    /// The deployment's table of the share log
    #[arg(long, value_name = "TABLE")]
    log_to: String,
    /// The secret with the key of the indexes' hashes (resource `IndexKey`), to leave out who was erased since
    #[arg(long, value_name = "SECRET")]
    index_key: String,
    /// Restores only this item; may be repeated
    #[arg(long = "item", value_name = "MODULE/ITEM", value_parser = Item::parse)]
    items: Vec<Item>,
    /// Counts the rows that would be written, and writes nothing
    #[arg(long)]
    dry_run: bool,
    /// Keeps access to shares whose log does not show their last state. Safe only if no share was revoked or
    /// changed between the backup and the loss
    #[arg(long)]
    trust_backup: bool,
    /// The deployment's parameter `LogRetentionDays`
    #[arg(long, value_name = "DAYS", default_value = "365")]
    #[arg(value_parser = value_parser!(u32).range(1..=3650))]
    log_retention_days: u32,
    /// The maximum number of rows to write per second
    #[arg(long, value_name = "ROWS", default_value = "50")]
    max_writes_per_second: NonZeroU32,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    ensure!(options.from != options.to, "--from and --to must be different tables");
    let is_same_log = options.log_from.as_ref() == Some(&options.log_to);
    ensure!(!is_same_log, "--log-from and --log-to must be different tables");
    let config = load_config()?;
    let index_key = open_index_key(&config, &options.index_key).await?;
    let backup = ShareTable::new(&config, options.from);
    let live = ShareTable::new(&config, options.to);
    let live_log = ShareLog::beside(&live, options.log_to);
    let backup_log = options.log_from.map(|name| ShareLog::beside(&backup, name));
    let unconfirmed = if options.trust_backup { Unconfirmed::Trust } else { Unconfirmed::Revoke };
    let settings = RestoreOptions {
        policy: Policy { unconfirmed, now: Clock::from_env().now() },
        log_retention: TimeDelta::days(options.log_retention_days.into()),
        max_writes_per_second: options.max_writes_per_second,
        is_dry_run: options.dry_run,
    };
    let key = index_key.get_or_fetch().await?;
    let mut restore = Restore::new(&live, &live_log, &backup, key, settings);
    let restored = async {
        if let Some(backup_log) = &backup_log {
            restore.log_from(backup_log, &options.items, print_progress).await?;
        }
        restore.shares(&options.items, print_progress).await
    };
    restored.await.context("the restore stopped; if the cause is temporary, run the command again")?;
    println!("{}", describe(&restore.summary(), options.dry_run));
    Ok(())
}

fn print_progress(summary: &RestoreSummary) {
    let shares = summary.restored + summary.restored_as_revoked;
    eprintln!("so far: {shares} shares and {} log entries", summary.log_entries);
}

fn describe(summary: &RestoreSummary, is_dry_run: bool) -> String {
    let title = if is_dry_run { "Dry run: nothing was written" } else { "Restored" };
    let numbers = [
        ("shares restored in their last known state", summary.restored),
        (
            "shares restored as revoked, with a new link: they may have changed since",
            summary.restored_as_revoked,
        ),
        ("log entries restored", summary.log_entries),
        ("shares left as they are", summary.intact),
        ("shares skipped: they have a newer link", summary.replaced),
        ("shares skipped: their retention period has ended", summary.retention_ended),
        ("shares skipped: unreadable in the backup", summary.unreadable),
        ("shares and log entries skipped: their recipient was erased", summary.erased),
        ("switches copied that are off", summary.switches),
        ("switches off in the backup and on now; see operations.md", summary.switches_left),
        ("shares not written: in use or throttled; run the command again", summary.not_written),
    ];
    crate::describe(title, &numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_has_a_line_for_each_number() {
        let summary = RestoreSummary { restored: 12, restored_as_revoked: 3, ..RestoreSummary::default() };
        let text = describe(&summary, true);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "Dry run: nothing was written");
        assert_eq!(lines[1], "        12  shares restored in their last known state");
        assert_eq!(lines.len(), 12);
    }
}
