//! One stream of the crate, shared by whoever reads, writes and closes it.

use muxado::Stream;
use muxado::typed::TypedStream;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::sleep;

use crate::fail::Fail;
use crate::wire::{Signals, Trouble, Wire, locked};

/// How long the crate has to tell a reader or writer by itself of an RST, and of the session's end.
const RST_GRACE: Duration = Duration::from_millis(200);
const RST_ROUNDS: u32 = 25;
const OVER_GRACE: Duration = Duration::from_secs(1);

pub const TYPE_BYTES: u64 = 4;

pub enum Inner {
    Plain(Stream),
    Typed(TypedStream),
}

impl Inner {
    fn pinned(&mut self) -> Pin<&mut Stream> {
        Pin::new(match self {
            Inner::Plain(stream) => stream,
            Inner::Typed(stream) => stream,
        })
    }
}

#[derive(Clone, Copy)]
enum Side {
    Read,
    Write,
}

struct Slot {
    stream: Result<Inner, Fail>,
    wakers: [Option<Waker>; 2],
}

impl Slot {
    fn wake(&mut self) {
        for waker in &mut self.wakers {
            if let Some(waker) = waker.take() {
                waker.wake();
            }
        }
    }
}

/// The number of streams that handlers and commands hold.
pub type Live = Arc<AtomicUsize>;

pub struct PeerStream {
    /// None when the wire does not tell.
    pub wire_id: Option<u32>,
    pub kind: Option<u32>,
    pub signals: Arc<Signals>,
    slot: Mutex<Slot>,
    written: AtomicU64,
    wire: Arc<Wire>,
    live: Live,
    counted: AtomicBool,
    // The crate keeps one waker for each direction.
    read_turn: tokio::sync::Mutex<()>,
    write_turn: tokio::sync::Mutex<()>,
}

impl PeerStream {
    pub fn new(
        inner: Inner,
        wire_id: Option<u32>,
        signals: Arc<Signals>,
        wire: Arc<Wire>,
        live: Live,
    ) -> Self {
        live.fetch_add(1, Ordering::Relaxed);
        let kind = match &inner {
            Inner::Plain(_) => None,
            Inner::Typed(stream) => Some(*stream.typ()),
        };
        PeerStream {
            wire_id,
            kind,
            signals,
            slot: Mutex::new(Slot {
                stream: Ok(inner),
                wakers: [None, None],
            }),
            written: AtomicU64::new(0),
            wire,
            live,
            counted: AtomicBool::new(true),
            read_turn: Default::default(),
            write_turn: Default::default(),
        }
    }

