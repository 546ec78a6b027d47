//! Makes the parts of an archive, several at a time.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, TryStreamExt, stream, try_join};
use sharelink_aws::archives::BuildError;
use sharelink_aws::share_table::ArchiveBuild;
use sharelink_domain::archive::{
    AssembleError, Checksums, Crc32Hasher, ETag, LeftOutReason, Object, ObjectRange, Part, PartContent,
    PartNumber, Plan, Progress,
};
use tokio::time::{Instant, sleep_until};

use crate::run::{Run, Stop, save_interval};

/// The number of parts in memory. A part has up to 17 MiB, and the function stays below 96 MB.
const ASSEMBLED_AT_ONCE: usize = 3;

/// The number of parts that S3 copies at a time while the function reads them for their checksum.
const READ_AT_ONCE: usize = 4;

/// The number of other parts that S3 copies at a time.
const COPIED_AT_ONCE: usize = 16;

/// The number of objects that are read at a time for one part.
const OBJECTS_AT_ONCE: usize = 8;

/// What limits how many parts are made at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Assembled,
    Read,
    Copied,
}

impl Kind {
    fn of(part: &Part, plan: &Plan) -> Self {
        match &part.content {
            PartContent::Assemble(_) => Self::Assembled,
            PartContent::Copy(range) if plan.needs_checksum(range) => Self::Read,
            PartContent::Copy(_) => Self::Copied,
        }
    }

    fn limit(self) -> usize {
        match self {
            Self::Assembled => ASSEMBLED_AT_ONCE,
            Self::Read => READ_AT_ONCE,
            Self::Copied => COPIED_AT_ONCE,
        }
    }
}

/// The parts of one upload.
pub(crate) struct Parts<'a> {
    run: &'a Run<'a>,
    plan: &'a Plan,
    upload: &'a str,
    progress: Mutex<Progress>,
}

impl<'a> Parts<'a> {
    pub(crate) fn new(run: &'a Run<'a>, plan: &'a Plan, upload: &'a str, progress: Progress) -> Self {
        Self { run, plan, upload, progress: Mutex::new(progress) }
    }

    pub(crate) fn into_progress(self) -> Progress {
        self.progress.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never held while waiting.
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes all parts, or as many as there is time for.
    pub(crate) async fn make(&self, build: &mut ArchiveBuild) -> Result<(), Stop> {
        let mut running = FuturesUnordered::new();
        let mut started: HashSet<PartNumber> = HashSet::new();
        let mut has_progress = false;
        let mut saves = save_interval();
        loop {
            // Every run makes a part, so that a late start does not hand over forever.
            if Instant::now() < self.run.last_start || !has_progress && running.is_empty() {
                for part in self.next_parts(&started) {
                    started.insert(part.number);
                    running.push(async move { (part, self.make_part(part).await) });
                }
            }
            tokio::select! {
                made = running.next() => {
                    let Some((part, made)) = made else { return Ok(()) };
                    let (etag, checksums) = made?;
                    self.progress().record(part, etag, checksums);
                    started.remove(&part.number);
                    has_progress = true;
                }
                _ = saves.tick() => {
                    let progress = self.progress().clone();
                    self.run.save(self.plan, &progress, build).await?;
                }
                () = sleep_until(self.run.last_moment) => return Ok(()),
            }
        }
    }

    /// Returns the parts to start next.
    fn next_parts(&self, started: &HashSet<PartNumber>) -> Vec<&'a Part> {
        let progress = self.progress();
        let kind = |part| Kind::of(part, self.plan);
        let mut free = [Kind::Assembled, Kind::Read, Kind::Copied].map(|kind| (kind, kind.limit()));
        for (number, part) in self.plan.parts().iter().map(|part| (part.number, part)) {
            if started.contains(&number) {
                take(&mut free, kind(part));
            }
        }
        let waiting = self.plan.ready_parts(&progress).filter(|part| !started.contains(&part.number));
        waiting.filter(|part| take(&mut free, kind(part))).collect()
    }

