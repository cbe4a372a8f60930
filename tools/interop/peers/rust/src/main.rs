//! Drives one session of the Rust muxado crate for the interop tests, as ../CONTROL.md says.
//!
//! What the crate has no way to say or do, is watched or done on the wire below it: the ids of streams, `reset`,
//! `inject`, `cut`, and what `wait` tells. Where the crate leaves a reader or writer waiting for ever, the answer is an
//! error with `hung: true`. Answers that tell EOF have `fin`: whether the other side sent FIN, as the crate tells EOF
//! also when the session is lost.
//!
//! Heartbeats: with `heartbeat`, the crate's own sender and responder; without it, a responder of this program, as the
//! crate has none without a sender. Neither runs without an accept loop. A handler given for type 4294967295 takes the
//! place of the responder of this program.

mod commands;
mod connect;
mod endless;
mod fail;
mod handlers;
mod pattern;
mod session;
mod streams;
mod transport;
mod wire;
mod workload;

use commands::{Command, Peer};
use endless::Endless;
use fail::Fail;
use serde_json::Value;
use std::io::{BufRead, Write, stdin, stdout};
use std::process::exit;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

const USAGE: &str = "\
usage: peer-rust
       peer-rust echo-server --host HOST --port PORT [--untyped] [--window BYTES]
       peer-rust echo-client --host HOST --port PORT [--untyped] [--window BYTES]

Without arguments, commands are read from stdin, one JSON object per line.
";

fn main() {
    // There are frames that make the crate's own tasks panic: one line says enough.
    std::panic::set_hook(Box::new(|panic| eprintln!("peer-rust: {panic}")));
    let runtime = Runtime::new().expect("a runtime");
    if std::env::args().len() == 1 {
        serve(&runtime);
        // What runs is abandoned.
        exit(0);
    }
    let Some(endless) = Endless::parse(std::env::args().skip(1)) else {
        eprint!("{USAGE}");
        exit(2);
    };
    if let Err(fail) = runtime.block_on(endless.run()) {
        eprintln!("peer-rust: {}", fail.error);
        exit(1);
    }
}

/// Runs the commands from stdin until it ends.
fn serve(runtime: &Runtime) {
    let (lines, mut written) = mpsc::unbounded_channel();
    // A thread of its own: nobody else shall wait for a slow reader of stdout.
    std::thread::spawn(move || {
        while let Some(line) = written.blocking_recv() {
            let mut out = stdout().lock();
            if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                exit(0);
            }
        }
    });
    let _inside = runtime.enter();
    let peer = Peer::new(lines.clone());
    // Unread bytes of stdin may be anything: a wrong line must not end the program.
    for line in stdin().lock().split(b'\n').map_while(Result::ok) {
        let Ok(request) = serde_json::from_slice::<Value>(&line) else {
            if !line.trim_ascii().is_empty() {
                eprintln!("peer-rust: not JSON: {}", String::from_utf8_lossy(&line));
            }
            continue;
        };
        let id = request["id"].clone();
        let (peer, lines) = (peer.clone(), lines.clone());
        match serde_json::from_value::<Command>(request) {
            Ok(command) => {
                let obeyed = peer.obey(command);
                runtime.spawn(async move { lines.send(answer(id, obeyed.await)) });
            }
            Err(error) => drop(lines.send(answer(id, Fail::new(error.to_string()).fields()))),
        }
    }
}

fn answer(id: Value, mut fields: commands::Fields) -> Value {
    fields.insert("id".into(), id);
    Value::Object(fields)
}
