//! Redeems links for an archive of all files.
//!
//! An archive is made once for everyone who downloads the same files, by the function `archive-files`. Until it
//! is ready, recipients get a page that refreshes itself. Only the response that leads to the archive is counted.

use std::time::{Duration, SystemTime};

use sharelink_aws::archives::{ArchiveStatus, ArchiveStore};
use sharelink_aws::files::SignedMethod;
use sharelink_aws::share_table::ShareTable;
use sharelink_aws::{AwsConfig, new_write_id};
use sharelink_domain::access::{DownloadError, Redemption, Target};
use sharelink_domain::archive::{ArchiveFile, ArchiveId, ArchiveOrder, LeftOut, LeftOutReason, Limits};
use sharelink_domain::history::LinkUse;
use sharelink_domain::link::Link;
use sharelink_domain::switches::SwitchReading;
use sharelink_domain::{Share, SharedFile, Timestamp, UseSource};
use sharelink_http::Response;
use sharelink_runtime::{Clock, SettingError, required, required_number};
use tokio::time::{Instant, sleep};

use crate::pages::{self, ResponseFormat, Waiting};
use crate::purpose::Purpose;
use crate::redeem::{RedeemLink, RedemptionFailure, redirect, url_lifetime};

/// The archives that the deployment makes.
pub(crate) struct Archives {
    pub(crate) store: ArchiveStore,
    pub(crate) limits: Limits,
}

/// How long a recipient waits for a small archive. Most people then never see the page.
const WAIT: Duration = Duration::from_secs(2);

/// How often a waiting request looks for the archive.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The size of an archive that may be made within the [wait](WAIT), in bytes.
const QUICK_BYTES: u64 = 250_000_000;

impl Archives {
    /// Reads the settings. Returns `None` if the deployment makes no archives.
    pub(crate) fn from_env(config: &AwsConfig, table: &ShareTable) -> Result<Option<Self>, SettingError> {
        let gigabytes = required_number("MAX_ARCHIVE_GIGABYTES")?;
        let files = required_number("MAX_ARCHIVE_FILES")?;
        if gigabytes == 0 || files == 0 {
            return Ok(None);
        }
        let limits = Limits { bytes: u64::from(gigabytes) * 1_000_000_000, files: files.into() };
        let (bucket, queue) = (required("ARCHIVE_BUCKET")?, required("ARCHIVE_QUEUE_URL")?);
        let store = ArchiveStore::new(config, table.clone(), bucket, queue);
        Ok(Some(Self { store, limits }))
    }

    /// Returns whether the share's files may be downloaded as one archive, as far as the share itself shows it.
    pub(crate) fn offers(&self, share: &Share) -> bool {
        share.has_archive()
            && share.files.len() <= self.limits.files
            && total_size(&share.files) <= self.limits.bytes
    }

    /// Requests the archive, unless it is being made, and waits for it if it is small.
    async fn make(
        &self,
        order: &ArchiveOrder,
        mut status: ArchiveStatus,
        clock: &Clock,
    ) -> Result<ArchiveStatus, RedemptionFailure> {
        if status == ArchiveStatus::Missing {
            self.store.request(order, clock.now()).await?;
        }
        let deadline = Instant::now() + WAIT;
        loop {
            let bytes_left = match status {
                ArchiveStatus::Ready => return Ok(status),
                ArchiveStatus::Building { bytes_done, bytes } => bytes.saturating_sub(bytes_done),
                ArchiveStatus::Missing => order.bytes(),
            };
            if bytes_left > QUICK_BYTES || Instant::now() + POLL_INTERVAL > deadline {
                return Ok(status);
            }
            sleep(POLL_INTERVAL).await;
            status = self.store.status(&order.id, clock.now()).await?;
        }
    }
}

/// Returns the size of all files in bytes. An item resolver may give any sizes, so their sum may overflow.
pub(crate) fn total_size(files: &[SharedFile]) -> u64 {
    files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
}

