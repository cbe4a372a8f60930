package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.ngrok.com/muxado/v2"
	"golang.ngrok.com/muxado/v2/frame"
)

// connectTimeout bounds the dial and, apart from it, the TLS handshake.
const connectTimeout = 10 * time.Second

// options are what a session is started with.
type options struct {
	role          string
	typed         bool
	heartbeat     *muxado.HeartbeatConfig // nil: none of our own
	window        uint32
	acceptBacklog uint32
	handlers      handlerSet
	// takeManual is given each stream whose handler is manual.
	takeManual func(str muxado.Stream, streamType *uint32)
}

// session is one muxado session with what the commands need beside it.
type session struct {
	muxado.Session
	typed      *muxado.Heartbeat // nil when untyped
	heartbeats bool              // whether it sends any
	framer     *injectingFramer
	tcp        *net.TCPConn
	takeManual func(str muxado.Stream, streamType *uint32)

	dead chan struct{} // closed when the session is over, and end is set
	end  sessionEnd

	live   atomic.Int64 // streams that handlers and workloads hold
	beats  atomic.Int64
	misses atomic.Int64

	mu        sync.Mutex
	handlers  handlerSet
	accepting bool
}

// sessionEnd is why a session is over, as each side saw it.
type sessionEnd struct {
	local, remote error
	debug         []byte
}

func (e sessionEnd) fields() fields {
	f := fields{"local": fields{"code": codeOf(e.local), "error": e.local.Error()}, "remote": nil}
	if e.remote != nil {
		f["remote"] = fields{"code": codeOf(e.remote), "debug": string(e.debug)}
	}
	return f
}

// newSession begins a session on transport, beneath which is tcp.
func newSession(tcp *net.TCPConn, transport io.ReadWriteCloser, opt options) *session {
	s := &session{tcp: tcp, takeManual: opt.takeManual, dead: make(chan struct{})}
	config := &muxado.Config{
		MaxWindowSize: opt.window,
		AcceptBacklog: opt.acceptBacklog,
		NewFramer: func(r io.Reader, w io.Writer) frame.Framer {
			s.framer = newInjectingFramer(r, w)
			return s.framer
		},
	}
	if opt.role == "client" {
		s.Session = muxado.Client(transport, config)
	} else {
		s.Session = muxado.Server(transport, config)
	}
	if opt.typed {
		// Without heartbeats of our own as well: it is this wrapper that answers the other side's.
		s.typed = muxado.NewHeartbeat(muxado.NewTypedStreamSession(s.Session), s.countBeat, opt.heartbeat)
		if s.heartbeats = opt.heartbeat != nil; s.heartbeats {
			s.typed.Start()
		}
	}
	go func() {
		s.end.local, s.end.remote, s.end.debug = s.Wait()
		close(s.dead)
	}()
	// There is no other accept loop yet, so this cannot fail.
	_ = s.serve(opt.handlers)
	return s
}

func (s *session) countBeat(_ time.Duration, missed bool) {
	if missed {
		s.misses.Add(1)
	} else {
		s.beats.Add(1)
	}
}

// over is the error that ended the session, nil while it lives.
func (s *session) over() error {
	select {
	case <-s.dead:
		return s.end.local
	default:
		return nil
	}
}

// open opens a stream; an untyped session ignores the type.
func (s *session) open(streamType uint32) (muxado.Stream, error) {
	if err := s.over(); err != nil {
		return nil, err
	}
	if s.typed == nil {
		return s.OpenStream()
	}
	return s.typed.OpenTypedStream(muxado.StreamType(streamType))
}

// serve sets the handlers, and starts the accept loop unless there is one or none is wanted.
func (s *session) serve(h handlerSet) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.session == handlerNone {
		if s.accepting {
			return errors.New("the accept loop cannot be stopped")
		}
		return nil
	}
	s.handlers = h
	if !s.accepting {
		s.accepting = true
		go s.acceptLoop()
	}
	return nil
}

