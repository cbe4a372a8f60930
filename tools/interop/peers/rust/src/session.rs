//! One session of the crate: how it begins, what it opens and accepts, how it ends.

use async_trait::async_trait;
use muxado::heartbeat::{Heartbeat, HeartbeatConfig, HeartbeatCtl, HeartbeatHandler};
use muxado::typed::{StreamType, Typed, TypedAccept, TypedOpenClose, TypedSession};
use muxado::{Accept, MuxadoAccept, MuxadoOpen, OpenClose, SessionBuilder, Stream};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::error::Error as StdError;
use std::future::Future;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::fail::{Fail, muxado_error};
use crate::handlers::{self, Handlers};
use crate::streams::{Inner, Live, PeerStream, TYPE_BYTES};
use crate::transport::{Injector, Socket, link};
use crate::wire::{Wire, locked};

/// How long one heartbeat on demand may take.
const BEAT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long what has arrived before the session's end may take to be accepted.
const ACCEPT_GRACE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    Client,
    Server,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Beating {
    interval_ms: u64,
    tolerance_ms: u64,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub role: Role,
    pub typed: bool,
    pub heartbeat: Option<Beating>,
    pub window: usize,
    pub accept_backlog: usize,
    pub stream_limit: usize,
}

pub type Events = mpsc::UnboundedSender<Value>;

/// The crate's session, with an opener that can be cloned: to close the session while an open is waiting.
struct Halves(MuxadoOpen, MuxadoAccept);

#[async_trait]
impl Accept for Halves {
    async fn accept(&mut self) -> Option<Stream> {
        self.1.accept().await
    }
}

#[async_trait]
impl OpenClose for Halves {
    async fn open(&mut self) -> Result<Stream, muxado::Error> {
        self.0.open().await
    }

    async fn close(&mut self, error: muxado::Error, msg: String) -> Result<(), muxado::Error> {
        self.0.close(error, msg).await
    }
}

impl muxado::Session for Halves {
    type OpenClose = MuxadoOpen;
    type Accept = MuxadoAccept;

    fn split(self) -> (MuxadoOpen, MuxadoAccept) {
        (self.0, self.1)
    }
}

enum Open {
    Plain(MuxadoOpen),
    Typed(Box<dyn TypedOpenClose + Send>),
}

struct Opener {
    open: Open,
    next_id: u32,
}

enum Acceptor {
    Plain(MuxadoAccept),
    Typed(Box<dyn TypedAccept + Send>),
}

impl Acceptor {
    /// None when the session is over.
    async fn accept(&mut self) -> Option<Result<Inner, Fail>> {
        match self {
            Acceptor::Plain(acceptor) => acceptor.accept().await.map(|s| Ok(Inner::Plain(s))),
            Acceptor::Typed(acceptor) => match acceptor.accept_typed().await {
                Ok(stream) => Some(Ok(Inner::Typed(stream))),
                Err(muxado::Error::SessionClosed) => None,
                Err(error) => Some(Err(error.into())),
            },
        }
    }
}

#[derive(Default)]
struct Beats {
    beats: AtomicU64,
    misses: AtomicU64,
}

#[async_trait]
impl HeartbeatHandler for Beats {
    async fn handle_heartbeat(&self, latency: Option<Duration>) -> Result<(), Box<dyn StdError>> {
        match latency {
            Some(_) => self.beats.fetch_add(1, Ordering::Relaxed),
            None => self.misses.fetch_add(1, Ordering::Relaxed),
        };
        Ok(())
    }
}

pub struct Session {
    options: Options,
    wire: Arc<Wire>,
    injector: Injector,
    opener: tokio::sync::Mutex<Option<Opener>>,
    closer: Mutex<Option<MuxadoOpen>>,
    acceptor: Mutex<Option<Acceptor>>,
    accepting: Mutex<Option<JoinHandle<()>>>,
    heartbeat: Mutex<Option<Arc<HeartbeatCtl>>>,
    beats: Arc<Beats>,
    handlers: Mutex<Handlers>,
    held: Mutex<HashMap<u64, Arc<PeerStream>>>,
    next_number: AtomicU64,
    live: Live,
    /// Set when the crate's session is to be dropped.
    shut: watch::Sender<bool>,
    /// The code with which this side said that it goes.
    closed_with: Mutex<Option<u32>>,
    events: Events,
}

