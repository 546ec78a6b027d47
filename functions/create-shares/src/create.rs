//! Creates the shares for one request.

use std::collections::HashMap;

use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use sharelink_aws::email_limits::EmailRequest;
use sharelink_aws::files::{FileListing, FindError};
use sharelink_aws::share_table::{Creation, IdempotencyRecord, ShareTable, StoredFile, StoredSharer};
use sharelink_aws::stored_key::{StoredHashKey, StoredIndexKey};
use sharelink_aws::switch_cache::SwitchCache;
use sharelink_aws::{Error, new_generation, new_write_id};
use sharelink_domain::email_limits::{EmailLimits, LimitReached};
use sharelink_domain::idempotency::IdempotentRequest;
use sharelink_domain::reminder::ReminderDays;
use sharelink_domain::request::{self, FilesError, ParsedRecipient, ShareRequest};
use sharelink_domain::resolution::ItemFile;
use sharelink_domain::switches::{ModuleState, Switches};
use sharelink_domain::{
    FileName, Item, Language, Share, ShareId, ShareRules, Sharer, Status, Timestamp, Title, WriteId,
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
    /// The language of shares whose request names none.
    pub(crate) default_language: Language,
    /// When shares whose request does not say so are followed by a reminder.
    pub(crate) default_reminder: ReminderDays,
    pub(crate) email_limits: EmailLimits,
    /// Its keyed hashes identify sharers and mailboxes in the counters of emails, and callers in the logs.
    pub(crate) hash_key: StoredHashKey,
    pub(crate) index_key: StoredIndexKey,
    pub(crate) items: ItemSource,
    pub(crate) retention: TimeDelta,
    pub(crate) rules: ShareRules,
    /// The switches by which operators switch sharing off.
    pub(crate) switches: SwitchCache,
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
    /// The language's tag. Absent in records of earlier versions.
    #[serde(default)]
    language: Option<String>,
    /// The days before the end of access. Absent in records of earlier versions.
    #[serde(default)]
    reminder: u64,
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

/// What a request asks for one recipient.
enum Wanted {
    Share(Box<Share>),
    /// Nothing: the entry is not a recipient of its own.
    Nothing(RecipientResult),
}

/// The shares of a request that are not to be created.
#[derive(Default)]
struct Known {
    existing: HashMap<ShareId, Creation>,
    /// Those whose email would exceed a limit.
    limited: HashMap<ShareId, LimitReached>,
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
        let switches = self.require_switched_on(item, &sharer, now).await?;
        let idempotent = idempotent_request(request, &sharer, &body)?;
        let earlier = match &idempotent {
            Some(idempotent) => self.table.find_idempotency_record(idempotent, now).await?,
            None => None,
        };
        // Validate a retry as of the time that the first request was received. A day later, the requested
        // expiry may be before the current date, which would be invalid.
        let received_at = earlier.as_ref().map_or(now, |record| record.received_at);
        // The first attempt met the rules of its time. What it did stays done, even if a rule has changed
        // since. What it did not do must meet today's rules, recipient by recipient.
        let is_retry = earlier.is_some();
        let create_request = if is_retry {
            body.validate(received_at, &ShareRules::default())?
        } else {
            body.validate(received_at, &self.rules)?
        };
        let record = if let Some(record) = earlier {
            record
        } else {
            self.settle(idempotent.as_ref(), shareable, &sharer, &create_request, now).await?
        };

        // `record` comes from the attempt that stored it first, which may be a concurrent one. Validate the
        // expiry as of that attempt's time of receipt.
        let IdempotencyRecord { received_at: first_received_at, settled } = record;
        let expiry = create_request.accept_expiry(first_received_at)?;
        let CreateRequest { recipients, message, notify, notify_on_first_download, .. } = create_request;
        let share_request = ShareRequest {
            item: item.clone(),
            files: settled.listing.files.into_iter().map(Into::into).collect(),
            sharer: settled.sharer.into(),
            message,
            title: settled.title.as_deref().and_then(Title::parse),
            language: settled.language.and_then(|tag| Language::parse(&tag).ok()).unwrap_or_default(),
            expiry,
            notify,
            reminder: settled.reminder.try_into().unwrap_or_default(),
            notify_on_first_download,
        };
        let write = match idempotent {
            Some(idempotent) => idempotent.write_id(first_received_at),
            None => new_write_id()?,
        };
        // A share that no earlier attempt created is new. If it had the first attempt's time, an erasure of
        // its recipient since then would cover it.
        let wanted = want_shares(&share_request, &recipients, &switches, now)?;
        let mut known = Known::default();
        if notify || is_retry {
            known.existing = self.find_existing(item, &wanted, write).await?;
        }
        if notify {
            known.limited = self.count_emails(&share_request.sharer, &wanted, &known, write, now).await?;
        }
        let results = self.create_shares(wanted, &known, write).await;
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
        request: &CreateRequest,
        now: Timestamp,
    ) -> Result<IdempotencyRecord<Settled>, Problem> {
        let FileListing { files, is_partial } =
            find_files(shareable, request.files.as_deref(), self.rules.max_files).await?;
        let settled = Settled {
            listing: SettledListing {
                files: files.iter().map(|found| StoredFile::from(&found.file)).collect(),
                left_out: is_partial,
                archived: files.iter().any(|found| found.is_archived),
            },
            sharer: StoredSharer::from(sharer),
            title: shareable.title().map(|title| title.as_str().to_owned()),
            language: Some(request.language.unwrap_or(self.default_language).tag().to_owned()),
            reminder: request.reminder.unwrap_or(self.default_reminder).get().into(),
        };
        match idempotent {
            Some(idempotent) => Ok(self.table.save_idempotency_record(idempotent, settled, now).await?),
            None => Ok(IdempotencyRecord { received_at: now, settled }),
        }
    }

    /// Finds those of the wanted shares that exist.
    async fn find_existing(
        &self,
        item: &Item,
        wanted: &[Wanted],
        write: WriteId,
    ) -> Result<HashMap<ShareId, Creation>, Error> {
        let ids: Vec<ShareId> = shares(wanted).map(|share| share.id).collect();
        self.table.find_created(item, &ids, write).await
    }

    /// Checks that neither the module nor the sharer is switched off. Returns the switches, which may concern
    /// recipients.
    async fn require_switched_on(
        &self,
        item: &Item,
        sharer: &Sharer,
        now: Timestamp,
    ) -> Result<Switches, Problem> {
        let switches = self.switches.read(now).await?.switches;
        let is_off = match switches.module_state(&item.module) {
            ModuleState::On => false,
            ModuleState::Off => true,
            ModuleState::DependsOnShare => {
                let key = self.index_key.get_or_fetch().await?;
                switches.is_sharer_off(key.sharer(&sharer.sub))
            }
        };
        if is_off { Err(ProblemType::SharingOff.into()) } else { Ok(switches) }
    }

    /// Counts the emails of the shares that the rules permit and that do not exist yet. Returns those whose
    /// email would exceed a limit.
    async fn count_emails(
        &self,
        sharer: &Sharer,
        wanted: &[Wanted],
        known: &Known,
        write: WriteId,
        now: Timestamp,
    ) -> Result<HashMap<ShareId, LimitReached>, Problem> {
        let is_new = |share: &&Share| !known.existing.contains_key(&share.id);
        let permitted = shares(wanted).filter(is_new).filter_map(|share| self.rules.permit(share).ok());
        let emails = permitted.map(|share| (share.id, &share.share().recipient)).collect();
        let key = self.hash_key.get_or_fetch().await?;
        let email_request = EmailRequest { sharer, write, emails };
        Ok(email_request.count(&self.table, key, self.email_limits, now).await?)
    }

    /// Creates the wanted shares. A failure for one recipient does not affect the others.
    async fn create_shares(
        &self,
        wanted: Vec<Wanted>,
        known: &Known,
        write: WriteId,
    ) -> Vec<RecipientResult> {
        let create = |wanted| async move {
            match wanted {
                Wanted::Nothing(result) => result,
                Wanted::Share(share) => {
                    let created = self.create_share(share, known, write).await;
                    created.unwrap_or_else(RecipientResult::Failed)
                }
            }
        };
        stream::iter(wanted).map(create).buffered(CONCURRENCY).collect().await
    }

    async fn create_share(
        &self,
        share: Box<Share>,
        known: &Known,
        write: WriteId,
    ) -> Result<RecipientResult, Error> {
        let creation = match (known.existing.get(&share.id), self.rules.permit(&share)) {
            (Some(Creation::Retried { created_at }), _) => Creation::Retried { created_at: *created_at },
            (_, Err(violation)) => return Ok(RecipientResult::NotAllowed(violation)),
            (Some(creation), Ok(_)) => creation.clone(),
            (None, Ok(permitted)) => {
                if let Some(limit) = known.limited.get(&share.id) {
                    return Ok(RecipientResult::LimitReached(*limit));
                }
                let hashes = self.index_key.get_or_fetch().await?.hashes(&share);
                self.table.create(permitted, hashes, self.retention, write).await?
            }
        };
        Ok(match creation {
            Creation::Created => RecipientResult::Created(share),
            Creation::Retried { created_at } => {
                RecipientResult::Retried(Box::new(share.as_created_at(created_at)))
            }
            Creation::Exists(existing) => RecipientResult::Exists(existing),
        })
    }
}

