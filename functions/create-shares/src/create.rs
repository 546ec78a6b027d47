//! Creates the shares for one request.

use std::collections::HashMap;

use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use sharelink_aws::email_limits::EmailRequest;
use sharelink_aws::files::{FileListing, FindError};
use sharelink_aws::share_table::{Creation, IdempotencyRecord, ShareTable, StoredFile, StoredSharer};
use sharelink_aws::stored_hash_key::StoredHashKey;
use sharelink_aws::{Error, new_generation, new_write_id};
use sharelink_domain::email_limits::{EmailLimits, LimitReached};
use sharelink_domain::idempotency::IdempotentRequest;
use sharelink_domain::request::{self, FilesError, ParsedRecipient, ShareRequest};
use sharelink_domain::resolution::ItemFile;
use sharelink_domain::{
    EmailAddress, FileName, Item, Share, ShareId, Sharer, Status, Timestamp, Title, WriteId,
};
use sharelink_http::{
    Authorization, FieldError, Problem, ProblemType, Request, Response, idempotent_request, parse_item,
    parse_json_body, route_key,
};
use sharelink_runtime::Clock;

use crate::body::{CreateBody, CreateRequest};
use crate::files;
use crate::item_source::{ItemSource, ShareableItem};
use crate::results::{self, ALREADY_EXPIRED, FILES_ARCHIVED, FILES_LEFT_OUT, RecipientResult};

/// The maximum number of concurrent AWS calls per request.
const CONCURRENCY: usize = 16;

pub(crate) struct CreateShares {
    pub(crate) authorization: Authorization,
    pub(crate) clock: Clock,
    pub(crate) email_limits: EmailLimits,
    /// Its keyed hashes identify sharers and mailboxes in the counters of emails, and callers in the logs.
    pub(crate) hash_key: StoredHashKey,
    pub(crate) items: ItemSource,
    pub(crate) retention: TimeDelta,
    pub(crate) table: ShareTable,
}

/// The facts that the first request determines and its retries reuse.
#[derive(Deserialize, Serialize)]
struct Settled {
    listing: SettledListing,
    sharer: StoredSharer,
    /// The item's title.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct SettledListing {
    files: Vec<StoredFile>,
    left_out: bool,
    /// Whether some of the files are archived. Absent in records of earlier versions.
    #[serde(default)]
    archived: bool,
}

/// The shares of a request that are not to be created.
#[derive(Default)]
struct Known {
    existing: HashMap<ShareId, Creation>,
    /// Those whose email would exceed a limit.
    refused: HashMap<ShareId, LimitReached>,
}

impl CreateShares {
    pub(crate) async fn handle(&self, request: Request) -> Result<Response, Problem> {
        let item = parse_item(&request)?;
        let caller = self.authorization.authorize(&request, &item.module)?;
        let now = self.clock.now();
        let shareable = self.items.open(&item, &caller, now).await?;
        let sharer = caller.into_sharer();
        match route_key(&request) {
            "GET /modules/{module}/items/{item}/files" => files::list(&shareable, &request).await,
            "POST /modules/{module}/items/{item}/shares" => {
                self.create(&request, &item, &shareable, sharer, now).await
            }
            _ => Err(ProblemType::RouteNotFound.into()),
        }
    }

    async fn create(
        &self,
        request: &Request,
        item: &Item,
        shareable: &ShareableItem<'_>,
        sharer: Sharer,
        now: Timestamp,
    ) -> Result<Response, Problem> {
        let body = parse_json_body::<CreateBody>(request)?;
        let idempotent = idempotent_request(request, &sharer, &body)?;
        let earlier = match &idempotent {
            Some(idempotent) => self.table.find_idempotency_record(idempotent, now).await?,
            None => None,
        };
        // Validate a retry as of the time that the first request was received. A day later, the requested
        // expiry may be before the current date, which would be invalid.
        let received_at = earlier.as_ref().map_or(now, |record| record.received_at);
        let create_request = body.validate(received_at)?;
        let record = if let Some(record) = earlier {
            record
        } else {
            let files = create_request.files.as_deref();
            self.settle(idempotent.as_ref(), shareable, &sharer, files, now).await?
        };

        // `record` comes from the attempt that stored it first, which may be a concurrent one. Validate the
        // expiry as of that attempt's time of receipt.
        let IdempotencyRecord { received_at: first_received_at, settled } = record;
        let expiry = create_request.accept_expiry(first_received_at)?;
        let CreateRequest { recipients, message, notify, .. } = create_request;
        let share_request = ShareRequest {
            item: item.clone(),
            files: settled.listing.files.into_iter().map(Into::into).collect(),
            sharer: settled.sharer.into(),
            message,
            title: settled.title.as_deref().and_then(Title::parse),
            expiry,
            notify,
        };
        let write = match idempotent {
            Some(idempotent) => idempotent.write_id(first_received_at),
            None => new_write_id()?,
        };
        let parsed = request::parse_recipients(&recipients);
        let known = if notify {
            self.count_emails(&share_request, &parsed, write, now).await?
        } else {
            Known::default()
        };
        let results = self.create_shares(&share_request, parsed, known, write, first_received_at).await;
        results::count(&results, now);

        let is_expired = |result: &RecipientResult| match result {
            RecipientResult::Created(share) => share.status(now) != Status::Active,
            _ => false,
        };
        let mut warnings = Vec::new();
        if expiry.is_past() || results.iter().any(is_expired) {
            warnings.push(ALREADY_EXPIRED);
        }
        if settled.listing.left_out {
            warnings.push(FILES_LEFT_OUT);
        }
        if settled.listing.archived {
            warnings.push(FILES_ARCHIVED);
        }
        Ok(results::to_response(&recipients, &results, &warnings, now))
    }

