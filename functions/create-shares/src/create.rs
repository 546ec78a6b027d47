//! Creating the shares of one order.

use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use sharelink_aws::files::{FileListing, FileStore};
use sharelink_aws::share_table::{Creation, IdempotencyRecord, ShareTable};
use sharelink_aws::{AwsError, new_generation, new_write_id};
use sharelink_domain::idempotency::IdempotentRequest;
use sharelink_domain::request::{self, FilesError, Recipient, ShareRequest};
use sharelink_domain::share::WriteId;
use sharelink_domain::{FileName, Item, Share, SharedFile, Sharer, Status, Timestamp};
use sharelink_http::{
    Authorization, FieldError, Problem, Request, Response, idempotent_request, parse_item, parse_json_body,
    route_key,
};
use sharelink_runtime::Clock;

use crate::files;
use crate::order::{Order, OrderBody};
use crate::results::{self, ALREADY_EXPIRED, FILES_LEFT_OUT, RecipientResult};

/// How many calls of one request may wait for AWS at the same time.
const CONCURRENCY: usize = 16;

pub(crate) struct CreateShares {
    pub(crate) authorization: Authorization,
    pub(crate) clock: Clock,
    pub(crate) files: FileStore,
    pub(crate) retention: TimeDelta,
    pub(crate) table: ShareTable,
}

/// What a request and its repetitions have in common, beside its body.
#[derive(Deserialize, Serialize)]
struct Settled {
    listing: FileListing,
    sharer: Sharer,
}

impl CreateShares {
    pub(crate) async fn handle(&self, request: Request) -> Result<Response, Problem> {
        let item = parse_item(&request)?;
        let sharer = self.authorization.authorize(&request, &item.module)?;
        match route_key(&request) {
            "GET /modules/{module}/items/{item}/files" => files::page(&self.files, &request, &item).await,
            _ => self.share(&request, item, sharer).await,
        }
    }

    async fn share(&self, request: &Request, item: Item, sharer: Sharer) -> Result<Response, Problem> {
        let now = self.clock.now();
        let body = parse_json_body::<OrderBody>(request)?;
        let repeatable = idempotent_request(request, &sharer, &body)?;
        let first = self.first_request(repeatable.as_ref(), &item, sharer, &body, now).await?;
        let IdempotencyRecord { received, settled: Settled { listing, sharer } } = first;
        let Order { recipients, expiry, message, notify, .. } = body.read(received)?;
        let request = ShareRequest { item, files: listing.files, sharer, message, expiry, notify };
        let write = repeatable.map(|repeatable| repeatable.write_id(received));
        let outcomes = self.create(&request, &recipients, write, received).await;
        for outcome in &outcomes {
            metrics::counter!("Shares", "Outcome" => outcome.metric(now)).increment(1);
            if let RecipientResult::Failed(error) = outcome {
                tracing::error!(%error, "a share could not be created");
            }
        }
        let is_late = |outcome: &RecipientResult| matches!(outcome, RecipientResult::Created(s) if s.status(now) != Status::Active);
        let expired = expiry.already_past() || outcomes.iter().any(is_late);
        let expired = expired.then_some(ALREADY_EXPIRED);
        let warnings: Vec<_> =
            expired.into_iter().chain(listing.left_out.then_some(FILES_LEFT_OUT)).collect();
        Ok(results::json_response(&recipients, &outcomes, &warnings, now))
    }

    /// The request as it came first, with what is not to be found out again. A repetition shares the files that
    /// the first one found, and is as old as the first one was: tomorrow, the same expiry may be on a
    /// day before today.
    async fn first_request(
        &self,
        repeatable: Option<&IdempotentRequest>,
        item: &Item,
        sharer: Sharer,
        body: &OrderBody,
        now: Timestamp,
    ) -> Result<IdempotencyRecord<Settled>, Problem> {
        if let Some(repeatable) = repeatable
            && let Some(first) = self.table.recall(repeatable, now).await?
        {
            return Ok(first);
        }
        let order = body.read(now)?;
        let listing = self.shared_files(item, order.files.as_deref()).await?;
        let settled = Settled { listing, sharer };
        match repeatable {
            Some(repeatable) => Ok(self.table.remember(repeatable, settled, now).await?),
            None => Ok(IdempotencyRecord { received: now, settled }),
        }
    }

    /// The files to share: those named, which must be the item's, or all that it has.
    async fn shared_files(&self, item: &Item, names: Option<&[FileName]>) -> Result<FileListing, Problem> {
        let listing = match names {
            None => self.files.list(item, None).await?,
            Some(names) => FileListing { files: self.find(item, names).await?, left_out: false },
        };
        request::validate_files(&listing.files).map_err(|error| {
            let detail = match error {
                FilesError::TooMany if names.is_none() => format!("{error}; name those to share"),
                _ => error.to_string(),
            };
            Problem::Invalid(vec![FieldError::pointer("/files", detail)])
        })?;
        Ok(listing)
    }

    async fn find(&self, item: &Item, names: &[FileName]) -> Result<Vec<SharedFile>, Problem> {
        if names.len() > request::FILES_LIMIT {
            return Err(Problem::Invalid(vec![FieldError::pointer("/files", FilesError::TooMany)]));
        }
        let found: Vec<Result<Option<SharedFile>, AwsError>> =
            stream::iter(names).map(|name| self.files.find(item, name)).buffered(CONCURRENCY).collect().await;
        let (mut files, mut errors) = (Vec::new(), Vec::new());
        for (i, file) in found.into_iter().enumerate() {
            match file? {
                Some(file) => files.push(file),
                None => errors.push(FieldError::pointer(format!("/files/{i}"), "is not a file of this item")),
            }
        }
        if errors.is_empty() { Ok(files) } else { Err(Problem::Invalid(errors)) }
    }

    /// Creates a share for each recipient; each stands alone.
    async fn create(
        &self,
        request: &ShareRequest,
        typed: &[String],
        write: Option<WriteId>,
        now: Timestamp,
    ) -> Vec<RecipientResult> {
        let create = |recipient| async move {
            match recipient {
                Recipient::Invalid(error) => RecipientResult::Invalid(error),
                Recipient::Duplicate => RecipientResult::Duplicate,
                Recipient::Address(address) => {
                    let share =
                        new_generation().map(|generation| request.share_with(address, generation, now));
                    match share {
                        Ok(share) => self.put(share, write).await,
                        Err(error) => RecipientResult::Failed(error),
                    }
                }
            }
        };
        stream::iter(request::recipients(typed)).map(create).buffered(CONCURRENCY).collect().await
    }

    async fn put(&self, share: Share, write: Option<WriteId>) -> RecipientResult {
        let created = match write.map_or_else(new_write_id, Ok) {
            Ok(write) => self.table.create(&share, self.retention, write).await,
            Err(error) => Err(error),
        };
        match created {
            Ok(Creation::Created) => RecipientResult::Created(Box::new(share)),
            Ok(Creation::Retried) => RecipientResult::Retried(Box::new(share)),
            Ok(Creation::Exists(existing)) => RecipientResult::Exists(existing),
            Err(error) => RecipientResult::Failed(error),
        }
    }
}