/// Returns what the request asks for each recipient, in order.
fn want_shares(
    request: &ShareRequest,
    recipients: &[String],
    switches: &Switches,
    now: Timestamp,
) -> Result<Vec<Wanted>, Error> {
    let want = |recipient| {
        Ok(match recipient {
            ParsedRecipient::Invalid(error) => Wanted::Nothing(RecipientResult::Invalid(error)),
            ParsedRecipient::Duplicate => Wanted::Nothing(RecipientResult::Duplicate),
            ParsedRecipient::Address(address, _) if switches.is_recipient_off(&address) => {
                Wanted::Nothing(RecipientResult::SharingOff)
            }
            ParsedRecipient::Address(address, recipient_name) => {
                let share = request.share_with(address, new_generation()?, now);
                Wanted::Share(Box::new(Share { recipient_name, ..share }))
            }
        })
    };
    request::parse_recipients(recipients).into_iter().map(want).collect()
}

fn shares(wanted: &[Wanted]) -> impl Iterator<Item = &Share> {
    wanted.iter().filter_map(|wanted| match wanted {
        Wanted::Share(share) => Some(&**share),
        Wanted::Nothing(_) => None,
    })
}

/// Finds the files to share: the named files, which must exist, or all of the item's files if `names` is
/// `None`.
async fn find_files(
    item: &ShareableItem<'_>,
    names: Option<&[FileName]>,
    max_files: usize,
) -> Result<FileListing, Problem> {
    let listing = match names {
        None => item.list(None).await?,
        Some(names) => FileListing { files: find_named(item, names, max_files).await?, is_partial: false },
    };
    request::validate_files(listing.files.iter().map(|found| &found.file), max_files).map_err(|error| {
        let detail = match error {
            FilesError::TooMany(_) | FilesError::NamesTooLong | FilesError::KeysTooLong
                if names.is_none() =>
            {
                format!("{error}; name those to share")
            }
            _ => error.to_string(),
        };
        Problem::Invalid(vec![FieldError::pointer("/files", detail)])
    })?;
    Ok(listing)
}

async fn find_named(
    item: &ShareableItem<'_>,
    names: &[FileName],
    max_files: usize,
) -> Result<Vec<ItemFile>, Problem> {
    if names.len() > max_files {
        return Err(Problem::Invalid(vec![FieldError::pointer("/files", FilesError::TooMany(max_files))]));
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
