//! The commands of the control protocol.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;

use crate::connect::{Server, Tls, dial};
use crate::fail::Fail;
use crate::handlers::{Handler, Handlers, read_exact};
use crate::pattern::Pattern;
use crate::session::{Beating, Events, Options, Role, Session};
use crate::streams::PeerStream;
use crate::workload::{self, Run, Soak};

pub const VERSION: &str = "0.5.4";

const CHUNK: usize = 64 * 1024;
const WINDOW: usize = 256 * 1024;

pub type Fields = Map<String, Value>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    role: Role,
    #[serde(default = "localhost")]
    host: String,
    #[serde(default)]
    port: u16,
    tls: Option<Tls>,
    typed: Option<bool>,
    heartbeat: Option<Beating>,
    window: Option<usize>,
    accept_backlog: Option<usize>,
    stream_limit: Option<usize>,
    #[serde(flatten)]
    handlers: HandlerArgs,
}

fn localhost() -> String {
    "127.0.0.1".into()
}

#[derive(Default, Deserialize)]
pub struct HandlerArgs {
    #[serde(default)]
    handler: Handler,
    handlers: Option<HashMap<String, Handler>>,
}

impl HandlerArgs {
    fn parse(self) -> Result<Handlers, Fail> {
        let mut types = HashMap::new();
        for (kind, handler) in self.handlers.unwrap_or_default() {
            let parsed = kind.parse();
            types.insert(
                parsed.map_err(|_| Fail::new(format!("not a type: {kind}")))?,
                handler,
            );
        }
        Ok(Handlers {
            default: self.handler,
            types,
        })
    }
}

#[derive(Deserialize)]
#[serde(tag = "cmd", rename_all = "camelCase")]
pub enum Command {
    Start(Box<Start>),
    Serve(HandlerArgs),
    Open {
        #[serde(default, rename = "type")]
        kind: u32,
    },
    Write {
        stream: u64,
        #[serde(default)]
        seed: u32,
        bytes: u64,
        chunk: Option<usize>,
    },
    WriteHex {
        stream: u64,
        hex: String,
    },
    Read {
        stream: u64,
        bytes: usize,
    },
    #[serde(rename_all = "camelCase")]
    ReadAll {
        stream: u64,
        #[serde(default)]
        slow_ms: u64,
    },
    CloseWrite {
        stream: u64,
    },
    Close {
        stream: u64,
    },
    Reset {
        stream: u64,
        #[serde(default)]
        code: u32,
    },
    Run(Run),
    Soak(Soak),
    Beat,
    Beats,
    GoAway {
        #[serde(default)]
        code: u32,
        #[serde(default)]
        debug: String,
    },
    CloseSession,
    Wait,
    Inject {
        hex: String,
    },
    Cut,
    Info,
}

type Begun = Option<Result<Arc<Session>, Fail>>;

pub struct Peer {
    session: watch::Sender<Begun>,
    started: watch::Sender<bool>,
    events: Events,
}

impl Peer {
    pub fn new(events: Events) -> Arc<Self> {
        Arc::new(Peer {
            session: watch::Sender::new(None),
            started: watch::Sender::new(false),
            events,
        })
    }

    /// The session, as soon as there is one.
    async fn session(&self) -> Result<Arc<Session>, Fail> {
        if !*self.started.borrow() {
            return Err(Fail::new("not started"));
        }
        let mut session = self.session.subscribe();
        let begun = session.wait_for(Option::is_some).await;
        // The sender lives as long as self.
        begun.ok().and_then(|s| s.clone()).expect("a session")
    }

    pub async fn obey(self: Arc<Self>, command: Command) -> Fields {
        self.answer(command)
            .await
            .map(|mut fields| {
                fields.entry("ok").or_insert(true.into());
                fields
            })
            .unwrap_or_else(|fail| fail.fields())
    }

    async fn answer(self: &Arc<Self>, command: Command) -> Result<Fields, Fail> {
        match command {
            Command::Start(start) => return self.start(*start).await,
            Command::Info => return Ok(self.info()),
            _ => {}
        }
        let session = self.session().await?;
        Ok(match command {
            Command::Start(_) | Command::Info => unreachable!(),
            Command::Serve(handlers) => {
                session.replace_handlers(handlers.parse()?);
                Fields::new()
            }
            Command::Open { kind } => {
                let (number, _) = session.open(kind).await?;
                fields(json!({"stream": number}))
            }
            Command::Write {
                stream,
                seed,
                bytes,
                chunk,
            } => {
                let chunk = chunk.unwrap_or(CHUNK).max(1);
                write(&*session.stream(stream)?, seed, bytes, chunk).await
            }
            Command::WriteHex { stream, hex } => {
                let stream = session.stream(stream)?;
                let n = stream.write(&bytes_of(&hex)?).await?;
                fields(json!({"bytes": n}))
            }
            Command::Read { stream, bytes } => {
                let stream = session.stream(stream)?;
                let mut buf = vec![0; bytes];
                let n = read_exact(&stream, &mut buf).await?;
                let mut answer = fields(json!({"hex": hex::encode(&buf[..n])}));
                if n < bytes {
                    answer.insert("eof".into(), true.into());
                    answer.insert("fin".into(), fin(&stream));
                }
                answer
            }
            Command::ReadAll { stream, slow_ms } => {
                read_all(&*session.stream(stream)?, slow_ms).await
            }
            Command::CloseWrite { stream } => {
                session.stream(stream)?.close_write().await?;
                Fields::new()
            }
            Command::Close { stream } => {
                if !session.close(stream) {
                    return Err(Fail::new("no such stream"));
                }
                Fields::new()
            }
            Command::Reset { stream, code } => {
                session.reset(stream, code).await?;
                Fields::new()
            }
            Command::Run(run) => workload::run(&session, run).await,
            Command::Soak(soak) => workload::soak(&session, soak).await,
            Command::Beat => {
                let rtt = session.beat().await?;
                fields(json!({"rttMs": rtt.as_secs_f64() * 1e3}))
            }
            Command::Beats => {
                let (beats, misses) = session.beats();
                fields(json!({"beats": beats, "misses": misses}))
            }
            Command::GoAway { code, debug } => {
                session.go_away(code, debug).await?;
                Fields::new()
            }
            Command::CloseSession => {
                session.close_session().await?;
                Fields::new()
            }
            Command::Wait => fields(session.closed().await),
            Command::Inject { hex } => {
                session.inject(bytes_of(&hex)?).await?;
                Fields::new()
            }
            Command::Cut => {
                session.cut()?;
                Fields::new()
            }
        })
    }

