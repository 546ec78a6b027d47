//! Creating the shares of one order.

use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use sharelink_aws::files::{FileStore, Listing};
use sharelink_aws::share_table::{Creation, ShareTable};
use sharelink_aws::{AwsError, new_generation, new_write_id};
use sharelink_domain::request::{self, FilesError, Recipient, ShareRequest};
use sharelink_domain::{FileName, Item, Share, SharedFile, Timestamp};
use sharelink_http::{Answer, Authorization, FieldError, Problem, Request, item, json_body};
use sharelink_runtime::Clock;

use crate::order::{Order, OrderBody};
use crate::results::{self, ALREADY_EXPIRED, FILES_LEFT_OUT, Outcome};

/// How many calls of one request may wait for AWS at the same time.
const CONCURRENCY: usize = 16;

pub(crate) struct CreateShares {
    pub(crate) authorization: Authorization,
    pub(crate) clock: Clock,
    pub(crate) files: FileStore,
    pub(crate) retention: TimeDelta,
    pub(crate) table: ShareTable,
}

impl CreateShares {
    pub(crate) async fn handle(&self, request: Request) -> Result<Answer, Problem> {
        let now = self.clock.now();
        let item = item(&request)?;
        let sharer = self.authorization.sharer(&request, &item.module)?;
        let order = json_body::<OrderBody>(&request)?.read(now)?;
        let (files, left_out) = self.shared_files(&item, order.files.as_deref()).await?;
        let Order { recipients, expiry, message, notify, .. } = order;
        let request = ShareRequest { item, files, sharer, message, expiry, notify };
        let outcomes = self.create(&request, &recipients, now).await;
        for outcome in &outcomes {
            if let Outcome::Failed(error) = outcome {
                tracing::error!(%error, "a share could not be created");
            }
        }
        let expired = expiry.already_past().then_some(ALREADY_EXPIRED);
        let warnings: Vec<_> = expired.into_iter().chain(left_out.then_some(FILES_LEFT_OUT)).collect();
        Ok(results::answer(&recipients, &outcomes, &warnings, now))
    }

    /// The files to share: those named, which must be the item's, or all that it has. Whether some of these
    /// had to be left out comes with them.
    async fn shared_files(
        &self,
        item: &Item,
        names: Option<&[FileName]>,
    ) -> Result<(Vec<SharedFile>, bool), Problem> {
        let Listing { files, left_out } = match names {
            None => self.files.list(item).await?,
            Some(names) => Listing { files: self.find(item, names).await?, left_out: false },
        };
        request::check_files(&files).map_err(|error| {
            let detail = match error {
                FilesError::TooMany if names.is_none() => format!("{error}; name those to share"),
                _ => error.to_string(),
            };
            Problem::Invalid(vec![FieldError::pointer("/files", detail)])
        })?;
        Ok((files, left_out))
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
    async fn create(&self, request: &ShareRequest, typed: &[String], now: Timestamp) -> Vec<Outcome> {
        let create = |recipient| async move {
            match recipient {
                Recipient::Invalid(error) => Outcome::Invalid(error),
                Recipient::Duplicate => Outcome::Duplicate,
                Recipient::Address(address) => {
                    let share =
                        new_generation().map(|generation| request.share_with(address, generation, now));
                    match share {
                        Ok(share) => self.put(share).await,
                        Err(error) => Outcome::Failed(error),
                    }
                }
            }
        };
        stream::iter(request::recipients(typed)).map(create).buffered(CONCURRENCY).collect().await
    }

    async fn put(&self, share: Share) -> Outcome {
        let created = match new_write_id() {
            Ok(write) => self.table.create(&share, self.retention, write).await,
            Err(error) => Err(error),
        };
        match created {
            Ok(Creation::Created) => Outcome::Created(Box::new(share)),
            Ok(Creation::Exists(existing)) => Outcome::Exists(existing),
            Err(error) => Outcome::Failed(error),
        }
    }
}
