//! A server's end of a connection, which can die while the function at the other end is idle.
//!
//! A frozen instance never receives its peer's close. After a thaw, the peer either resets the connection at
//! the next byte, or a device in between drops the byte and nothing ever comes back.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What a dead connection does when its client sends something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    Reset,
    Silence,
}

const ALIVE: u8 = 0;

/// The open connections of a server.
#[derive(Default)]
pub(crate) struct Connections(Mutex<Vec<Weak<AtomicU8>>>);

impl Connections {
    pub(crate) fn add(&self, stream: TcpStream) -> Connection {
        let death = Arc::new(AtomicU8::new(ALIVE));
        let mut connections = self.0.lock().unwrap();
        connections.retain(|connection| connection.strong_count() > 0);
        connections.push(Arc::downgrade(&death));
        Connection { stream, death }
    }

    /// Kills all open connections. Their clients do not notice.
    pub(crate) fn kill(&self, death: Death) {
        for connection in self.0.lock().unwrap().drain(..).filter_map(|connection| connection.upgrade()) {
            connection.store(death as u8 + 1, Ordering::Relaxed);
        }
    }
}

pub(crate) struct Connection {
    stream: TcpStream,
    /// [`ALIVE`], or the [`Death`] plus one.
    death: Arc<AtomicU8>,
}

impl Connection {
    fn death(&self) -> Option<Death> {
        match self.death.load(Ordering::Relaxed) {
            ALIVE => None,
            death if death == Death::Reset as u8 + 1 => Some(Death::Reset),
            _ => Some(Death::Silence),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = buf.filled().len();
        loop {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
            match self.death() {
                None => return Poll::Ready(Ok(())),
                // Closing a socket with a zero linger time sends a reset.
                Some(Death::Reset) => {
                    self.stream.set_zero_linger()?;
                    return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
                }
                Some(Death::Silence) if buf.filled().len() == filled => return Poll::Ready(Ok(())),
                Some(Death::Silence) => buf.set_filled(filled),
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.death().is_some() {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Does not close a dead connection in order.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.death().is_some() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
