//! This function's routes, and the state that their handlers share.

use chrono::TimeDelta;
use lambda_http::http::StatusCode;
use lambda_http::http::header::ETAG;
use sharelink_aws::ResolveError;
use sharelink_aws::item_resolver::ItemResolver;
use sharelink_aws::link_builder::LinkBuilder;
use sharelink_aws::share_table::{ShareLog, ShareTable};
use sharelink_aws::stored_hash_key::StoredHashKey;
use sharelink_domain::email_limits::EmailLimits;
use sharelink_domain::resolution::Purpose;
use sharelink_domain::{Action, Item, Share, Timestamp};
use sharelink_http::{
    Authorization, Caller, Problem, ProblemType, Request, Response, ShareResponse, etag, json_response,
    parse_item, route_key,
};
use sharelink_runtime::Clock;

use crate::problems;

/// The only route that passes while the item resolver fails.
const REVOKE: &str = "POST /modules/{module}/items/{item}/shares/{shareId}/revoke";

pub(crate) struct ManageShares {
    pub(crate) authorization: Authorization,
    pub(crate) clock: Clock,
    pub(crate) email_limits: EmailLimits,
    /// Its keyed hashes identify sharers and mailboxes in the counters of emails, and callers in the logs.
    pub(crate) hash_key: StoredHashKey,
    /// Decides who may use an item, in addition to the Share permission, if the platform has such rules.
    pub(crate) item_resolver: Option<ItemResolver>,
    pub(crate) links: LinkBuilder,
    pub(crate) log: ShareLog,
    pub(crate) retention: TimeDelta,
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
            "POST /share-permissions" => self.get_share_permissions(&request).await,
            _ => self.handle_item_route(&request).await,
        }
    }

    async fn handle_item_route(&self, request: &Request) -> Result<Response, Problem> {
        let item = parse_item(request)?;
        let caller = self.authorization.authorize(request, &item.module)?;
        let at = self.clock.now();
        match self.check_item_access(&caller, &item, Purpose::Manage, at).await {
            // Revoking only removes access, and must not wait until the platform's function works again.
            Err(ResolveError::Failed(error)) if route_key(request) == REVOKE => {
                tracing::warn!(%error, "a revocation did not wait for the item resolver");
            }
            checked => checked?,
        }
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

impl Call<'_> {
    /// Creates a response that contains the share, with its status as of the request's time, and its `ETag`.
    pub(crate) fn share_response(&self, status: StatusCode, share: &Share) -> Response {
        let body = ShareResponse::new(share, self.action.at);
        let mut response = json_response(status, "application/json", &body);
        response.headers_mut().insert(ETAG, etag(share));
        response
    }
}
