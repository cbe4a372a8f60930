//! What is done with the streams that the other side opens.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;

use crate::fail::Fail;
use crate::pattern::Pattern;
use crate::session::Session;
use crate::streams::PeerStream;
use crate::wire::HEARTBEAT;

const CHUNK: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum Handler {
    #[default]
    Echo,
    Digest,
    Source,
    Manual,
    Hold,
    Drop,
    None,
}

#[derive(Clone, Debug, Default)]
pub struct Handlers {
    pub default: Handler,
    pub types: HashMap<u32, Handler>,
}

impl Handlers {
    fn of(&self, kind: Option<u32>) -> Handler {
        kind.and_then(|kind| self.types.get(&kind))
            .copied()
            .unwrap_or(self.default)
    }

    /// Whether a heartbeat is to be answered as usual.
    pub fn answers(&self, kind: Option<u32>) -> bool {
        kind == Some(HEARTBEAT) && !self.types.contains_key(&HEARTBEAT)
    }

    pub fn accept(&self) -> bool {
        self.default != Handler::None
    }
}

/// Gives a stream to its handler. A stream that ends by an error is none of this program's business.
pub fn handle(session: &Arc<Session>, handlers: &Handlers, stream: PeerStream) {
    if handlers.answers(stream.kind) {
        stream.uncounted();
        let held = session.hold(stream);
        session.serve(held, |s| async move { respond(&s).await });
        return;
    }
    let handler = handlers.of(stream.kind);
    let kind = stream.kind;
    let held = session.hold(stream);
    match handler {
        Handler::Echo => session.serve(held, |s| async move { echo(&s).await }),
        Handler::Digest => session.serve(held, |s| async move { digest(&s).await }),
        Handler::Source => session.serve(held, |s| async move { source(&s).await }),
        Handler::Drop => session.serve(held, |_| async { Ok(()) }),
        Handler::Manual => session.announce(held.0, kind),
        Handler::Hold | Handler::None => {}
    }
}

async fn respond(stream: &PeerStream) -> Result<(), Fail> {
    let mut beat = [0; 4];
    loop {
        if read_exact(stream, &mut beat).await? < beat.len() {
            return Ok(());
        }
        write_all(stream, &beat).await?;
    }
}

pub async fn echo(stream: &PeerStream) -> Result<(), Fail> {
    let mut buf = vec![0; CHUNK];
    loop {
        let n = stream.read(&mut buf).await?;
        if n == 0 {
            return stream.close_write().await;
        }
        write_all(stream, &buf[..n]).await?;
    }
}

async fn digest(stream: &PeerStream) -> Result<(), Fail> {
    let mut hash = Sha256::new();
    let mut buf = vec![0; CHUNK];
    loop {
        let n = stream.read(&mut buf).await?;
        if n == 0 {
            break;
        }
        hash.update(&buf[..n]);
    }
    write_all(stream, &hash.finalize()).await?;
    stream.close_write().await
}

async fn source(stream: &PeerStream) -> Result<(), Fail> {
    let mut order = [0; 8];
    if read_exact(stream, &mut order).await? < order.len() {
        return Ok(());
    }
    let [s0, s1, s2, s3, l0, l1, l2, l3] = order;
    let mut pattern = Pattern::new(u32::from_be_bytes([s0, s1, s2, s3]));
    let mut left = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
    let mut buf = vec![0; CHUNK];
    while left > 0 {
        let n = left.min(CHUNK);
        pattern.fill(&mut buf[..n]);
        write_all(stream, &buf[..n]).await?;
        left -= n;
    }
    stream.close_write().await?;
    while stream.read(&mut buf).await? > 0 {}
    Ok(())
}

async fn write_all(stream: &PeerStream, bytes: &[u8]) -> Result<(), Fail> {
    stream.write_all(bytes).await.map_err(|(_, fail)| fail)
}

/// Fewer bytes at EOF.
pub async fn read_exact(stream: &PeerStream, buf: &mut [u8]) -> Result<usize, Fail> {
    let mut have = 0;
    while have < buf.len() {
        match stream.read(&mut buf[have..]).await? {
            0 => break,
            n => have += n,
        }
    }
    Ok(have)
}
