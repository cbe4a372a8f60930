//! Peers for conformance runs: they echo for ever, and are not driven over stdin.

use serde_json::Value;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::connect::{Server, dial};
use crate::fail::Fail;
use crate::handlers::Handlers;
use crate::session::{Events, Options, Role, Session};
use crate::transport::Socket;

const PAUSE: Duration = Duration::from_millis(20);
const TYPE: u32 = 1;

#[derive(Debug)]
pub struct Endless {
    role: Role,
    host: String,
    port: u16,
    typed: bool,
    window: usize,
}

impl Endless {
    pub fn parse(mut args: impl Iterator<Item = String>) -> Option<Self> {
        let role = match args.next()?.as_str() {
            "echo-server" => Role::Server,
            "echo-client" => Role::Client,
            _ => return None,
        };
        let (mut host, mut port, mut typed, mut window) = (None, None, true, 256 * 1024);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--host" => host = Some(args.next()?),
                "--port" => port = Some(args.next()?.parse().ok()?),
                "--untyped" => typed = false,
                "--window" => window = args.next()?.parse().ok()?,
                _ => return None,
            }
        }
        Some(Endless {
            role,
            host: host?,
            port: port?,
            typed,
            window,
        })
    }

    pub async fn run(self) -> Result<(), Fail> {
        match self.role {
            Role::Server => self.serve().await,
            Role::Client => self.ask().await,
        }
    }

    async fn serve(self) -> Result<(), Fail> {
        let server = Server::listen(&self.host, self.port, None).await?;
        println!("listening {}", server.address()?);
        loop {
            match server.accept().await {
                // It goes on by itself, and drops itself when it is over.
                Ok(socket) => drop(self.begin(socket).await),
                Err(fail) => {
                    eprintln!("peer-rust: {}", fail.error);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn ask(self) -> Result<(), Fail> {
        loop {
            let Ok(socket) = dial(&self.host, self.port, None).await else {
                sleep(PAUSE).await;
                continue;
            };
            if let Ok(session) = self.begin(socket).await {
                tokio::select! {
                    () = hello(&session) => {}
                    _ = session.closed() => {}
                }
                session.close_streams();
            }
        }
    }

    async fn begin(&self, socket: Socket) -> Result<Arc<Session>, Fail> {
        let options = Options {
            role: self.role,
            typed: self.typed,
            heartbeat: None,
            window: self.window,
            accept_backlog: 128,
            stream_limit: 512,
        };
        Session::begin(socket, options, Handlers::default(), nobody()).await
    }
}

/// Ends with the session alone.
async fn hello(session: &Session) {
    let said = async {
        let (number, stream) = session.open(TYPE).await?;
        stream.write_all(b"hello").await.map_err(|(_, f)| f)?;
        stream.close_write().await?;
        let mut buf = [0; 1024];
        while stream.read(&mut buf).await? > 0 {}
        session.close(number);
        Ok::<_, Fail>(())
    };
    if let Err(fail) = said.await {
        eprintln!("peer-rust: hello: {}", fail.error);
    }
    pending().await
}

fn nobody() -> Events {
    mpsc::unbounded_channel::<Value>().0
}