    async fn make_part(&self, part: &'a Part) -> Result<(ETag, Checksums), Stop> {
        match &part.content {
            PartContent::Copy(range) => self.copy(part.number, range).await,
            PartContent::Assemble(_) => self.assemble(part).await,
        }
    }

    async fn copy(&self, number: PartNumber, range: &ObjectRange) -> Result<(ETag, Checksums), Stop> {
        let Run { function, id, .. } = self.run;
        let object = self.object(range)?;
        let bytes = (!self.plan.is_whole(range)).then(|| range.bytes.clone());
        let copy = function.bucket.copy_part(id, self.upload, number, object, bytes);
        if !self.plan.needs_checksum(range) {
            return Ok((copy.await?, Checksums::of_copied(None)));
        }
        let read = async {
            let mut hasher = Crc32Hasher::default();
            function.bucket.read(object, range.bytes.clone(), |bytes| hasher.update(bytes)).await?;
            Ok::<_, BuildError>(hasher.finish())
        };
        let (etag, crc) = try_join!(copy, read)?;
        Ok((etag, Checksums::of_copied(Some(crc))))
    }

    async fn assemble(&self, part: &Part) -> Result<(ETag, Checksums), Stop> {
        let Run { function, id, .. } = self.run;
        let mut buffer = vec![0; usize::try_from(part.size).map_err(|_| AssembleError::Length)?];
        let places = places(&mut buffer, part.objects())?;
        let reads = stream::iter(places).map(|(place, range)| async move {
            let object = self.object(range)?;
            let mut rest = place;
            let take = |bytes: &[u8]| {
                let (target, left) = std::mem::take(&mut rest).split_at_mut(bytes.len());
                target.copy_from_slice(bytes);
                rest = left;
            };
            Ok::<_, Stop>(function.bucket.read(object, range.bytes.clone(), take).await?)
        });
        reads.buffer_unordered(OBJECTS_AT_ONCE).try_collect::<()>().await?;
        let checksums = self.plan.assemble(part, &self.progress(), &mut buffer);
        let checksums = match checksums {
            // S3 reports a checksum that is not the content's.
            Err(AssembleError::Checksum { entry }) => {
                let range = ObjectRange { entry, bytes: 0..0 };
                let object = self.object(&range)?.clone();
                return Err(BuildError::Unavailable(object, LeftOutReason::Unreadable).into());
            }
            checksums => checksums?,
        };
        let etag = function.bucket.upload_part(id, self.upload, part.number, buffer).await?;
        Ok((etag, checksums))
    }

    fn object(&self, range: &ObjectRange) -> Result<&'a Object, AssembleError> {
        self.plan.object(range).ok_or(AssembleError::NotReady)
    }
}

/// Takes a place of this kind, if there is one.
fn take(free: &mut [(Kind, usize)], kind: Kind) -> bool {
    let place = free.iter_mut().find(|(other, left)| *other == kind && *left > 0);
    place.map(|(_, left)| *left -= 1).is_some()
}

/// Returns the places of the objects in a part's buffer.
fn places<'b, 'r>(
    buffer: &'b mut [u8],
    objects: impl Iterator<Item = (Range<usize>, &'r ObjectRange)>,
) -> Result<Vec<(&'b mut [u8], &'r ObjectRange)>, AssembleError> {
    let (mut rest, mut position) = (buffer, 0);
    let mut places = Vec::new();
    for (place, range) in objects {
        let before = place.start.checked_sub(position).ok_or(AssembleError::Length)?;
        let (_, from) = rest.split_at_mut_checked(before).ok_or(AssembleError::Length)?;
        let (bytes, after) = from.split_at_mut_checked(place.len()).ok_or(AssembleError::Length)?;
        places.push((bytes, range));
        (rest, position) = (after, place.end);
    }
    Ok(places)
}
