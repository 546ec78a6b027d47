//! The routes of an item's shares.

use std::convert::Infallible;
use std::fmt::Display;

use chrono::TimeDelta;
use lambda_http::http::StatusCode;
use lambda_http::http::header::ETAG;
use serde::{Deserialize, Serialize};
use sharelink_aws::links::LinkBuilder;
use sharelink_aws::new_write_id;
use sharelink_aws::share_table::{Cursor, IdempotencyRecord, LogCursor, ShareTable};
use sharelink_domain::expiry::RequestedExpiry;
use sharelink_domain::idempotency::IdempotentRequest;
use sharelink_domain::log::{LogEntry, LogEvent};
use sharelink_domain::share::{ChangeError, LinkCopy, ResendError};
use sharelink_domain::{Action, Item, Share, ShareId, Sharer};
use sharelink_http::{
    Authorization, FieldError, Problem, ProblemType, Request, Response, ShareResponse, encode_cursor, etag,
    idempotent_request, json_response, parse_cursor, parse_if_match, parse_item, parse_json_body,
    require_empty_body, route_key, to_rfc3339,
};
use sharelink_runtime::Clock;

use crate::parameters::{limit, share_id, tab};
use crate::{permissions, problems};

pub(crate) struct ManageShares {
    pub(crate) authorization: Authorization,
    pub(crate) clock: Clock,
    pub(crate) links: LinkBuilder,
    pub(crate) retention: TimeDelta,
    pub(crate) table: ShareTable,
}

/// What every route of an item has in common: the item, and who does something to it when.
struct Call<'a> {
    request: &'a Request,
    item: Item,
    action: Action,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SharesResponse<'a> {
    shares: Vec<ShareResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogResponse<'a> {
    entries: Vec<LogEntryResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogEntryResponse<'a> {
    at: String,
    #[serde(flatten)]
    event: &'a LogEvent,
    share_id: String,
    recipient: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a Sharer>,
}

impl<'a> From<&'a LogEntry> for LogEntryResponse<'a> {
    fn from(entry: &'a LogEntry) -> Self {
        Self {
            at: to_rfc3339(entry.at),
            event: &entry.event,
            share_id: entry.share.to_string(),
            recipient: entry.recipient.as_str(),
            by: entry.by.as_ref(),
        }
    }
}

#[derive(Serialize)]
struct LinkResponse {
    link: String,
}

/// The body of a change.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangeBody {
    expires_at: Option<String>,
}

impl ChangeBody {
    fn read(self) -> Result<RequestedExpiry, Problem> {
        let text = self.expires_at.ok_or_else(|| wrong_expiry("is required"))?;
        text.parse().map_err(wrong_expiry)
    }
}

fn wrong_expiry(detail: impl Display) -> Problem {
    Problem::Invalid(vec![FieldError::pointer("/expiresAt", detail)])
}

impl ManageShares {
    pub(crate) async fn handle(&self, request: Request) -> Result<Response, Problem> {
        match route_key(&request) {
            "GET /problems/{problem}" => return problems::page(&request),
            "GET /modules/{module}/items/{item}/share-permission" => {
                return permissions::of_one(&self.authorization, &request);
            }
            "POST /share-permissions" => return permissions::of_several(&self.authorization, &request),
            _ => {}
        }
        let item = parse_item(&request)?;
        let by = self.authorization.authorize(&request, &item.module)?;
        let call = Call { request: &request, item, action: Action { by, at: self.clock.now() } };
        match route_key(&request) {
            "GET /modules/{module}/items/{item}/shares" => self.list(&call).await,
            "GET /modules/{module}/items/{item}/shares/{shareId}" => self.read(&call).await,
            "PATCH /modules/{module}/items/{item}/shares/{shareId}" => self.change_expiration(&call).await,
            "POST /modules/{module}/items/{item}/shares/{shareId}/revoke" => self.revoke(&call).await,
            "POST /modules/{module}/items/{item}/shares/{shareId}/resend" => self.resend(&call).await,
            "POST /modules/{module}/items/{item}/shares/{shareId}/link" => self.copy_link(&call).await,
            "GET /modules/{module}/items/{item}/share-log" => self.log(&call).await,
            _ => Err(ProblemType::RouteNotFound.into()),
        }
    }

    async fn list(&self, call: &Call<'_>) -> Result<Response, Problem> {
        let (tab, limit) = (tab(call.request)?, limit(call.request)?);
        let cursor = parse_cursor(call.request, Cursor::parse)?;
        let now = call.action.at;
        let page = self.table.list(&call.item, tab, limit, cursor.as_ref(), now).await?;
        let body = SharesResponse {
            shares: page.shares.iter().map(|share| ShareResponse::new(share, now)).collect(),
            next_cursor: page.next.map(|cursor| encode_cursor(cursor.as_str())),
        };
        Ok(json_response(StatusCode::OK, "application/json", &body))
    }

