//! `cargo operator extend`.

use anyhow::{Context, Result, ensure};
use clap::Args;
use sharelink_domain::expiry::RequestedExpiry;
use sharelink_domain::share::ExpectedVersion;
use sharelink_domain::{Action, Share, ShareRules, Status};

use crate::change::{Decision, Operator, change_all};
use crate::selection::{self, Selection};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    selection: selection::Options,
    /// The new expiry, such as 2030-01-31T18:00:00+01:00. Shares that expire later stay as they are
    #[arg(long, value_name = "TIME")]
    until: RequestedExpiry,
    /// Extends expired and revoked shares, too, whose links then work again
    #[arg(long)]
    reactivate: bool,
    #[command(flatten)]
    operator: Operator,
    /// Counts the shares that would be extended, and writes nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let selection = Selection::open(options.selection).await?;
    let now = selection.clock.now();
    let accepted = options.until.accept(now).context("--until is not a valid expiry")?;
    ensure!(!accepted.is_past(), "--until must be in the future");
    let action = options.operator.action(now)?;
    let extend = |share: &Share| extended(share, options.until, options.reactivate, &action);
    change_all(&selection, options.dry_run, "shares extended", extend).await
}

/// Returns the share with the later expiry. The deployment's rules bind sharers, not its operator.
fn extended(share: &Share, until: RequestedExpiry, reactivates: bool, action: &Action) -> Decision {
    let is_active = share.status(action.at) == Status::Active;
    if (is_active && share.expires_at >= until.at()) || (!is_active && !reactivates) {
        return Ok(None);
    }
    share.with_expiration(until, action, ExpectedVersion::Any, &ShareRules::default())
}

#[cfg(test)]
mod tests {
    use sharelink_domain::testing::{ann, requested_expiry, share};

    use super::*;

    #[test]
    fn only_reactivation_extends_an_inactive_share() {
        let until = requested_expiry("2026-03-20T12:00:00Z");
        let active = share(&["a"]);
        let revoked = active.revoked(&ann()).unwrap();
        let extend = |share: &Share, reactivates| extended(share, until, reactivates, &ann()).unwrap();
        assert_eq!(extend(&active, false).unwrap().expires_at, until.at());
        assert_eq!(extend(&revoked, false), None);
        assert_eq!(extend(&revoked, true).unwrap().revoked_at, None);
    }

    #[test]
    fn share_is_never_shortened() {
        let until = requested_expiry("2026-03-10T12:30:00Z");
        assert_eq!(extended(&share(&["a"]), until, true, &ann()).unwrap(), None);
    }
}
