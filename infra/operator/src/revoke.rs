//! `cargo operator revoke`.

use anyhow::Result;
use clap::Args;

use crate::change::{Operator, change_all};
use crate::selection::{self, Selection};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    selection: selection::Options,
    #[command(flatten)]
    operator: Operator,
    /// Counts the shares that would be revoked, and writes nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let selection = Selection::open(options.selection).await?;
    let action = options.operator.action(selection.clock.now())?;
    change_all(&selection, options.dry_run, "shares revoked", |share| Ok(share.revoked(&action))).await
}