    /// Determines the facts that retries reuse, and stores them if the request has an idempotency key. As a
    /// result, a retry shares the same files as the first request.
    async fn settle(
        &self,
        idempotent: Option<&IdempotentRequest>,
        shareable: &ShareableItem<'_>,
        sharer: &Sharer,
        files: Option<&[FileName]>,
        now: Timestamp,
    ) -> Result<IdempotencyRecord<Settled>, Problem> {
        let FileListing { files, is_partial } = find_files(shareable, files).await?;
        let settled = Settled {
            listing: SettledListing {
                files: files.iter().map(|found| StoredFile::from(&found.file)).collect(),
                left_out: is_partial,
                archived: files.iter().any(|found| found.is_archived),
            },
            sharer: StoredSharer::from(sharer),
            title: shareable.title().map(|title| title.as_str().to_owned()),
        };
        match idempotent {
            Some(idempotent) => Ok(self.table.save_idempotency_record(idempotent, settled, now).await?),
            None => Ok(IdempotencyRecord { received_at: now, settled }),
        }
    }

    /// Counts the emails of the shares that do not exist yet.
    async fn count_emails(
        &self,
        request: &ShareRequest,
        recipients: &[ParsedRecipient],
        write: WriteId,
        now: Timestamp,
    ) -> Result<Known, Problem> {
        let addresses = recipients.iter().filter_map(|recipient| match recipient {
            ParsedRecipient::Address(address) => Some((ShareId::new(&request.item, address), address)),
            _ => None,
        });
        let mut emails: Vec<(ShareId, &EmailAddress)> = addresses.collect();
        let ids: Vec<ShareId> = emails.iter().map(|(id, _)| *id).collect();
        let existing = self.table.find_created(&request.item, &ids, write).await?;
        emails.retain(|(id, _)| !existing.contains_key(id));
        let key = self.hash_key.get_or_fetch().await?;
        let email_request = EmailRequest { sharer: &request.sharer, write, emails };
        let refused = email_request.count(&self.table, key, self.email_limits, now).await?;
        Ok(Known { existing, refused })
    }

    /// Creates a share for each recipient. A failure for one recipient does not affect the others.
    async fn create_shares(
        &self,
        request: &ShareRequest,
        recipients: Vec<ParsedRecipient>,
        known: Known,
        write: WriteId,
        received_at: Timestamp,
    ) -> Vec<RecipientResult> {
        let known = &known;
        let create = |recipient| async move {
            match recipient {
                ParsedRecipient::Invalid(error) => RecipientResult::Invalid(error),
                ParsedRecipient::Duplicate => RecipientResult::Duplicate,
                ParsedRecipient::Address(address) => {
                    let created = self.create_share(request, address, known, write, received_at).await;
                    created.unwrap_or_else(RecipientResult::Failed)
                }
            }
        };
        stream::iter(recipients).map(create).buffered(CONCURRENCY).collect().await
    }

    async fn create_share(
        &self,
        request: &ShareRequest,
        recipient: EmailAddress,
        known: &Known,
        write: WriteId,
        received_at: Timestamp,
    ) -> Result<RecipientResult, Error> {
        let share: Share = request.share_with(recipient, new_generation()?, received_at);
        if let Some(limit) = known.refused.get(&share.id) {
            return Ok(RecipientResult::LimitReached(*limit));
        }
        let creation = match known.existing.get(&share.id) {
            Some(creation) => creation.clone(),
            None => self.table.create(&share, self.retention, write).await?,
        };
        Ok(match creation {
            Creation::Created => RecipientResult::Created(Box::new(share)),
            Creation::Retried => RecipientResult::Retried(Box::new(share)),
            Creation::Exists(existing) => RecipientResult::Exists(existing),
        })
    }
}

/// Finds the files to share: the named files, which must exist, or all of the item's files if `names` is
/// `None`.
async fn find_files(item: &ShareableItem<'_>, names: Option<&[FileName]>) -> Result<FileListing, Problem> {
    let listing = match names {
        None => item.list(None).await?,
        Some(names) => FileListing { files: find_named(item, names).await?, is_partial: false },
    };
    request::validate_files(listing.files.iter().map(|found| &found.file)).map_err(|error| {
        let detail = match error {
            FilesError::TooMany | FilesError::NamesTooLong | FilesError::KeysTooLong if names.is_none() => {
                format!("{error}; name those to share")
            }
            _ => error.to_string(),
        };
        Problem::Invalid(vec![FieldError::pointer("/files", detail)])
    })?;
    Ok(listing)
}

async fn find_named(item: &ShareableItem<'_>, names: &[FileName]) -> Result<Vec<ItemFile>, Problem> {
    if names.len() > request::FILES_LIMIT {
        return Err(Problem::Invalid(vec![FieldError::pointer("/files", FilesError::TooMany)]));
    }
    let found: Vec<Result<ItemFile, FindError>> =
        stream::iter(names).map(|name| item.find(name)).buffered(CONCURRENCY).collect().await;
    let mut files = Vec::new();
    let mut errors = Vec::new();
    for (i, file) in found.into_iter().enumerate() {
        match file {
            Ok(file) => files.push(file),
            Err(error) => {
                let reason = match error {
                    FindError::Missing => "missing",
                    FindError::Forbidden => "forbidden",
                    FindError::Failed(error) => return Err(error.into()),
                };
                errors.push(FieldError::pointer(format!("/files/{i}"), error).with_reason(reason));
            }
        }
    }
    if errors.is_empty() { Ok(files) } else { Err(Problem::Invalid(errors)) }
}
