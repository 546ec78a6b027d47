//! One run: makes an archive, or as much of it as there is time for.

use std::pin::pin;
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, stream};
use sharelink_aws::archives::{ArchiveOrder, BuildError};
use sharelink_aws::share_table::ArchiveBuild;
use sharelink_aws::{AwsError, InternalError, new_write_id};
use sharelink_domain::WriteId;
use sharelink_domain::archive::{
    ArchiveError, ArchiveFile, ArchiveId, LeftOutReason, Object, Plan, Progress, may_be_copied,
};
use thiserror::Error;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use crate::archive_files::ArchiveFiles;
use crate::parts::Parts;

/// Time before the deadline after which no part is started.
const LAST_START: Duration = Duration::from_secs(90);

/// Time before the deadline at which unfinished parts are abandoned: the time for saving the progress, giving
/// up the lease, and sending a message.
const LAST_MOMENT: Duration = Duration::from_secs(30);

/// How often the progress is saved, and the lease renewed.
const SAVE_INTERVAL: Duration = Duration::from_secs(5);

/// The number of files whose checksums are requested concurrently.
const HEAD_CONCURRENCY: usize = 32;

/// How often a run starts an upload again that S3 has lost or rejected.
const RESTARTS: usize = 2;

/// The result of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The archive exists.
    Made,
    /// The next run continues.
    HandedOver,
    /// A file was replaced, or no file is left, so this archive can never be made. The next request is not for
    /// this archive.
    Changed,
    /// The order has expired.
    Expired,
    /// Another run has the lease, or has made the archive already.
    NotNeeded,
}

impl Outcome {
    /// Returns the value of the metric's dimension.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::HandedOver => "handedOver",
            Self::Changed => "changed",
            Self::Expired => "expired",
            Self::NotNeeded => "notNeeded",
        }
    }
}

/// The reason a run failed. The message is then delivered again.
#[derive(Debug, Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Internal(#[from] InternalError),
    #[error(transparent)]
    Adapter(#[from] sharelink_aws::Error),
    #[error("the order {0}")]
    Order(#[from] ArchiveError),
    #[error("none of the files can be read")]
    NothingReadable,
    #[error("a part could not be assembled: {0}")]
    Assemble(#[from] sharelink_domain::archive::AssembleError),
    #[error("S3 did not accept the upload: {0}")]
    Upload(String),
}

/// The reason the parts are not all made.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Another run has the lease.
    LeaseLost,
    /// There is no time left.
    OutOfTime,
    Build(BuildError),
    Failed(RunError),
}

impl<E: Into<RunError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl From<BuildError> for Stop {
    fn from(error: BuildError) -> Self {
        Self::Build(error)
    }
}

/// A run, which has the lease of the archive once it has claimed it.
pub(crate) struct Run<'a> {
    pub(crate) function: &'a ArchiveFiles,
    pub(crate) id: ArchiveId,
    /// Identifies this run as the owner of the lease.
    owner: WriteId,
    /// No part is started after this time.
    pub(crate) last_start: Instant,
    /// Unfinished parts are abandoned at this time.
    pub(crate) last_moment: Instant,
}

impl<'a> Run<'a> {
    /// Creates a run that ends before `deadline`.
    pub(crate) fn new(
        function: &'a ArchiveFiles,
        id: ArchiveId,
        deadline: SystemTime,
    ) -> Result<Self, InternalError> {
        let time_left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
        let now = Instant::now();
        Ok(Self {
            function,
            id,
            owner: new_write_id()?,
            last_start: now + time_left.saturating_sub(LAST_START),
            last_moment: now + time_left.saturating_sub(LAST_MOMENT),
        })
    }

    /// Makes the archive, if no other run does.
    pub(crate) async fn make(&self) -> Result<Outcome, RunError> {
        let ArchiveFiles { table, clock, .. } = self.function;
        let Some(mut build) = table.claim_archive(&self.id, self.owner, clock.now()).await? else {
            return Ok(Outcome::NotNeeded);
        };
        let stopped = match self.continue_build(&mut build).await {
            Ok(outcome) => {
                table.finish_archive(&self.id, self.owner).await?;
                return Ok(outcome);
            }
            Err(stopped) => stopped,
        };
        let released = table.release_archive(&self.id, self.owner, &build, clock.now()).await;
        let error = match stopped {
            Stop::LeaseLost => return Ok(Outcome::NotNeeded),
            Stop::OutOfTime => {
                released?;
                return Ok(Outcome::HandedOver);
            }
            Stop::Build(BuildError::Failed(error)) => error.into(),
            Stop::Build(error) => RunError::Upload(error.to_string()),
            Stop::Failed(error) => error,
        };
        if let Err(error) = released {
            tracing::warn!(%error, "the progress of an archive could not be saved");
        }
        Err(error)
    }

    async fn continue_build(&self, build: &mut ArchiveBuild) -> Result<Outcome, Stop> {
        let bucket = &self.function.bucket;
        if bucket.has_archive(&self.id).await? {
            return self.clean_up(Outcome::Made).await;
        }
        let Some(mut order) = bucket.order(self.id).await? else {
            return self.clean_up(Outcome::Expired).await;
        };
        let mut restarts = 0;
        let mut needs_look_up: fn(&ArchiveFile) -> bool = |file| may_be_copied(file.size);
        loop {
            match self.build(&mut order, needs_look_up, build).await {
                Ok(()) | Err(Stop::Build(BuildError::Exists)) => return self.clean_up(Outcome::Made).await,
                Err(Stop::Build(BuildError::Changed)) => return self.clean_up(Outcome::Changed).await,
                Err(Stop::Build(BuildError::Unavailable(object, reason))) => {
                    build.unavailable.extend(order.positions_of(&object.key).map(|file| (file, reason)));
                    // Finds the others at once. Otherwise, each would start the upload again.
                    needs_look_up = |_| true;
                }
                Err(Stop::Build(error @ (BuildError::UploadLost | BuildError::UploadRejected(_)))) => {
                    // Another run may have completed the upload just before its lease ended.
                    if bucket.has_archive(&self.id).await? {
                        return self.clean_up(Outcome::Made).await;
                    }
                    restarts += 1;
                    build.upload = None;
                    if restarts > RESTARTS {
                        return Err(RunError::Upload(error.to_string()).into());
                    }
                    tracing::warn!(%error, "an archive is made from its beginning");
                }
                Err(stopped) => return Err(stopped),
            }
        }
    }