impl Session {
    pub async fn begin(
        socket: Socket,
        options: Options,
        handlers: Handlers,
        events: Events,
    ) -> Result<Arc<Session>, Fail> {
        let wire = Arc::new(Wire::new(options.typed));
        let (transport, injector) = link(socket, wire.clone());
        let builder = SessionBuilder::new(transport)
            .window_size(options.window)
            .accept_queue_size(options.accept_backlog)
            .stream_limit(options.stream_limit);
        let (builder, mut next_id) = match options.role {
            Role::Client => (builder.client(), 3),
            Role::Server => (builder.server(), 2),
        };
        let (open, accept) = muxado::Session::split(builder.start());
        let closer = open.clone();
        let beats = Arc::new(Beats::default());
        let mut heartbeat = None;
        let (open, acceptor) = match options.heartbeat {
            _ if !options.typed => (Open::Plain(open), Acceptor::Plain(accept)),
            None => {
                let typed = Typed::new(Halves(open, accept));
                let (open, accept) = typed.split_typed();
                (
                    Open::Typed(Box::new(open)),
                    Acceptor::Typed(Box::new(accept)),
                )
            }
            Some(beating) => {
                let config = HeartbeatConfig {
                    // The crate's ticker takes no 0.
                    interval: Duration::from_millis(beating.interval_ms.max(1)),
                    tolerance: Duration::from_millis(beating.tolerance_ms),
                    handler: Some(beats.clone()),
                };
                let typed = Typed::new(Halves(open, accept));
                let (beating, ctl) = Heartbeat::start(typed, config).await?;
                next_id += 2;
                heartbeat = Some(Arc::new(ctl));
                let (open, accept) = beating.split_typed();
                (
                    Open::Typed(Box::new(open)),
                    Acceptor::Typed(Box::new(accept)),
                )
            }
        };
        let accept = handlers.accept();
        let session = Arc::new(Session {
            options,
            wire,
            injector,
            opener: tokio::sync::Mutex::new(Some(Opener { open, next_id })),
            closer: Mutex::new(Some(closer)),
            acceptor: Mutex::new(Some(acceptor)),
            accepting: Mutex::default(),
            heartbeat: Mutex::new(heartbeat),
            beats,
            handlers: Mutex::new(handlers),
            held: Mutex::default(),
            next_number: AtomicU64::new(1),
            live: Arc::new(AtomicUsize::new(0)),
            shut: watch::Sender::new(false),
            closed_with: Mutex::default(),
            events,
        });
        let _ = session.events.send(json!({"event": "connected"}));
        tokio::spawn(session.clone().bury());
        if accept {
            session.start_accepting();
        }
        Ok(session)
    }

    pub fn replace_handlers(self: &Arc<Self>, handlers: Handlers) {
        let accept = handlers.accept();
        *locked(&self.handlers) = handlers;
        if accept {
            self.start_accepting();
        }
    }

    fn start_accepting(self: &Arc<Self>) {
        if let Some(acceptor) = locked(&self.acceptor).take() {
            let task = tokio::spawn(self.clone().accept_all(acceptor));
            *locked(&self.accepting) = Some(task);
        }
    }

    async fn accept_all(self: Arc<Self>, mut acceptor: Acceptor) {
        let mut shut = self.shut.subscribe();
        loop {
            let accepted = tokio::select! {
                accepted = acceptor.accept() => accepted,
                _ = shut.wait_for(|shut| *shut) => return,
            };
            let Some(accepted) = accepted else {
                self.wire.end(Fail {
                    code: self
                        .options
                        .typed
                        .then_some(muxado::Error::SessionClosed as u32),
                    ..Fail::new("there is nothing more to accept")
                });
                return;
            };
            let syn = self.wire.accepted(self.options.heartbeat.is_some());
            let inner = match accepted {
                Ok(inner) => inner,
                Err(fail) => {
                    eprintln!("peer-rust: accept: {}", fail.error);
                    continue;
                }
            };
            let (id, signals) = match syn {
                Some(syn) => (Some(syn.id), syn.signals),
                None => (None, Arc::default()),
            };
            let stream = PeerStream::new(inner, id, signals, self.wire.clone(), self.live.clone());
            let handlers = locked(&self.handlers).clone();
            handlers::handle(&self, &handlers, stream);
        }
    }

    pub fn hold(&self, stream: PeerStream) -> (u64, Arc<PeerStream>) {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let stream = Arc::new(stream);
        locked(&self.held).insert(number, stream.clone());
        if *self.shut.borrow() {
            stream.close(session_closed());
        }
        (number, stream)
    }

    pub fn announce(&self, number: u64, kind: Option<u32>) {
        let _ = self
            .events
            .send(json!({"event": "accepted", "stream": number, "type": kind}));
    }

    /// Runs a handler, and closes its stream after it.
    pub fn serve<F>(
        self: &Arc<Self>,
        (number, stream): (u64, Arc<PeerStream>),
        handler: impl FnOnce(Arc<PeerStream>) -> F,
    ) where
        F: Future<Output = Result<(), Fail>> + Send + 'static,
    {
        let session = self.clone();
        let handler = handler(stream);
        tokio::spawn(async move {
            if let Err(fail) = handler.await {
                eprintln!("peer-rust: handler: {}", fail.error);
            }
            session.close(number);
        });
    }

    pub async fn open(&self, kind: u32) -> Result<(u64, Arc<PeerStream>), Fail> {
        let mut shut = self.shut.subscribe();
        let opened = tokio::select! {
            opened = self.open_now(kind) => opened,
            _ = shut.wait_for(|shut| *shut) => Err(session_closed()),
        };
        Ok(self.hold(opened?))
    }

