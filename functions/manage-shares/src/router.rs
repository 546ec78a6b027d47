//! This function's routes, and the state that their handlers share.

use chrono::TimeDelta;
use lambda_http::http::StatusCode;
use lambda_http::http::header::ETAG;
use sharelink_aws::ResolveError;
use sharelink_aws::item_resolver::ItemResolver;
use sharelink_aws::link_builder::LinkBuilder;
use sharelink_aws::share_table::{ShareLog, ShareTable};
use sharelink_aws::stored_key::{StoredHashKey, StoredIndexKey};
use sharelink_aws::switch_cache::SwitchCache;
use sharelink_domain::email_limits::EmailLimits;
use sharelink_domain::notices::NoticeKinds;
use sharelink_domain::reminder::ReminderDays;
use sharelink_domain::resolution::Purpose;
use sharelink_domain::{Action, Item, Language, Share, ShareRules, Timestamp};
use sharelink_http::{
    Authorization, Caller, Problem, ProblemType, Request, Response, ShareResponse, etag, json_response,
    parse_item, route_key,
};
use sharelink_runtime::Clock;

use crate::problems;

/// The only item route that passes while the item resolver fails.
const REVOKE: &str = "POST /modules/{module}/items/{item}/shares/{shareId}/revoke";

pub(crate) struct ManageShares {
    pub(crate) authorization: Authorization,
    pub(crate) clock: Clock,
    /// The days of access that frontends offer first.
    pub(crate) default_access_days: u16,
    /// The language of shares whose request names none.
    pub(crate) default_language: Language,
    pub(crate) email_limits: EmailLimits,
    /// Its keyed hashes identify sharers and mailboxes in the counters of emails, and callers in the logs.
    pub(crate) hash_key: StoredHashKey,
    pub(crate) index_key: StoredIndexKey,
    /// Decides who may use an item, in addition to the Share permission, if the platform has such rules.
    pub(crate) item_resolver: Option<ItemResolver>,
    pub(crate) links: LinkBuilder,
    pub(crate) log: ShareLog,
    /// The kinds of notices that the deployment sends.
    pub(crate) notices: NoticeKinds,
    /// When shares whose request does not say so are followed by a reminder.
    pub(crate) reminder_days: ReminderDays,
    pub(crate) retention: TimeDelta,
    pub(crate) rules: ShareRules,
    /// Whether sharers get suggestions of recipients.
    pub(crate) suggests_recipients: bool,
    /// The switches by which operators switch sharing off.
    pub(crate) switches: SwitchCache,
    pub(crate) table: ShareTable,
}

/// An authorized request, with its item, caller and time.
pub(crate) struct Call<'a> {
    pub(crate) request: &'a Request,
    pub(crate) item: Item,
    pub(crate) action: Action,
}

impl ManageShares {
    pub(crate) async fn handle(&self, request: Request) -> Result<Response, Problem> {
        match route_key(&request) {
            "GET /problems/{problem}" => problems::get(&request),
            "GET /modules/{module}/items/{item}/share-permission" => {
                self.get_share_permission(&request).await
            }
            "GET /share-rules" => self.get_share_rules(&request),
            "GET /notice-settings" => self.get_notice_settings(&request).await,
            "PUT /notice-settings" => self.put_notice_settings(&request).await,
            "POST /share-permissions" => self.get_share_permissions(&request).await,
            "GET /shares" => self.list_all_shares(&request).await,
            "POST /shares/revoke" => self.revoke_all(&request).await,
            "POST /shares/expiration" => self.change_all_expirations(&request).await,
            "GET /share-suggestions" => self.suggest_recipients(&request).await,
            _ => self.handle_item_route(&request).await,
        }
    }