    async fn read(&self, call: &Call<'_>) -> Result<Response, Problem> {
        let share = self.table.get(&call.item, share_id(call.request)?).await?;
        share_response(StatusCode::OK, share, call)
    }

    async fn change_expiration(&self, call: &Call<'_>) -> Result<Response, Problem> {
        let id = share_id(call.request)?;
        let seen = parse_if_match(call.request)?;
        let expiry = parse_json_body::<ChangeBody>(call.request)?.read()?;
        let change = |share: &Share| share.with_expiration(expiry, &call.action, seen);
        let share = self.table.change(&call.item, id, self.retention, new_write_id()?, change).await?;
        let share = share.transpose().map_err(|error| match error {
            ChangeError::Stale => ProblemType::StaleVersion.into(),
            ChangeError::Expiry(error) => wrong_expiry(error),
        })?;
        share_response(StatusCode::OK, share, call)
    }

    async fn revoke(&self, call: &Call<'_>) -> Result<Response, Problem> {
        let id = share_id(call.request)?;
        require_empty_body(call.request)?;
        let revoke = |share: &Share| Ok::<_, Infallible>(share.revoked(&call.action));
        let share = self.table.change(&call.item, id, self.retention, new_write_id()?, revoke).await?;
        share_response(StatusCode::OK, share.map(|Ok(share)| share), call)
    }

    async fn resend(&self, call: &Call<'_>) -> Result<Response, Problem> {
        let id = share_id(call.request)?;
        require_empty_body(call.request)?;
        let (write, attempt) = match idempotent_request(call.request, &call.action.by, &())? {
            None => (new_write_id()?, None),
            Some(request) => {
                let first = self.first_request(call, id, &request).await?;
                (request.write_id(first.received), Some(first.settled))
            }
        };
        let resend = |share: &Share| match attempt {
            // Somebody has asked for yet another one since.
            Some(attempt) if share.mail.attempt > attempt => Ok(None),
            _ => share.resent(&call.action).map(Some),
        };
        let share = self.table.resend(&call.item, id, write, resend).await?.transpose();
        share_response(StatusCode::ACCEPTED, share.map_err(|error| resend_problem(error, call))?, call)
    }

    /// The request as it came first, with which of the share's emails it asks for: a repetition asks for no
    /// other.
    async fn first_request(
        &self,
        call: &Call<'_>,
        id: ShareId,
        request: &IdempotentRequest,
    ) -> Result<IdempotencyRecord<u32>, Problem> {
        let now = call.action.at;
        if let Some(first) = self.table.recall(request, now).await? {
            return Ok(first);
        }
        let share = self.table.get(&call.item, id).await?.ok_or(ProblemType::ShareNotFound)?;
        // What is refused is not remembered: it may be asked for again.
        let resent = share.resent(&call.action).map_err(|error| resend_problem(error, call))?;
        Ok(self.table.remember(request, resent.mail.attempt, now).await?)
    }

    async fn copy_link(&self, call: &Call<'_>) -> Result<Response, Problem> {
        let (id, now) = (share_id(call.request)?, call.action.at);
        require_empty_body(call.request)?;
        let key = self.links.current_key(now).await?;
        let copy = LinkCopy { action: call.action.clone(), id: new_write_id()? };
        let share = self.table.copy_link(&call.item, id, &key, &copy).await?;
        let share = share.ok_or(ProblemType::ShareNotFound)?;
        let link = self.links.link(&share, now).await?;
        Ok(json_response(StatusCode::OK, "application/json", &LinkResponse { link }))
    }

    async fn log(&self, call: &Call<'_>) -> Result<Response, Problem> {
        let limit = limit(call.request)?;
        let cursor = parse_cursor(call.request, LogCursor::parse)?;
        let page = self.table.log(&call.item, limit, cursor.as_ref()).await?;
        let body = LogResponse {
            entries: page.entries.iter().map(LogEntryResponse::from).collect(),
            next_cursor: page.next.map(|cursor| encode_cursor(cursor.as_str())),
        };
        Ok(json_response(StatusCode::OK, "application/json", &body))
    }
}

fn share_response(status: StatusCode, share: Option<Share>, call: &Call<'_>) -> Result<Response, Problem> {
    let share = share.ok_or(ProblemType::ShareNotFound)?;
    let mut answer = json_response(status, "application/json", &ShareResponse::new(&share, call.action.at));
    answer.headers_mut().insert(ETAG, etag(&share));
    Ok(answer)
}

fn resend_problem(error: ResendError, call: &Call<'_>) -> Problem {
    match error {
        ResendError::Inactive => ProblemType::ShareInactive.into(),
        ResendError::TooSoon { until } => Problem::TooSoon(until - call.action.at),
    }
}
