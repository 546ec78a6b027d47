//! What is refused while an operator has switched sharing off: every route that gives someone a link, and a
//! switched-off caller's changes that give or prolong access. Lists, revocations and other changes of the
//! expiration keep working.

use sharelink_domain::switches::{ModuleState, Switches};
use sharelink_domain::{ShareId, Timestamp};
use sharelink_http::{Problem, ProblemType};

use crate::router::{Call, ManageShares};

impl ManageShares {
    /// Checks that neither the module, the caller, the share's sharer nor the recipient's domain is switched off.
    pub(crate) async fn require_switched_on(&self, call: &Call<'_>, id: ShareId) -> Result<(), Problem> {
        let switches = self.switches.read(call.action.at).await?.switches;
        match switches.module_state(&call.item.module) {
            ModuleState::On => return Ok(()),
            ModuleState::Off => return Err(ProblemType::SharingOff.into()),
            ModuleState::DependsOnShare => {}
        }
        if self.includes_sharer(&switches, &call.action.by.sub).await? {
            return Err(ProblemType::SharingOff.into());
        }
        let found = self.table.get_with_sharer(&call.item, id).await?;
        let (share, sharer) = found.ok_or(ProblemType::ShareNotFound)?;
        if switches.is_share_off(&call.item.module, sharer, &share.recipient) {
            return Err(ProblemType::SharingOff.into());
        }
        Ok(())
    }

    /// Returns whether a caller is switched off as a sharer.
    pub(crate) async fn is_caller_off(&self, sub: &str, now: Timestamp) -> Result<bool, Problem> {
        self.includes_sharer(&self.switches.read(now).await?.switches, sub).await
    }

    /// Returns whether a sharer is switched off. Needs the index key only if any sharer is.
    async fn includes_sharer(&self, switches: &Switches, sub: &str) -> Result<bool, Problem> {
        Ok(switches.has_sharers() && switches.is_sharer_off(self.index_key.get_or_fetch().await?.sharer(sub)))
    }
}
