//! The transport under the crate: it can be cut, and raw bytes can be put between two of the crate's frames.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use crate::fail::Fail;
use crate::wire::{Scanner, Wire, locked};

pub enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    fn tcp(&self) -> &TcpStream {
        match self {
            Socket::Plain(tcp) => tcp,
            Socket::Tls(tls) => tls.get_ref().0,
        }
    }

    fn reading(&mut self) -> Pin<&mut (dyn AsyncRead + Send + Unpin)> {
        match self {
            Socket::Plain(tcp) => Pin::new(tcp),
            Socket::Tls(tls) => Pin::new(&mut **tls),
        }
    }

    fn writing(&mut self) -> Pin<&mut (dyn AsyncWrite + Send + Unpin)> {
        match self {
            Socket::Plain(tcp) => Pin::new(tcp),
            Socket::Tls(tls) => Pin::new(&mut **tls),
        }
    }
}

struct Injection {
    bytes: Vec<u8>,
    done: usize,
}

struct State {
    socket: Option<Socket>,
    outbound: Scanner,
    injection: Option<Injection>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    injector: Option<Waker>,
}

impl State {
    fn socket(&mut self) -> io::Result<&mut Socket> {
        // What a cut looks like from above.
        self.socket
            .as_mut()
            .ok_or_else(|| io::ErrorKind::ConnectionReset.into())
    }

    fn wake(&mut self) {
        for waker in [&mut self.reader, &mut self.writer, &mut self.injector] {
            if let Some(waker) = waker.take() {
                waker.wake();
            }
        }
    }

    /// Whoever may write brings the injection on its way: a frame must not begin before it has ended.
    fn poll_injection(&mut self, cx: &mut Context) -> Poll<io::Result<()>> {
        let Some(mut injection) = self.injection.take() else {
            return Poll::Ready(Ok(()));
        };
        let result = loop {
            let rest = &injection.bytes[injection.done..];
            if rest.is_empty() {
                if let Some(waker) = self.injector.take() {
                    waker.wake();
                }
                return Poll::Ready(Ok(()));
            }
            match self.socket()?.writing().poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => {
                    break Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                Poll::Ready(Ok(n)) => injection.done += n,
                other => break other.map_ok(|_| ()),
            }
        };
        self.injection = Some(injection);
        result
    }
}

/// What both the session's transport and the injector hold.
struct Link {
    state: Mutex<State>,
    wire: Arc<Wire>,
}

/// The crate's side. When the crate drops it, the connection closes.
pub struct Transport(Arc<Link>);

/// The test's side.
pub struct Injector {
    link: Arc<Link>,
    turn: tokio::sync::Mutex<()>,
}

pub fn link(socket: Socket, wire: Arc<Wire>) -> (Transport, Injector) {
    let link = Arc::new(Link {
        state: Mutex::new(State {
            socket: Some(socket),
            outbound: Scanner::default(),
            injection: None,
            reader: None,
            writer: None,
            injector: None,
        }),
        wire,
    });
    let injector = Injector {
        link: link.clone(),
        turn: Default::default(),
    };
    (Transport(link), injector)
}

impl Transport {
    fn note<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &result {
            self.0.wire.end(Fail::new(format!("transport: {error}")));
        }
        result
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context,
        buf: &mut ReadBuf,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let mut state = locked(&self.0.state);
        let result = match state.socket() {
            Ok(socket) => socket.reading().poll_read(cx, buf),
            Err(error) => Poll::Ready(Err(error)),
        };
        if result.is_pending() {
            state.reader = Some(cx.waker().clone());
        }
        drop(state);
        if matches!(result, Poll::Ready(Ok(()))) {
            let bytes = &buf.filled()[before..];
            if bytes.is_empty() {
                self.0.wire.end(Fail::new("transport: end of file"));
            }
            self.0.wire.received(bytes);
        }
        self.note(result)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = locked(&self.0.state);
        let state = &mut *state;
        let result = (|| {
            if state.outbound.at_boundary() {
                ready!(state.poll_injection(cx))?;
            }
            let n = ready!(state.socket()?.writing().poll_write(cx, buf))?;
            self.0.wire.sent(&mut state.outbound, &buf[..n]);
            if (state.outbound.at_boundary() || state.outbound.is_blind())
                && let Some(waker) = state.injector.take()
            {
                waker.wake();
            }
            Poll::Ready(Ok(n))
        })();
        if result.is_pending() {
            state.writer = Some(cx.waker().clone());
        }
        self.note(result)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        let mut state = locked(&self.0.state);
        let result = match state.socket() {
            Ok(socket) => socket.writing().poll_flush(cx),
            Err(error) => Poll::Ready(Err(error)),
        };
        if result.is_pending() {
            state.writer = Some(cx.waker().clone());
        }
        self.note(result)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        match locked(&self.0.state).socket() {
            Ok(socket) => socket.writing().poll_shutdown(cx),
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        let mut state = locked(&self.0.state);
        state.socket.take();
        state.wake();
        drop(state);
        self.0
            .wire
            .end(Fail::new("the session dropped its transport"));
    }
}

impl Injector {
    /// Puts raw bytes between two frames. They are not watched: what they do to the numbering of streams is the
    /// business of the test.
    pub async fn inject(&self, bytes: Vec<u8>) -> Result<(), Fail> {
        let _turn = self.turn.lock().await;
        locked(&self.link.state).injection = Some(Injection { bytes, done: 0 });
        let result = poll_fn(|cx| {
            let mut state = locked(&self.link.state);
            let state = &mut *state;
            state.socket()?;
            if state.injection.is_some() && state.outbound.is_blind() {
                return Poll::Ready(Err(io::Error::other("nothing can follow GOAWAY")));
            }
            let begun = state.injection.as_ref().is_some_and(|i| i.done > 0);
            if state.injection.is_some() && !begun && !state.outbound.at_boundary() {
                state.injector = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let mut result = state.poll_injection(cx);
            if let Poll::Ready(Ok(())) = result {
                result = state.socket()?.writing().poll_flush(cx);
            }
            if result.is_pending() {
                state.injector = Some(cx.waker().clone());
            } else if let Some(waker) = state.writer.take() {
                // A socket wakes its last caller alone, and that was us.
                waker.wake();
            }
            result
        })
        .await;
        locked(&self.link.state).injection = None;
        result.map_err(Fail::from)
    }

    /// Ends the connection with a TCP RST.
    pub fn cut(&self) -> Result<(), Fail> {
        let mut state = locked(&self.link.state);
        let socket = state.socket()?;
        socket.tcp().set_zero_linger()?;
        state.socket.take();
        state.wake();
        drop(state);
        self.link.wire.end(Fail::new("cut"));
        Ok(())
    }
}
