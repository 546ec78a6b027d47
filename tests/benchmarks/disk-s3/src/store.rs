//! Objects and multipart uploads, as pieces of files.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sharelink_domain::archive::Crc32Hasher;

use crate::request::ObjectId;

/// The minimum size of every part but the last, and of an object of which a range may be copied.
const MIN_PART: u64 = 5 << 20;

const MAX_PART: u64 = 5 << 30;

/// An error code of S3.
#[derive(Debug)]
pub(crate) enum StoreError {
    NoSuchKey,
    NoSuchUpload,
    PreconditionFailed,
    InvalidRange,
    InvalidRequest,
    EntityTooSmall,
    EntityTooLarge,
    InvalidPart,
    Io(io::Error),
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A file with the content of an object or of a part.
pub(crate) struct Content {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    /// Whether the file belongs to the store, and is deleted with the last object or upload that needs it.
    is_owned: bool,
}

impl Drop for Content {
    fn drop(&mut self) {
        if self.is_owned {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[derive(Clone)]
pub(crate) struct Object {
    /// Without quotation marks. Not a hash of the content: hashing would take longer than everything else.
    pub(crate) etag: String,
    pub(crate) size: u64,
    /// The CRC-32 of the full object, in base64.
    pub(crate) crc32: Option<String>,
    pub(crate) pieces: Vec<Arc<Content>>,
}

struct Upload {
    target: ObjectId,
    parts: BTreeMap<u32, (String, Arc<Content>)>,
}

/// An object to add whose content is a file in the store's directory.
#[derive(Deserialize)]
pub(crate) struct AddedObject {
    bucket: String,
    key: String,
    file: String,
    /// Whether the store knows the object's checksum.
    has_checksum: bool,
}

/// Calls and bytes since the last reset.
#[derive(Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) calls: u64,
    /// Bytes of objects that clients received.
    pub(crate) read: u64,
    /// Bytes of objects and parts that clients sent.
    pub(crate) written: u64,
    /// Bytes that the store copied.
    pub(crate) copied: u64,
}

pub(crate) struct Store {
    directory: PathBuf,
    objects: Mutex<BTreeMap<ObjectId, Object>>,
    uploads: Mutex<HashMap<String, Upload>>,
    counts: Mutex<Counts>,
    last_id: AtomicU64,
}

impl Store {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            objects: Mutex::default(),
            uploads: Mutex::default(),
            counts: Mutex::default(),
            last_id: AtomicU64::new(0),
        }
    }

    /// Adds objects. Objects of the same file share its content. Returns their entity tags and checksums.
    pub(crate) fn add(&self, added: Vec<AddedObject>) -> Result<Vec<(String, Option<String>)>, StoreError> {
        let mut tags = Vec::with_capacity(added.len());
        let mut contents: HashMap<String, (Arc<Content>, Option<String>)> = HashMap::new();
        for object in added {
            let path = self.directory.join(&object.file);
            let (content, crc32) = contents.entry(object.file.clone()).or_insert_with(|| {
                let size = fs::metadata(&path).map(|metadata| metadata.len()).unwrap_or_default();
                (Arc::new(Content { path: path.clone(), size, is_owned: false }), None)
            });
            if object.has_checksum && crc32.is_none() {
                *crc32 = Some(compute_crc32(&path)?);
            }
            let crc32 = crc32.clone().filter(|_| object.has_checksum);
            let pieces = vec![Arc::clone(content)];
            tags.push((self.put((object.bucket, object.key), pieces, crc32.clone()), crc32));
        }
        Ok(tags)
    }

    /// Creates or replaces an object. Returns its entity tag.
    pub(crate) fn put(&self, id: ObjectId, pieces: Vec<Arc<Content>>, crc32: Option<String>) -> String {
        let (etag, size) = (self.new_id(), pieces.iter().map(|piece| piece.size).sum());
        lock(&self.objects).insert(id, Object { etag: etag.clone(), size, crc32, pieces });
        etag
    }

    pub(crate) fn delete(&self, id: &ObjectId) {
        lock(&self.objects).remove(id);
    }

    /// Returns an object if it has this entity tag.
    pub(crate) fn get(&self, id: &ObjectId, if_match: Option<&str>) -> Result<Object, StoreError> {
        let object = lock(&self.objects).get(id).cloned().ok_or(StoreError::NoSuchKey)?;
        match if_match {
            Some(etag) if etag.trim_matches('"') != object.etag => Err(StoreError::PreconditionFailed),
            _ => Ok(object),
        }
    }

    /// Returns the keys and the objects in a bucket under this prefix.
    pub(crate) fn list(&self, bucket: &str, prefix: &str) -> Vec<(String, Object)> {
        let objects = lock(&self.objects);
        let listed = objects.iter().filter(|((b, key), _)| b == bucket && key.starts_with(prefix));
        listed.map(|((_, key), object)| (key.clone(), object.clone())).collect()
    }

