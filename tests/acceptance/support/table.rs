//! Changes shares through the table adapter, as the functions do.

use sharelink_aws::ChangeError;
use sharelink_aws::share_table::ShareTable;
use sharelink_domain::expiry::RequestedExpiry;
use sharelink_domain::share::{ChangeExpirationError, ExpectedVersion, RenewError, Renewal, ResendError};
use sharelink_domain::{Action, Item, Share, ShareId, ShareRules, WriteId};

use super::fixtures::RETENTION;

/// Revokes a share.
pub(crate) async fn revoke(
    table: &ShareTable,
    item: &Item,
    id: ShareId,
    action: &Action,
    write: WriteId,
) -> Result<Share, ChangeError<ChangeExpirationError>> {
    table.change(item, id, RETENTION, write, |share: &Share| Ok(share.revoked(action))).await
}

/// Changes a share's expiration.
pub(crate) async fn change_expiration(
    table: &ShareTable,
    item: &Item,
    id: ShareId,
    (expiry, expected): (RequestedExpiry, ExpectedVersion),
    action: &Action,
    write: WriteId,
) -> Result<Share, ChangeError<ChangeExpirationError>> {
    let change = |share: &Share| share.with_expiration(expiry, action, expected, &ShareRules::default());
    table.change(item, id, RETENTION, write, change).await
}

/// Renews a share's link.
pub(crate) async fn renew(
    table: &ShareTable,
    item: &Item,
    id: ShareId,
    (renewal, expected): (Renewal, ExpectedVersion),
    action: &Action,
    write: WriteId,
) -> Result<Share, ChangeError<RenewError>> {
    table
        .renew(item, id, RETENTION, write, |share: &Share| {
            share.renewed(&renewal, action, expected, &ShareRules::default())
        })
        .await
}

/// Queues another email for a share.
pub(crate) async fn resend(
    table: &ShareTable,
    item: &Item,
    id: ShareId,
    action: &Action,
    write: WriteId,
) -> Result<Share, ChangeError<ResendError>> {
    table
        .resend(item, id, write, |share: &Share| share.resent(action, &ShareRules::default()).map(Some))
        .await
}