impl RedeemLink {
    /// Redeems a link for an archive of all files. A request that is not a use neither counts nor orders
    /// anything.
    pub(crate) async fn redeem_archive(
        &self,
        archives: &Archives,
        (link, token): (&Link, &str),
        reading: &SwitchReading,
        purpose: Purpose,
        source: Option<UseSource>,
        format: &mut ResponseFormat,
    ) -> Result<Response, RedemptionFailure> {
        let (found, listed) = tokio::join!(
            self.read_share(link, Target::Archive, &reading.switches, self.clock.now(), format),
            self.files.list_objects(&self.key_layout, &link.item),
        );
        let share = found?;
        let (now, decided_at) = (self.clock.now(), SystemTime::now());
        let (shared, lifetime) = self.decide_archive(&share, link, now)?;
        let (files, left_out) =
            split(self.files.find_for_archive(&self.key_layout, &link.item, shared, &listed).await?);
        // An archive of nothing but a text would not help the recipient.
        if let Some(first) = left_out.first().filter(|_| files.is_empty()) {
            return Err(RedemptionFailure::NoFile(match first.reason {
                LeftOutReason::Missing => DownloadError::Missing,
                LeftOutReason::Archived => DownloadError::Archived,
                LeftOutReason::Unreadable => DownloadError::Forbidden,
            }));
        }
        let order = ArchiveOrder::new(files, left_out, archives.limits)
            .map_err(|_| RedemptionFailure::ArchiveTooLarge)?;

        let mut status = archives.store.status(&order.id, now).await?;
        if purpose == Purpose::Use {
            status = archives.make(&order, status, &self.clock).await?;
        }
        let (bytes_done, bytes) = match status {
            ArchiveStatus::Ready if purpose == Purpose::Use => {
                return self.count_archive(&archives.store, &order.id, link, reading, source).await;
            }
            ArchiveStatus::Ready => {
                let (store, name) = (&archives.store, share.archive_name());
                let lifetime = lifetime.min(url_lifetime(reading, now)?);
                return redirect(
                    &store.sign_url(&order.id, &name, SignedMethod::Head, decided_at, lifetime).await?,
                );
            }
            ArchiveStatus::Building { bytes_done, bytes } => (bytes_done, bytes),
            ArchiveStatus::Missing => (0, order.bytes()),
        };
        let waiting = Waiting { bytes_done, bytes, left_out: &order.left_out, token };
        Ok(pages::waiting(&self.look, &waiting, *format))
    }

    /// Counts a download of an archive that is ready, and redirects to it. The count decides: the share may
    /// have ended while the archive was made.
    async fn count_archive(
        &self,
        store: &ArchiveStore,
        id: &ArchiveId,
        link: &Link,
        reading: &SwitchReading,
        source: Option<UseSource>,
    ) -> Result<Response, RedemptionFailure> {
        let (now, decided_at) = (self.clock.now(), SystemTime::now());
        let switches_limit = url_lifetime(reading, now)?;
        let counted_use = LinkUse { id: new_write_id()?, at: now, source };
        let counted = self.table.redeem(link, Target::Archive, &counted_use).await?;
        let share = counted.ok_or(RedemptionFailure::UnknownLink)?;
        let (_, lifetime) = self.decide_archive(&share, link, now)?;
        let name = share.archive_name();
        let lifetime = lifetime.min(switches_limit);
        let url = store.sign_url(id, &name, SignedMethod::Get, decided_at, lifetime).await?;
        metrics::counter!("Downloads").increment(1);
        redirect(&url)
    }

    /// Returns the files of the archive that the share gives access to, and the lifetime of its URL.
    fn decide_archive<'a>(
        &self,
        share: &'a Share,
        link: &Link,
        now: Timestamp,
    ) -> Result<(&'a [SharedFile], Duration), RedemptionFailure> {
        match share.redeem(link.generation, Target::Archive, now) {
            Ok(Redemption::Archive(files, lifetime)) => Ok((files, lifetime)),
            Ok(Redemption::File(..) | Redemption::List(_)) => Err(RedemptionFailure::UnknownLink),
            Err(error) => Err(self.refusal(error, share)),
        }
    }
}

/// Splits the files into those that can be read and those that an archive lacks.
fn split(found: Vec<Result<ArchiveFile, LeftOut>>) -> (Vec<ArchiveFile>, Vec<LeftOut>) {
    let (mut files, mut left_out) = (Vec::with_capacity(found.len()), Vec::new());
    for file in found {
        match file {
            Ok(file) => files.push(file),
            Err(file) => left_out.push(file),
        }
    }
    (files, left_out)
}