func (s *session) acceptLoop() {
	for {
		str, streamType, err := s.accept()
		if err == nil {
			s.mu.Lock()
			handler := s.handlers.of(streamType)
			s.mu.Unlock()
			s.handle(handler, str, streamType)
			continue
		}
		// A single stream that ends before its type is an error here, too.
		if s.over() != nil {
			return
		}
		runtime.Gosched()
	}
}

func (s *session) accept() (muxado.Stream, *uint32, error) {
	if s.typed == nil {
		str, err := s.AcceptStream()
		return str, nil, err
	}
	str, err := s.typed.AcceptTypedStream()
	if err != nil {
		return nil, nil, err
	}
	streamType := uint32(str.StreamType())
	return str, &streamType, nil
}

// closeSession closes by the outermost wrapper, as its users do.
func (s *session) closeSession() error {
	if s.typed != nil {
		return s.typed.Close()
	}
	return s.Close()
}

// goAway reaches a method that muxado exports on its session but leaves out of its interface.
func (s *session) goAway(code uint32, debug string) error {
	g, ok := s.Session.(interface {
		GoAway(muxado.ErrorCode, []byte, time.Time) error
	})
	if !ok {
		return errUnsupported
	}
	return g.GoAway(muxado.ErrorCode(code), []byte(debug), time.Time{})
}

// beat makes one heartbeat, and gives up when the session is over, which muxado's own does not.
func (s *session) beat() (time.Duration, error) {
	type outcome struct {
		rtt time.Duration
		ok  bool
	}
	done := make(chan outcome, 1)
	go func() {
		rtt, ok := s.typed.Beat()
		done <- outcome{rtt, ok}
	}()
	select {
	case o := <-done:
		if !o.ok {
			return 0, errors.New("heartbeat timed out")
		}
		return o.rtt, nil
	case <-s.dead:
		return 0, s.end.local
	}
}

// cut ends the TCP connection with RST, beneath TLS as well.
func (s *session) cut() error {
	if err := s.tcp.SetLinger(0); err != nil {
		return err
	}
	return s.tcp.Close()
}

func dial(host string, port int) (*net.TCPConn, error) {
	conn, err := net.DialTimeout("tcp", address(host, port), connectTimeout)
	if err != nil {
		return nil, err
	}
	tcp := conn.(*net.TCPConn)
	return tcp, tcp.SetNoDelay(true)
}

func listen(host string, port int) (*net.TCPListener, error) {
	ln, err := net.Listen("tcp", address(host, port))
	if err != nil {
		return nil, err
	}
	return ln.(*net.TCPListener), nil
}

func acceptTCP(ln *net.TCPListener) (*net.TCPConn, error) {
	tcp, err := ln.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return tcp, tcp.SetNoDelay(true)
}

func address(host string, port int) string {
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// tlsTexts are PEM texts: a client has ca, a server has cert and key.
type tlsTexts struct {
	CA   string `json:"ca"`
	Cert string `json:"cert"`
	Key  string `json:"key"`
}

func (t *tlsTexts) config(role string) (*tls.Config, error) {
	if role == "client" {
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM([]byte(t.CA)) {
			return nil, errors.New("tls.ca holds no certificate")
		}
		return &tls.Config{RootCAs: roots, ServerName: "localhost"}, nil
	}
	pair, err := tls.X509KeyPair([]byte(t.Cert), []byte(t.Key))
	if err != nil {
		return nil, fmt.Errorf("tls.cert and tls.key: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}, nil
}

// secure puts TLS on tcp when there is a config, and closes tcp when that fails.
func secure(tcp *net.TCPConn, role string, config *tls.Config) (net.Conn, error) {
	if config == nil {
		return tcp, nil
	}
	conn := tls.Server(tcp, config)
	if role == "client" {
		conn = tls.Client(tcp, config)
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = tcp.Close()
		return nil, err
	}
	return conn, nil
}
