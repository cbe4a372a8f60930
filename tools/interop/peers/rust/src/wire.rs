//! What passes on the wire, watched from below the crate: it tells neither the ids of its streams, nor of a GOAWAY,
//! nor readers of an RST.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

use crate::fail::Fail;

const RST: u8 = 0;
const DATA: u8 = 1;
const GOAWAY: u8 = 3;
const FIN: u8 = 1;
const SYN: u8 = 2;
const DEBUG_KEPT: usize = 64 * 1024;

pub const HEARTBEAT: u32 = u32::MAX;

/// A panic of the crate in one task must not take the whole program along.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone, Copy, Debug)]
pub struct Header {
    length: usize,
    kind: u8,
    flags: u8,
    id: u32,
}

impl Header {
    fn parse(bytes: [u8; 8]) -> Self {
        let word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let id = u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        Header {
            length: (word >> 8) as usize,
            kind: (word >> 4) as u8 & 0xF,
            flags: word as u8 & 0xF,
            id: id & 0x7FFF_FFFF,
        }
    }

    fn has(&self, flag: u8) -> bool {
        self.kind == DATA && self.flags & flag != 0
    }
}

enum Seen<'a> {
    Begin,
    Payload(&'a [u8]),
    End,
}

/// Follows frame boundaries through a stream of bytes that comes in any pieces.
#[derive(Default)]
pub struct Scanner {
    head: [u8; 8],
    have: usize,
    frame: Option<(Header, usize)>,
    blind: bool,
}

impl Scanner {
    pub fn at_boundary(&self) -> bool {
        self.have == 0 && self.frame.is_none() && !self.blind
    }

    /// After a GOAWAY of this crate, whose stated length is 8 too short, nothing can be told any more.
    pub fn is_blind(&self) -> bool {
        self.blind
    }

    fn feed(&mut self, mut bytes: &[u8], mut see: impl FnMut(Header, Seen)) {
        while !self.blind {
            let Some((header, left)) = &mut self.frame else {
                let n = bytes.len().min(8 - self.have);
                self.head[self.have..self.have + n].copy_from_slice(&bytes[..n]);
                self.have += n;
                bytes = &bytes[n..];
                if self.have < 8 {
                    return;
                }
                self.have = 0;
                let header = Header::parse(self.head);
                see(header, Seen::Begin);
                if header.length == 0 {
                    see(header, Seen::End);
                    self.blind = header.kind == GOAWAY;
                } else {
                    self.frame = Some((header, header.length));
                }
                continue;
            };
            if bytes.is_empty() {
                return;
            }
            let n = bytes.len().min(*left);
            let header = *header;
            *left -= n;
            let done = *left == 0;
            see(header, Seen::Payload(&bytes[..n]));
            bytes = &bytes[n..];
            if done {
                see(header, Seen::End);
                self.frame = None;
                self.blind = header.kind == GOAWAY;
            }
        }
    }
}

/// Why the crate may never answer somebody who waits on a stream.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// From the other side with its code, or from the crate itself.
    Rst(Option<u32>),
    SessionOver,
    Closed(Fail),
}

/// What the wire says of one stream.
#[derive(Default)]
pub struct Signals {
    trouble: Mutex<Option<Trouble>>,
    changed: Notify,
    pub fin: AtomicBool,
    pub sent: AtomicU64,
}

impl Signals {
    pub fn raise(&self, trouble: Trouble) {
        let mut slot = locked(&self.trouble);
        match (&*slot, &trouble) {
            (None, _) | (_, Trouble::Closed(_)) => *slot = Some(trouble),
            _ => {}
        }
        drop(slot);
        self.changed.notify_waiters();
    }

    pub async fn trouble(&self) -> Trouble {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(trouble) = locked(&self.trouble).clone() {
                return trouble;
            }
            changed.await;
        }
    }
}

/// A stream that the other side opened.
pub struct Syn {
    pub id: u32,
    pub signals: Arc<Signals>,
    kind: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct GoAway {
    pub code: u32,
    pub debug: String,
}

#[derive(Default)]
struct State {
    inbound: Scanner,
    streams: HashMap<u32, Arc<Signals>>,
    syns: VecDeque<Syn>,
    payload: Vec<u8>,
    remote: Option<GoAway>,
}

pub struct Wire {
    typed: bool,
    state: Mutex<State>,
    over: watch::Sender<Option<Fail>>,
}

impl Wire {
    pub fn new(typed: bool) -> Self {
        Wire {
            typed,
            state: Mutex::default(),
            over: watch::Sender::new(None),
        }
    }

    /// A stream that this side is about to open.
    pub fn register(&self, id: u32) -> Arc<Signals> {
        let signals = Arc::new(Signals::default());
        locked(&self.state).streams.insert(id, signals.clone());
        if self.over.borrow().is_some() {
            signals.raise(Trouble::SessionOver);
        }
        signals
    }

    pub fn forget(&self, id: u32, signals: &Arc<Signals>) {
        let mut state = locked(&self.state);
        if state
            .streams
            .get(&id)
            .is_some_and(|s| Arc::ptr_eq(s, signals))
        {
            state.streams.remove(&id);
        }
    }

    /// The stream that the crate has just accepted: it takes them in the order of their SYNs. Where the crate keeps
    /// the heartbeats to itself, they are left out, too.
    pub fn accepted(&self, without_heartbeats: bool) -> Option<Syn> {
        let mut state = locked(&self.state);
        loop {
            let syn = state.syns.pop_front()?;
            if !(without_heartbeats && syn.kind == HEARTBEAT.to_be_bytes()) {
                return Some(syn);
            }
        }
    }