    /// Of the bytes that the crate took, the type of a stream opened here included.
    pub fn took(&self, bytes: u64) {
        self.written.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Heartbeats are nobody's streams.
    pub fn uncounted(&self) {
        if self.counted.swap(false, Ordering::Relaxed) {
            self.live.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// 0 at EOF.
    pub async fn read(&self, buf: &mut [u8]) -> Result<usize, Fail> {
        let _turn = self.read_turn.lock().await;
        self.operate(Side::Read, |stream, cx| {
            let mut buf = ReadBuf::new(buf);
            stream
                .poll_read(cx, &mut buf)
                .map_ok(|()| buf.filled().len())
        })
        .await
    }

    pub async fn write(&self, bytes: &[u8]) -> Result<usize, Fail> {
        let _turn = self.write_turn.lock().await;
        let n = self
            .operate(Side::Write, |stream, cx| stream.poll_write(cx, bytes))
            .await?;
        self.took(n as u64);
        Ok(n)
    }

    /// On an error, how many were written comes with it.
    pub async fn write_all(&self, bytes: &[u8]) -> Result<(), (usize, Fail)> {
        let mut done = 0;
        while done < bytes.len() {
            match self.write(&bytes[done..]).await {
                // The crate does that once the window is used up and its session is gone without an error.
                Ok(0) => return Err((done, Fail::new("a write took nothing"))),
                Ok(n) => done += n,
                Err(fail) => return Err((done, fail)),
            }
        }
        Ok(())
    }

    pub async fn close_write(&self) -> Result<(), Fail> {
        let _turn = self.write_turn.lock().await;
        self.operate(Side::Write, |stream, cx| stream.poll_shutdown(cx))
            .await
    }

    /// Drops the crate's stream, whoever else waits on it.
    pub fn close(&self, reason: Fail) {
        let mut slot = locked(&self.slot);
        if slot.stream.is_err() {
            return;
        }
        let stream = std::mem::replace(&mut slot.stream, Err(reason.clone()));
        slot.wake();
        drop(slot);
        drop(stream);
        self.uncounted();
        if let Some(id) = self.wire_id {
            self.wire.forget(id, &self.signals);
        }
        self.signals.raise(Trouble::Closed(reason));
    }

    /// Waits, but not for ever, until what was written has left.
    pub async fn flushed(&self) {
        for _ in 0..2000 {
            let sent = self.signals.sent.load(Ordering::Acquire);
            if sent >= self.written.load(Ordering::Relaxed) || self.wire.is_over() {
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    async fn operate<T>(
        &self,
        side: Side,
        mut poll: impl FnMut(Pin<&mut Stream>, &mut Context) -> Poll<io::Result<T>>,
    ) -> Result<T, Fail> {
        let operation = poll_fn(|cx| {
            let mut slot = locked(&self.slot);
            let slot = &mut *slot;
            let stream = match &mut slot.stream {
                Ok(stream) => stream,
                Err(fail) => return Poll::Ready(Err(fail.clone())),
            };
            let (mine, other) = match side {
                Side::Read => (0, 1),
                Side::Write => (1, 0),
            };
            let result = poll(stream.pinned(), cx).map_err(Fail::from);
            if result.is_pending() {
                slot.wakers[mine] = Some(cx.waker().clone());
            } else if let Some(waker) = slot.wakers[other].take() {
                // Both directions share one channel that wakes its last caller alone: without this, a reader would
                // be forgotten as soon as a writer had waited for credit.
                waker.wake();
            }
            result
        });
        tokio::select! {
            biased;
            result = operation => result,
            fail = self.forsaken() => Err(fail),
        }
    }

    /// The crate never tells those who wait on a stream of an RST, and not all of them of the session's end.
    async fn forsaken(&self) -> Fail {
        match self.signals.trouble().await {
            Trouble::Closed(fail) => fail,
            Trouble::Rst(code) => {
                for _ in 0..RST_ROUNDS {
                    sleep(RST_GRACE).await;
                    if let Some(fail) = self.ask() {
                        return fail;
                    }
                    // To the crate, 0 is no error.
                    if code == Some(0) || self.wire.is_over() {
                        break;
                    }
                }
                Fail {
                    hung: true,
                    ..Fail::new("the crate did not take notice of an RST")
                }
            }
            Trouble::SessionOver => {
                sleep(OVER_GRACE).await;
                self.ask().unwrap_or(Fail {
                    hung: true,
                    ..Fail::new("the session is over, and the crate did not tell this stream")
                })
            }
        }
    }

    /// A flush sends nothing, and is told of an RST that others are not told of.
    fn ask(&self) -> Option<Fail> {
        let mut slot = locked(&self.slot);
        let stream = match &mut slot.stream {
            Ok(stream) => stream,
            Err(fail) => return Some(fail.clone()),
        };
        let cx = &mut Context::from_waker(Waker::noop());
        match stream.pinned().poll_flush(cx) {
            Poll::Ready(Err(error)) => Some(Fail {
                hung: true,
                ..Fail::from(error)
            }),
            _ => None,
        }
    }
}

impl Drop for PeerStream {
    fn drop(&mut self) {
        self.close(Fail::new("stream closed"));
    }
}