    async fn open_now(&self, kind: u32) -> Result<PeerStream, Fail> {
        let mut opener = self.opener.lock().await;
        let opener = opener.as_mut().ok_or_else(session_closed)?;
        let id = opener.next_id;
        let signals = self.wire.register(id);
        let opened = match &mut opener.open {
            Open::Plain(open) => open.open().await.map(Inner::Plain),
            Open::Typed(open) => open
                .open_typed(StreamType::clamp(kind))
                .await
                .map(Inner::Typed),
        };
        match opened {
            Ok(inner) => {
                opener.next_id += 2;
                let typed = matches!(inner, Inner::Typed(_));
                let stream = PeerStream::new(
                    inner,
                    Some(id),
                    signals,
                    self.wire.clone(),
                    self.live.clone(),
                );
                if typed {
                    stream.took(TYPE_BYTES);
                }
                Ok(stream)
            }
            Err(error) => {
                // The type could not be written; the id is used up all the same.
                if error == muxado::Error::StreamReset {
                    opener.next_id += 2;
                }
                self.wire.forget(id, &signals);
                Err(error.into())
            }
        }
    }

    pub fn stream(&self, number: u64) -> Result<Arc<PeerStream>, Fail> {
        locked(&self.held)
            .get(&number)
            .cloned()
            .ok_or_else(|| Fail::new("no such stream"))
    }

    pub fn close(&self, number: u64) -> bool {
        let stream = locked(&self.held).remove(&number);
        stream
            .inspect(|stream| stream.close(muxado::Error::StreamClosed.into()))
            .is_some()
    }

    /// The crate has no reset: its stream is dropped after an RST that this program puts on the wire.
    pub async fn reset(&self, number: u64, code: u32) -> Result<(), Fail> {
        let stream = self.stream(number)?;
        let id = stream.wire_id.ok_or_else(|| Fail::new("unsupported"))?;
        stream.flushed().await;
        let mut frame = vec![0, 0, 4, 0];
        frame.extend(id.to_be_bytes());
        frame.extend(code.to_be_bytes());
        let injected = self.injector.inject(frame).await;
        self.close(number);
        injected
    }

    pub async fn inject(&self, bytes: Vec<u8>) -> Result<(), Fail> {
        self.injector.inject(bytes).await
    }

    pub fn cut(&self) -> Result<(), Fail> {
        self.injector.cut()
    }

    pub async fn beat(&self) -> Result<Duration, Fail> {
        let ctl = locked(&self.heartbeat).clone();
        let ctl = ctl.ok_or_else(|| Fail::new("there is no heartbeat"))?;
        tokio::select! {
            beat = timeout(BEAT_TIMEOUT, ctl.beat()) => match beat {
                Ok(beat) => Ok(beat?),
                Err(_) => Err(Fail::new("no answer in time")),
            },
            reason = self.wire.over() => Err(reason),
        }
    }

    pub fn beats(&self) -> (u64, u64) {
        let beats = &self.beats;
        (
            beats.beats.load(Ordering::Relaxed),
            beats.misses.load(Ordering::Relaxed),
        )
    }

    pub async fn go_away(&self, code: u32, debug: String) -> Result<(), Fail> {
        let mut closer = locked(&self.closer).clone().ok_or_else(session_closed)?;
        locked(&self.closed_with).get_or_insert(code);
        Ok(closer.close(muxado_error(code), debug).await?)
    }

    pub async fn close_session(&self) -> Result<(), Fail> {
        let closed = self
            .go_away(muxado::Error::None as u32, "session closed".into())
            .await;
        self.drop_crate().await;
        self.close_streams();
        closed
    }

    pub fn close_streams(&self) {
        let streams: Vec<_> = locked(&self.held).values().cloned().collect();
        for stream in streams {
            stream.close(session_closed());
        }
    }

    /// Drops everything of the crate but the streams.
    async fn drop_crate(&self) {
        self.shut.send_replace(true);
        locked(&self.closer).take();
        locked(&self.acceptor).take();
        locked(&self.heartbeat).take();
        self.opener.lock().await.take();
    }

    /// A session that is over is dropped, as a program does whose accept loop has ended. The streams stay with
    /// those who hold them.
    async fn bury(self: Arc<Self>) {
        let _ = self.over().await;
        let closed = self.closed().await;
        let mut event = json!({"event": "closed"});
        event["local"] = closed["local"].clone();
        event["remote"] = closed["remote"].clone();
        let _ = self.events.send(event);
        let accepting = locked(&self.accepting).take();
        match accepting {
            Some(task) => drop(timeout(ACCEPT_GRACE, task).await),
            None => sleep(ACCEPT_GRACE).await,
        }
        self.drop_crate().await;
    }

    async fn over(&self) -> Fail {
        self.wire.over().await
    }

    pub fn is_over(&self) -> bool {
        self.wire.is_over()
    }

    pub async fn closed(&self) -> Value {
        let reason = self.over().await;
        let local = match *locked(&self.closed_with) {
            Some(code) => json!({"code": code, "error": "closed here"}),
            None => json!({"code": reason.code, "error": reason.error}),
        };
        let remote = self
            .wire
            .remote()
            .map(|remote| json!({"code": remote.code, "debug": remote.debug}));
        json!({"local": local, "remote": remote})
    }

    pub fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }
}

fn session_closed() -> Fail {
    muxado::Error::SessionClosed.into()
}