    pub fn received(&self, bytes: &[u8]) {
        let mut gone = false;
        let mut state = locked(&self.state);
        let State {
            inbound,
            streams,
            syns,
            payload,
            remote,
        } = &mut *state;
        inbound.feed(bytes, |header, seen| match seen {
            Seen::Begin => {
                payload.clear();
                if header.has(SYN) {
                    let signals = Arc::new(Signals::default());
                    streams.insert(header.id, signals.clone());
                    syns.push_back(Syn {
                        id: header.id,
                        signals,
                        kind: Vec::new(),
                    });
                }
            }
            Seen::Payload(bytes) => match header.kind {
                DATA if self.typed => {
                    let waiting = syns.iter_mut().rev();
                    if let Some(syn) = waiting
                        .filter(|s| s.kind.len() < 4)
                        .find(|s| s.id == header.id)
                    {
                        let n = bytes.len().min(4 - syn.kind.len());
                        syn.kind.extend_from_slice(&bytes[..n]);
                    }
                }
                RST | GOAWAY => {
                    let room = (8 + DEBUG_KEPT).saturating_sub(payload.len());
                    payload.extend_from_slice(&bytes[..bytes.len().min(room)]);
                }
                _ => {}
            },
            Seen::End => match header.kind {
                DATA if header.has(FIN) => {
                    if let Some(signals) = streams.get(&header.id) {
                        signals.fin.store(true, Ordering::Release);
                    }
                }
                RST => {
                    if let (Some(signals), Some(code)) = (streams.get(&header.id), word(payload)) {
                        signals.raise(Trouble::Rst(Some(code)));
                    }
                }
                GOAWAY => {
                    gone = true;
                    if let Some(code) = payload.get(4..).and_then(word) {
                        let debug = String::from_utf8_lossy(&payload[8..]).into_owned();
                        *remote = Some(GoAway { code, debug });
                    }
                }
                _ => {}
            },
        });
        drop(state);
        if gone {
            self.end(Fail::new("the other side sent GOAWAY"));
        }
    }

    pub fn sent(&self, outbound: &mut Scanner, bytes: &[u8]) {
        outbound.feed(bytes, |header, seen| {
            let stream = |id| locked(&self.state).streams.get(&id).cloned();
            match (header.kind, seen) {
                (DATA, Seen::Payload(bytes)) => {
                    if let Some(signals) = stream(header.id) {
                        let n = bytes.len() as u64;
                        signals.sent.fetch_add(n, Ordering::Release);
                    }
                }
                (RST, Seen::End) => {
                    if let Some(signals) = stream(header.id) {
                        signals.raise(Trouble::Rst(None));
                    }
                }
                _ => {}
            }
        });
    }

    /// The session is over; the first reason counts.
    pub fn end(&self, reason: Fail) {
        self.over.send_if_modified(|over| {
            let first = over.is_none();
            over.get_or_insert(reason);
            first
        });
        for signals in locked(&self.state).streams.values() {
            signals.raise(Trouble::SessionOver);
        }
    }

    pub async fn over(&self) -> Fail {
        let mut over = self.over.subscribe();
        let reason = over.wait_for(Option::is_some).await;
        // The sender lives as long as self.
        reason.ok().and_then(|r| r.clone()).expect("a reason")
    }

    pub fn is_over(&self) -> bool {
        self.over.borrow().is_some()
    }

    pub fn remote(&self) -> Option<GoAway> {
        locked(&self.state).remote.clone()
    }
}

fn word(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_followed_in_any_pieces() {
        let bytes = hex::decode(concat!(
            "000008120000000200000007",
            "61626364",
            "0000041200000004ffffffff",
            "000000110000000200000400000000020000000c",
            "0000041200000006",
            "00000009",
            "00000a30000000000000000300000001",
            "6f68",
        ))
        .unwrap();
        for piece in 1..bytes.len() {
            let wire = Wire::new(true);
            for part in bytes.chunks(piece) {
                wire.received(part);
            }
            let first = wire.accepted(true).unwrap();
            assert_eq!(first.id, 2);
            assert!(first.signals.fin.load(Ordering::Acquire));
            assert!(matches!(
                *locked(&first.signals.trouble),
                Some(Trouble::Rst(Some(12)))
            ));
            assert_eq!(wire.accepted(true).unwrap().id, 6);
            assert!(wire.accepted(true).is_none());
            let remote = wire.remote().unwrap();
            assert_eq!((remote.code, remote.debug.as_str()), (1, "oh"));
            assert!(wire.is_over());
        }
    }

    #[test]
    fn the_boundary_is_lost_with_a_goaway() {
        let wire = Wire::new(true);
        let mut outbound = Scanner::default();
        assert!(outbound.at_boundary());
        wire.sent(&mut outbound, &[0, 0, 4, 0x12, 0, 0, 0]);
        assert!(!outbound.at_boundary());
        wire.sent(&mut outbound, &[3, 1, 2, 3, 4]);
        assert!(outbound.at_boundary());
        wire.sent(&mut outbound, &[0, 0, 0, 0x30, 0, 0, 0, 0]);
        assert!(!outbound.at_boundary() && outbound.is_blind());
    }
}