    async fn start(self: &Arc<Self>, start: Start) -> Result<Fields, Fail> {
        if self.started.send_replace(true) {
            return Err(Fail::new("started already"));
        }
        let begun = self.begin(start).await;
        if let Err(fail) = &begun {
            self.session.send_replace(Some(Err(fail.clone())));
        }
        begun
    }

    async fn begin(self: &Arc<Self>, start: Start) -> Result<Fields, Fail> {
        let handlers = start.handlers.parse()?;
        let options = Options {
            role: start.role,
            typed: start.typed.unwrap_or(true),
            heartbeat: start.heartbeat,
            window: start.window.unwrap_or(WINDOW),
            accept_backlog: start.accept_backlog.unwrap_or(128),
            stream_limit: start.stream_limit.unwrap_or(512),
        };
        let tls = start.tls.as_ref();
        let events = self.events.clone();
        if start.role == Role::Client {
            let socket = dial(&start.host, start.port, tls).await?;
            let session = Session::begin(socket, options, handlers, events).await?;
            self.session.send_replace(Some(Ok(session)));
            return Ok(Fields::new());
        }
        let server = Server::listen(&start.host, start.port, tls).await?;
        let port = server.address()?.port();
        let peer = self.clone();
        tokio::spawn(async move {
            let begun = match server.accept().await {
                Ok(socket) => {
                    drop(server);
                    Session::begin(socket, options, handlers, events.clone()).await
                }
                Err(fail) => Err(fail),
            };
            if let Err(fail) = &begun {
                let local = json!({"code": fail.code, "error": fail.error});
                let _ = events.send(json!({"event": "closed", "local": local, "remote": null}));
            }
            peer.session.send_replace(Some(begun));
        });
        Ok(fields(json!({"port": port})))
    }

    fn info(&self) -> Fields {
        let live = match &*self.session.borrow() {
            Some(Ok(session)) => session.live(),
            _ => 0,
        };
        fields(json!({"implementation": "rust", "version": VERSION, "live": live}))
    }
}

async fn write(stream: &PeerStream, seed: u32, bytes: u64, chunk: usize) -> Fields {
    let mut pattern = Pattern::new(seed);
    let mut buf = vec![0; chunk.min(bytes as usize)];
    let mut done = 0;
    while done < bytes {
        let n = chunk.min((bytes - done) as usize);
        pattern.fill(&mut buf[..n]);
        if let Err((n, fail)) = stream.write_all(&buf[..n]).await {
            let mut answer = fail.fields();
            answer.insert("bytes".into(), json!(done + n as u64));
            return answer;
        }
        done += n as u64;
    }
    fields(json!({"bytes": done}))
}

async fn read_all(stream: &PeerStream, slow_ms: u64) -> Fields {
    let mut hash = Sha256::new();
    let mut buf = vec![0; CHUNK];
    let mut bytes = 0u64;
    let mut answer = loop {
        match stream.read(&mut buf).await {
            Ok(0) => break fields(json!({"fin": fin(stream)})),
            Ok(n) => {
                hash.update(&buf[..n]);
                bytes += n as u64;
            }
            Err(fail) => break fail.fields(),
        }
        if slow_ms > 0 {
            tokio::time::sleep(Duration::from_millis(slow_ms)).await;
        }
    };
    answer.insert("bytes".into(), bytes.into());
    answer.insert("sha256".into(), hex::encode(hash.finalize()).into());
    answer
}

/// Whether the other side really ended the stream: the crate tells EOF, too, when the session is lost.
fn fin(stream: &PeerStream) -> Value {
    stream.signals.fin.load(Ordering::Acquire).into()
}

fn bytes_of(text: &str) -> Result<Vec<u8>, Fail> {
    hex::decode(text).map_err(|error| Fail::new(error.to_string()))
}

fn fields(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        _ => unreachable!("answers are objects"),
    }
}