    /// Aborts what is left of uploads.
    async fn clean_up(&self, outcome: Outcome) -> Result<Outcome, Stop> {
        self.function.bucket.abort_uploads(&self.id).await?;
        Ok(outcome)
    }

    /// Adds the checksums that S3 knows to these of the order's files, and finds out which cannot be read.
    async fn look_up(
        &self,
        order: &mut ArchiveOrder,
        needs_look_up: fn(&ArchiveFile) -> bool,
        build: &mut ArchiveBuild,
    ) -> Result<(), Stop> {
        let is_unavailable = |file: usize| build.unavailable.iter().any(|(other, _)| *other == file);
        let files = order.files.iter().enumerate().filter(|(_, file)| needs_look_up(file));
        let objects: Vec<(usize, Object)> = files
            .filter(|(index, _)| !is_unavailable(*index))
            .map(|(index, file)| {
                (index, Object { key: file.key.clone(), etag: file.etag.clone(), crc32: None })
            })
            .collect();
        let mut heads = stream::iter(&objects)
            .map(|(index, object)| async move { (*index, self.function.bucket.crc32(object).await) })
            .buffer_unordered(HEAD_CONCURRENCY);
        let mut found = Vec::with_capacity(objects.len());
        while let Some((index, crc32)) = heads.next().await {
            match crc32 {
                Ok(crc32) => found.push((index, crc32)),
                Err(BuildError::Unavailable(_, reason)) => build.unavailable.push((index, reason)),
                Err(error) => return Err(error.into()),
            }
        }
        for (index, crc32) in found {
            order.files[index].crc32 = crc32;
        }
        Ok(())
    }

    /// Makes the archive of the files that are available. Continues the upload if its parts are the plan's.
    async fn build(
        &self,
        order: &mut ArchiveOrder,
        needs_look_up: fn(&ArchiveFile) -> bool,
        build: &mut ArchiveBuild,
    ) -> Result<(), Stop> {
        self.look_up(order, needs_look_up, build).await?;
        let plan = &match order.archive(&build.unavailable) {
            Ok(archive) => Plan::new(archive),
            Err(ArchiveError::Empty) => return Err(nothing_left(build)),
            Err(error) => return Err(error.into()),
        };
        let bucket = &self.function.bucket;
        let saved = build.upload.clone().zip(Progress::from_bytes(plan, &build.progress));
        let (upload, progress) = if let Some(saved) = saved {
            saved
        } else {
            let upload = bucket.start_upload(&self.id).await?;
            let progress = Progress::new(plan);
            build.upload = Some(upload.clone());
            self.save(plan, &progress, build).await?;
            (upload, progress)
        };
        let parts = Parts::new(self, plan, &upload, progress);
        let result = parts.make(build).await;
        let progress = parts.into_progress();
        record(plan, &progress, build);
        result?;
        self.complete(plan, &progress, &upload, build).await
    }

    /// Lets S3 put the parts together, and keeps the lease for as long as that takes.
    async fn complete(
        &self,
        plan: &Plan,
        progress: &Progress,
        upload: &str,
        build: &mut ArchiveBuild,
    ) -> Result<(), Stop> {
        let parts = progress.completed(plan).ok_or(Stop::OutOfTime)?;
        let mut completed = pin!(self.function.bucket.complete(&self.id, upload, &parts));
        let mut saves = save_interval();
        loop {
            tokio::select! {
                result = &mut completed => return Ok(result?),
                _ = saves.tick() => self.save(plan, progress, build).await?,
                // S3 may still complete the upload. The next run finds out.
                () = sleep_until(self.last_moment) => return Err(Stop::OutOfTime),
            }
        }
    }

    /// Saves the progress, and renews the lease.
    pub(crate) async fn save(
        &self,
        plan: &Plan,
        progress: &Progress,
        build: &mut ArchiveBuild,
    ) -> Result<(), Stop> {
        record(plan, progress, build);
        let ArchiveFiles { table, clock, .. } = self.function;
        let is_held = table.save_archive(&self.id, self.owner, build, clock.now()).await?;
        if is_held { Ok(()) } else { Err(Stop::LeaseLost) }
    }
}

/// Returns the times at which to save the progress, starting one interval from now.
pub(crate) fn save_interval() -> Interval {
    let mut saves = interval(SAVE_INTERVAL);
    saves.set_missed_tick_behavior(MissedTickBehavior::Delay);
    saves.reset();
    saves
}

/// Returns why no archive is made if none of its files is available.
fn nothing_left(build: &mut ArchiveBuild) -> Stop {
    if build.unavailable.iter().all(|(_, reason)| *reason != LeftOutReason::Unreadable) {
        return BuildError::Changed.into();
    }
    // Probably a permission is missing. The next run asks for all files again.
    build.unavailable.clear();
    RunError::NothingReadable.into()
}

fn record(plan: &Plan, progress: &Progress, build: &mut ArchiveBuild) {
    build.progress = progress.to_bytes(plan);
    build.bytes_done = progress.bytes_done(plan);
    build.bytes = plan.size();
}