    async fn handle_item_route(&self, request: &Request) -> Result<Response, Problem> {
        let item = parse_item(request)?;
        let caller = self.authorization.authenticate(request)?;
        let at = self.clock.now();
        let checked = self.check_management(&caller, &item, at).await;
        let permitted = if route_key(request) == REVOKE { permit_revocation(checked) } else { checked };
        permitted?;
        let call = Call { request, item, action: Action { by: caller.into_sharer(), at } };
        match route_key(request) {
            "GET /modules/{module}/items/{item}/shares" => self.list_shares(&call).await,
            "GET /modules/{module}/items/{item}/shares/{shareId}" => self.get_share(&call).await,
            "PATCH /modules/{module}/items/{item}/shares/{shareId}" => self.change_expiration(&call).await,
            REVOKE => self.revoke(&call).await,
            "POST /modules/{module}/items/{item}/shares/{shareId}/renew" => self.renew(&call).await,
            "POST /modules/{module}/items/{item}/shares/{shareId}/resend" => self.resend(&call).await,
            "POST /modules/{module}/items/{item}/shares/{shareId}/link" => self.copy_link(&call).await,
            "GET /modules/{module}/items/{item}/share-log" => self.list_share_log(&call).await,
            _ => Err(ProblemType::RouteNotFound.into()),
        }
    }

    /// Checks whether a caller may manage an item's shares: all of the module's, or those of the items that
    /// the platform's rules allow.
    pub(crate) async fn check_management(
        &self,
        caller: &Caller,
        item: &Item,
        now: Timestamp,
    ) -> Result<(), ManagementError> {
        if self.authorization.can_manage_all(caller, &item.module) {
            return Ok(());
        }
        if !self.authorization.can_share(caller, &item.module) {
            return Err(ManagementError::NoPermission);
        }
        Ok(self.check_item_access(caller, item, Purpose::Manage, now).await?)
    }

    /// Returns whether [`check_management`](Self::check_management) asks the item resolver.
    pub(crate) fn asks_item_resolver(&self, caller: &Caller, item: &Item) -> bool {
        self.item_resolver.is_some()
            && self.authorization.can_share(caller, &item.module)
            && !self.authorization.can_manage_all(caller, &item.module)
    }

    /// Checks whether the platform's rules for the item, if it has any, allow this purpose.
    pub(crate) async fn check_item_access(
        &self,
        caller: &Caller,
        item: &Item,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<(), ResolveError> {
        match &self.item_resolver {
            Some(resolver) => resolver.resolve(&caller.query(item, purpose), now).await.map(drop),
            None => Ok(()),
        }
    }
}

/// The reason a caller may not manage an item's shares.
#[derive(Clone, Debug)]
pub(crate) enum ManagementError {
    /// The caller holds neither the Share permission nor the right to manage all shares in the module.
    NoPermission,
    /// The caller holds the Share permission.
    Resolver(ResolveError),
}

impl From<ResolveError> for ManagementError {
    fn from(error: ResolveError) -> Self {
        Self::Resolver(error)
    }
}

impl From<ManagementError> for Problem {
    fn from(error: ManagementError) -> Self {
        match error {
            ManagementError::NoPermission => ProblemType::SharePermissionMissing.into(),
            ManagementError::Resolver(error) => error.into(),
        }
    }
}

/// Permits a revocation if only the item resolver's failure speaks against it. Revoking only removes access,
/// and must not wait until the platform's function works again.
pub(crate) fn permit_revocation(checked: Result<(), ManagementError>) -> Result<(), ManagementError> {
    match checked {
        Err(ManagementError::Resolver(ResolveError::Failed(error))) => {
            tracing::warn!(%error, "a revocation did not wait for the item resolver");
            Ok(())
        }
        checked => checked,
    }
}

impl Call<'_> {
    /// Creates a response that contains the share, with its status as of the request's time, and its `ETag`.
    pub(crate) fn share_response(&self, status: StatusCode, share: &Share) -> Response {
        let body = ShareResponse::new(share, self.action.at);
        let mut response = json_response(status, "application/json", &body);
        response.headers_mut().insert(ETAG, etag(share));
        response
    }
}