    pub(crate) fn start_upload(&self, target: ObjectId) -> String {
        let id = self.new_id();
        lock(&self.uploads).insert(id.clone(), Upload { target, parts: BTreeMap::new() });
        id
    }

    /// Returns the keys and the ids of the uploads in a bucket under this prefix.
    pub(crate) fn list_uploads(&self, bucket: &str, prefix: &str) -> Vec<(String, String)> {
        let uploads = lock(&self.uploads);
        let listed = uploads.iter().filter(|(_, upload)| {
            let (b, key) = &upload.target;
            b == bucket && key.starts_with(prefix)
        });
        listed.map(|(id, upload)| (upload.target.1.clone(), id.clone())).collect()
    }

    pub(crate) fn abort(&self, upload: &str) -> Result<(), StoreError> {
        lock(&self.uploads).remove(upload).map(drop).ok_or(StoreError::NoSuchUpload)
    }

    /// Adds a part to an upload. Returns the part's entity tag.
    pub(crate) fn add_part(&self, upload: &str, number: u32, content: Content) -> Result<String, StoreError> {
        if content.size > MAX_PART {
            return Err(StoreError::EntityTooLarge);
        }
        let etag = self.new_id();
        let mut uploads = lock(&self.uploads);
        let upload = uploads.get_mut(upload).ok_or(StoreError::NoSuchUpload)?;
        upload.parts.insert(number, (etag.clone(), Arc::new(content)));
        Ok(etag)
    }

    /// Copies an object or a range of it into a new file.
    pub(crate) fn copy(&self, source: &Object, range: Option<Range<u64>>) -> Result<Content, StoreError> {
        if range.is_some() && source.size <= MIN_PART {
            return Err(StoreError::InvalidRequest);
        }
        let path = self.new_file();
        let mut copy = File::create(&path)?;
        let mut content = Content { path, size: 0, is_owned: true };
        for (piece, range) in pieces_in(&source.pieces, range.unwrap_or(0..source.size)) {
            let mut file = File::open(&piece.path)?;
            file.seek(SeekFrom::Start(range.start))?;
            // The standard library lets the kernel copy these bytes.
            content.size += io::copy(&mut file.take(range.end - range.start), &mut copy)?;
        }
        lock(&self.counts).copied += content.size;
        Ok(content)
    }

    /// Makes an object of these parts of an upload, unless the object must not exist and does.
    pub(crate) fn complete(
        &self,
        upload_id: &str,
        parts: &[(u32, &str)],
        must_not_exist: bool,
    ) -> Result<String, StoreError> {
        let mut uploads = lock(&self.uploads);
        let upload = uploads.get(upload_id).ok_or(StoreError::NoSuchUpload)?;
        if must_not_exist && lock(&self.objects).contains_key(&upload.target) {
            return Err(StoreError::PreconditionFailed);
        }
        if parts.is_empty() || !parts.is_sorted_by(|(number, _), (next, _)| number < next) {
            return Err(StoreError::InvalidPart);
        }
        let mut pieces = Vec::with_capacity(parts.len());
        for (number, etag) in parts {
            match upload.parts.get(number) {
                Some((other, content)) if other == etag.trim_matches('"') => pieces.push(Arc::clone(content)),
                _ => return Err(StoreError::InvalidPart),
            }
        }
        if pieces[..pieces.len() - 1].iter().any(|piece| piece.size < MIN_PART) {
            return Err(StoreError::EntityTooSmall);
        }
        let etag = self.put(upload.target.clone(), pieces, None);
        uploads.remove(upload_id);
        Ok(etag)
    }

    pub(crate) fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut lock(&self.counts));
    }

    /// Returns the counts since the last call.
    pub(crate) fn take_counts(&self) -> Counts {
        std::mem::take(&mut *lock(&self.counts))
    }

    /// Returns the path of a new file for content that belongs to the store.
    pub(crate) fn new_file(&self) -> PathBuf {
        self.directory.join(format!("content-{}", self.new_id()))
    }

    /// Returns the file's content, which now belongs to the store.
    pub(crate) fn own(path: PathBuf, size: u64) -> Content {
        Content { path, size, is_owned: true }
    }

    /// As long as an MD5 hash.
    fn new_id(&self) -> String {
        format!("{:032x}", self.last_id.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// Returns the pieces that contain a range, and where.
pub(crate) fn pieces_in(pieces: &[Arc<Content>], range: Range<u64>) -> Vec<(Arc<Content>, Range<u64>)> {
    let mut start = 0;
    let mut found = Vec::new();
    for piece in pieces {
        let end = start + piece.size;
        let (from, to) = (range.start.max(start), range.end.min(end));
        if from < to {
            found.push((Arc::clone(piece), from - start..to - start));
        }
        start = end;
    }
    found
}

fn compute_crc32(path: &PathBuf) -> io::Result<String> {
    let (mut file, mut hasher) = (File::open(path)?, Crc32Hasher::default());
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(STANDARD.encode(hasher.finish().to_u32().to_be_bytes())),
            length => hasher.update(&buffer[..length]),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
