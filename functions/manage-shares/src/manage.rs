//! The routes of an item's shares.

use std::convert::Infallible;
use std::fmt::Display;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use lambda_http::http::StatusCode;
use lambda_http::http::header::ETAG;
use serde::{Deserialize, Serialize};
use sharelink_aws::new_write_id;
use sharelink_aws::share_table::{Cursor, PAGE_LIMIT, ShareTable, Tab};
use sharelink_domain::share::StaleVersion;
use sharelink_domain::{Expiry, Item, Share, ShareId, Sharer, Timestamp};
use sharelink_http::{
    Answer, Authorization, FieldError, Problem, ProblemType, Request, ShareAnswer, answer, etag, if_match,
    item, json_body, path_parameter, query_parameter, route,
};
use sharelink_runtime::Clock;

use crate::permissions;

/// How many shares a page has where the caller does not say.
const DEFAULT_LIMIT: usize = 50;

pub(crate) struct ManageShares {
    pub(crate) authorization: Authorization,
    pub(crate) clock: Clock,
    pub(crate) retention: TimeDelta,
    pub(crate) table: ShareTable,
}

/// What every route has in common: the item, who asks, and when.
struct Call<'a> {
    request: &'a Request,
    item: Item,
    sharer: Sharer,
    now: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SharesAnswer<'a> {
    shares: Vec<ShareAnswer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// The body of a change.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangeBody {
    expires_at: Option<String>,
}

impl ChangeBody {
    fn read(self, now: Timestamp) -> Result<Expiry, Problem> {
        let wrong = |detail: &dyn Display| Problem::Invalid(vec![FieldError::pointer("/expiresAt", detail)]);
        let text = self.expires_at.ok_or_else(|| wrong(&"is required"))?;
        Expiry::parse(&text, now).map_err(|error| wrong(&error))
    }
}

impl ManageShares {
    pub(crate) async fn handle(&self, request: Request) -> Result<Answer, Problem> {
        match route(&request) {
            "GET /modules/{module}/items/{item}/share-permission" => {
                return permissions::of_one(&self.authorization, &request);
            }
            "POST /share-permissions" => return permissions::of_several(&self.authorization, &request),
            _ => {}
        }
        let item = item(&request)?;
        let sharer = self.authorization.sharer(&request, &item.module)?;
        let call = Call { request: &request, item, sharer, now: self.clock.now() };
        match route(&request) {
            "GET /modules/{module}/items/{item}/shares" => self.list(&call).await,
            "GET /modules/{module}/items/{item}/shares/{shareId}" => self.read(&call).await,
            "PATCH /modules/{module}/items/{item}/shares/{shareId}" => self.change_expiration(&call).await,
            "POST /modules/{module}/items/{item}/shares/{shareId}/revoke" => self.revoke(&call).await,
            _ => Err(ProblemType::RouteNotFound.into()),
        }
    }

    async fn list(&self, call: &Call<'_>) -> Result<Answer, Problem> {
        let tab = tab(call.request)?;
        let limit = limit(call.request)?;
        let cursor = cursor(call.request)?;
        let page = self.table.list(&call.item, tab, limit, cursor.as_ref(), call.now).await?;
        let body = SharesAnswer {
            shares: page.shares.iter().map(|share| ShareAnswer::new(share, call.now)).collect(),
            next_cursor: page.next.map(|cursor| URL_SAFE_NO_PAD.encode(cursor.as_str())),
        };
        Ok(answer(StatusCode::OK, "application/json", &body))
    }

    async fn read(&self, call: &Call<'_>) -> Result<Answer, Problem> {
        let share = self.table.get(&call.item, share_id(call.request)?).await?;
        share_answer(share, call.now)
    }

    async fn change_expiration(&self, call: &Call<'_>) -> Result<Answer, Problem> {
        let id = share_id(call.request)?;
        let seen = if_match(call.request)?;
        let expiry = json_body::<ChangeBody>(call.request)?.read(call.now)?;
        let change = |share: &Share| share.with_expiration(expiry, &call.sharer, seen);
        let share = self.table.change(&call.item, id, self.retention, new_write_id()?, change).await?;
        let share = share.transpose().map_err(|StaleVersion| ProblemType::StaleVersion)?;
        share_answer(share, call.now)
    }

    async fn revoke(&self, call: &Call<'_>) -> Result<Answer, Problem> {
        let id = share_id(call.request)?;
        let revoke = |share: &Share| Ok::<_, Infallible>(share.revoked(&call.sharer, call.now));
        let share = self.table.change(&call.item, id, self.retention, new_write_id()?, revoke).await?;
        share_answer(share.map(|Ok(share)| share), call.now)
    }
}

fn share_answer(share: Option<Share>, now: Timestamp) -> Result<Answer, Problem> {
    let share = share.ok_or(ProblemType::ShareNotFound)?;
    let mut answer = answer(StatusCode::OK, "application/json", &ShareAnswer::new(&share, now));
    answer.headers_mut().insert(ETAG, etag(&share));
    Ok(answer)
}

/// An id that no share can have is one that there is no share of.
fn share_id(request: &Request) -> Result<ShareId, Problem> {
    path_parameter(request, "shareId").parse().map_err(|_| ProblemType::ShareNotFound.into())
}

fn tab(request: &Request) -> Result<Option<Tab>, Problem> {
    match query_parameter(request, "status").as_deref() {
        None => Ok(None),
        Some("active") => Ok(Some(Tab::Active)),
        Some("inactive") => Ok(Some(Tab::Inactive)),
        Some(_) => invalid("status", "must be \"active\" or \"inactive\""),
    }
}

fn limit(request: &Request) -> Result<usize, Problem> {
    let Some(limit) = query_parameter(request, "limit") else { return Ok(DEFAULT_LIMIT) };
    match limit.parse() {
        Ok(limit) if (1..=PAGE_LIMIT).contains(&limit) => Ok(limit),
        _ => invalid("limit", format!("must be a whole number from 1 to {PAGE_LIMIT}")),
    }
}

fn cursor(request: &Request) -> Result<Option<Cursor>, Problem> {
    let Some(text) = query_parameter(request, "cursor") else { return Ok(None) };
    let cursor = URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| Cursor::parse(&text).ok());
    cursor.map(Some).map_or_else(|| invalid("cursor", "is not a cursor that this list gave"), Ok)
}

fn invalid<T>(parameter: &'static str, detail: impl Display) -> Result<T, Problem> {
    Err(Problem::Invalid(vec![FieldError::parameter(parameter, detail)]))
}
