//! `cargo operator list`.

use anyhow::Result;
use clap::{Args, ValueEnum};
use sharelink_domain::{Share, Status, Timestamp};

use crate::selection::{self, Selection, path};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    selection: selection::Options,
    /// Only the shares with this status
    #[arg(long, value_name = "STATUS")]
    status: Option<StatusName>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StatusName {
    Active,
    Inactive,
}

const COLUMNS: &str = "share\tstatus\tcreated\texpires\topens\tdownloads\trecipient\tsharer";

pub(crate) async fn run(options: Options) -> Result<()> {
    let selection = Selection::open(options.selection).await?;
    let now = selection.clock.now();
    println!("{COLUMNS}");
    let mut count = 0_u64;
    selection
        .for_each_page(async |shares| {
            for share in shares.iter().filter(|share| has_status(share, options.status, now)) {
                println!("{}", line(share, now));
                count += 1;
            }
            Ok(())
        })
        .await?;
    eprintln!("{count} shares");
    Ok(())
}

fn has_status(share: &Share, status: Option<StatusName>, now: Timestamp) -> bool {
    let is_active = share.status(now) == Status::Active;
    status.is_none_or(|status| (status == StatusName::Active) == is_active)
}

fn line(share: &Share, now: Timestamp) -> String {
    let status = match share.status(now) {
        Status::Active => "active",
        Status::Inactive(_) if share.revoked_at.is_some() => "revoked",
        Status::Inactive(_) => "expired",
    };
    let time = |at: Timestamp| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    // A subject may contain characters that a terminal obeys.
    let sharer = share.created_by.sub.escape_debug();
    [
        path(share),
        status.to_owned(),
        time(share.created_at),
        time(share.expires_at),
        share.usage.opens.to_string(),
        share.usage.downloads.to_string(),
        share.recipient.as_str().to_owned(),
        sharer.to_string(),
    ]
    .join("\t")
}

#[cfg(test)]
mod tests {
    use sharelink_domain::testing::{ShareBuilder, ann, sharer, time};

    use super::*;

    #[test]
    fn line_has_all_columns_and_no_control_characters() {
        let share = ShareBuilder::new().sharer(sharer("a\tb\u{1b}[2J")).build();
        let revoked = share.revoked(&ann()).unwrap();
        let line = line(&revoked, time("2026-03-10T12:30:00Z"));
        assert_eq!(line.split('\t').count(), COLUMNS.split('\t').count());
        assert!(line.contains("\trevoked\t2026-03-10T12:00:00Z\t") && !line.contains('\u{1b}'), "{line}");
    }
}
