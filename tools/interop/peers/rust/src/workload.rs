//! Many streams at once, each of which must come back as it went.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

use crate::fail::Fail;
use crate::pattern::Pattern;
use crate::session::Session;
use crate::streams::PeerStream;
use crate::wire::locked;

const CHUNK: usize = 32 * 1024;

/// Keeps a soak that can open no more streams from spinning.
const FAILURE_PAUSE: Duration = Duration::from_millis(10);

#[derive(Default)]
struct Tally {
    streams: u64,
    failed: u64,
    bytes: u64,
    errors: BTreeMap<String, u64>,
}

impl Tally {
    fn add(&mut self, result: &Result<(), Fail>, bytes: u64) {
        self.streams += 1;
        self.bytes += bytes;
        if let Err(fail) = result {
            self.failed += 1;
            *self.errors.entry(fail.key()).or_default() += 1;
        }
    }

    fn fields(&self) -> Map<String, Value> {
        let Value::Object(fields) = json!({
            "streams": self.streams,
            "failed": self.failed,
            "bytes": self.bytes,
            "errors": self.errors,
        }) else {
            unreachable!()
        };
        fields
    }
}

#[derive(Deserialize)]
pub struct Run {
    count: u64,
    concurrency: u64,
    size: u64,
    #[serde(default, rename = "type")]
    kind: u32,
    #[serde(default)]
    seed: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Soak {
    ms: u64,
    concurrency: u64,
    max_size: u64,
    #[serde(default, rename = "type")]
    kind: u32,
    #[serde(default)]
    seed: u32,
}

pub async fn run(session: &Arc<Session>, run: Run) -> Map<String, Value> {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let taken = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..run.concurrency.clamp(1, run.count.max(1)) {
        let (session, tally, taken) = (session.clone(), tally.clone(), taken.clone());
        workers.spawn(async move {
            loop {
                let i = taken.fetch_add(1, Ordering::Relaxed);
                if i >= run.count {
                    return;
                }
                let seed = run.seed.wrapping_add(i as u32);
                let (result, bytes) = echo_stream(&session, run.kind, seed, run.size).await;
                locked(&tally).add(&result, bytes);
            }
        });
    }
    workers.join_all().await;
    locked(&tally).fields()
}

pub async fn soak(session: &Arc<Session>, soak: Soak) -> Map<String, Value> {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let taken = Arc::new(AtomicU64::new(0));
    let end = Instant::now() + Duration::from_millis(soak.ms);
    let mut workers = JoinSet::new();
    for worker in 0..soak.concurrency.max(1) {
        let (session, tally, taken) = (session.clone(), tally.clone(), taken.clone());
        workers.spawn(async move {
            let mut sizes = Pattern::new(soak.seed ^ (worker as u32).wrapping_mul(0x9E37_79B9));
            while Instant::now() < end && !session.is_over() {
                let i = taken.fetch_add(1, Ordering::Relaxed);
                let seed = soak.seed.wrapping_add(i as u32);
                let size = u64::from(sizes.next()) % (soak.max_size + 1);
                let (result, bytes) = echo_stream(&session, soak.kind, seed, size).await;
                locked(&tally).add(&result, bytes);
                if result.is_err() {
                    tokio::time::sleep(FAILURE_PAUSE).await;
                }
            }
        });
    }
    workers.join_all().await;
    locked(&tally).fields()
}

/// Comes back with the number of right bytes read.
async fn echo_stream(
    session: &Arc<Session>,
    kind: u32,
    seed: u32,
    size: u64,
) -> (Result<(), Fail>, u64) {
    let (number, stream) = match session.open(kind).await {
        Ok(opened) => opened,
        Err(fail) => return (Err(fail), 0),
    };
    let (wrote, (read, bytes)) = tokio::join!(
        write_pattern(&stream, seed, size),
        check_pattern(&stream, seed, size)
    );
    session.close(number);
    (wrote.and(read), bytes)
}

async fn write_pattern(stream: &PeerStream, seed: u32, size: u64) -> Result<(), Fail> {
    let mut pattern = Pattern::new(seed);
    let mut buf = vec![0; CHUNK.min(size as usize)];
    let mut left = size;
    if size == 0 && stream.kind.is_none() {
        // SYN goes with the first write.
        stream.write(&[]).await?;
    }
    while left > 0 {
        let n = left.min(CHUNK as u64) as usize;
        pattern.fill(&mut buf[..n]);
        stream.write_all(&buf[..n]).await.map_err(|(_, f)| f)?;
        left -= n as u64;
    }
    stream.close_write().await
}

async fn check_pattern(stream: &PeerStream, seed: u32, size: u64) -> (Result<(), Fail>, u64) {
    let mut pattern = Pattern::new(seed);
    let mut buf = vec![0; CHUNK];
    let mut expected = vec![0; CHUNK];
    let mut right = true;
    let mut bytes = 0;
    loop {
        let n = match stream.read(&mut buf).await {
            Ok(0) => break,
            Ok(n) => n,
            Err(fail) => return (Err(fail), bytes),
        };
        pattern.fill(&mut expected[..n]);
        right &= buf[..n] == expected[..n];
        bytes += n as u64;
    }
    if right && bytes == size {
        (Ok(()), bytes)
    } else {
        (Err(Fail::new("wrong echo")), bytes)
    }
}
