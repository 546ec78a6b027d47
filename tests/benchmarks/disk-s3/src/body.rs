//! Bodies of requests and responses, to and from files.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::store::Content;

/// The number of bytes that are read or written at a time.
const CHUNK: usize = 256 * 1024;

pub(crate) type Body = BoxBody<Bytes, io::Error>;

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

/// Returns a body that reads these ranges of files.
pub(crate) fn read(pieces: Vec<(Arc<Content>, Range<u64>)>) -> Body {
    let (send, receive) = mpsc::channel(2);
    spawn_blocking(move || {
        let result = read_pieces(&pieces, |bytes| send.blocking_send(Ok(Frame::data(bytes))).is_ok());
        if let Err(error) = result {
            let _ = send.blocking_send(Err(error));
        }
    });
    let frames = stream::unfold(receive, async |mut receive| Some((receive.recv().await?, receive)));
    StreamBody::new(Box::pin(frames)).boxed()
}

/// Reads ranges of files until `take` returns `false`.
fn read_pieces(pieces: &[(Arc<Content>, Range<u64>)], mut take: impl FnMut(Bytes) -> bool) -> io::Result<()> {
    for (piece, range) in pieces {
        let file = File::open(&piece.path)?;
        let mut position = range.start;
        while position < range.end {
            let left = usize::try_from(range.end - position).unwrap_or(usize::MAX);
            let mut chunk = vec![0; left.min(CHUNK)];
            file.read_exact_at(&mut chunk, position)?;
            position += chunk.len() as u64;
            if !take(chunk.into()) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Writes a body into a new file. Returns the number of bytes.
pub(crate) async fn write(mut body: Incoming, path: &Path) -> io::Result<u64> {
    let (send, mut receive) = mpsc::channel::<Vec<u8>>(2);
    let mut file = File::create(path)?;
    let writing = spawn_blocking(move || {
        while let Some(chunk) = receive.blocking_recv() {
            file.write_all(&chunk)?;
        }
        io::Result::Ok(())
    });
    let (mut size, mut chunk) = (0, Vec::with_capacity(CHUNK));
    while let Some(frame) = body.frame().await {
        let Ok(bytes) = frame.map_err(io::Error::other)?.into_data() else { continue };
        size += bytes.len() as u64;
        chunk.extend_from_slice(&bytes);
        if chunk.len() >= CHUNK {
            let _ = send.send(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK))).await;
        }
    }
    let _ = send.send(chunk).await;
    drop(send);
    writing.await.map_err(io::Error::other)??;
    Ok(size)
}
