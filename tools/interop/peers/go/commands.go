package main

import (
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.ngrok.com/muxado/v2"
)

const muxadoModule = "golang.ngrok.com/muxado/v2"

var (
	errStarted     = errors.New("already started")
	errNotStarted  = errors.New("not started")
	errUnsupported = errors.New("unsupported")
	errNoHeartbeat = errors.New("the session has no heartbeat")
)

// peer is the program under control: one session and the streams that commands know by number.
type peer struct {
	out     *output
	started atomic.Bool
	streams streamTable

	ready   chan struct{} // closed when the session has begun or failed to; then one of these is set
	session *session
	failed  error
}

func newPeer(w io.Writer) *peer {
	return &peer{out: &output{w: w}, ready: make(chan struct{})}
}

// commands take the whole line. They run concurrently.
var commands = map[string]func(*peer, []byte) (fields, error){
	"start": (*peer).start,
	"wait":  (*peer).wait,
	"beats": (*peer).countBeats,
	"info":  (*peer).info,

	"serve":        onSession((*session).serveCommand),
	"run":          onSession((*session).runCommand),
	"soak":         onSession((*session).soakCommand),
	"beat":         onSession((*session).beatCommand),
	"goAway":       onSession((*session).goAwayCommand),
	"closeSession": onSession((*session).closeCommand),
	"inject":       onSession((*session).injectCommand),
	"cut":          onSession((*session).cutCommand),

	"open":       (*peer).open,
	"write":      onStream((*stream).writeCommand),
	"writeHex":   onStream((*stream).writeHexCommand),
	"read":       onStream((*stream).readCommand),
	"readAll":    onStream((*stream).readAllCommand),
	"closeWrite": onStream((*stream).closeWriteCommand),
	"close":      (*peer).closeStream,
	"reset":      (*peer).reset,
}

// begun waits for the session, so that a server may be given commands before somebody has connected.
func (p *peer) begun() (*session, error) {
	if !p.started.Load() {
		return nil, errNotStarted
	}
	<-p.ready
	return p.session, p.failed
}

// living is the session, or the error that ended it.
func (p *peer) living() (*session, error) {
	s, err := p.begun()
	if err != nil {
		return nil, err
	}
	return s, s.over()
}

func onSession[A any](run func(*session, A) (fields, error)) func(*peer, []byte) (fields, error) {
	return func(p *peer, line []byte) (fields, error) {
		var args A
		if err := json.Unmarshal(line, &args); err != nil {
			return nil, err
		}
		s, err := p.living()
		if err != nil {
			return nil, err
		}
		return run(s, args)
	}
}

type handlerArgs struct {
	Handler  string            `json:"handler"`
	Handlers map[string]string `json:"handlers"`
}

type startArgs struct {
	Role      string    `json:"role"`
	Host      string    `json:"host"`
	Port      int       `json:"port"`
	TLS       *tlsTexts `json:"tls"`
	Typed     *bool     `json:"typed"`
	Heartbeat *struct {
		IntervalMs  float64 `json:"intervalMs"`
		ToleranceMs float64 `json:"toleranceMs"`
	} `json:"heartbeat"`
	Window        uint32 `json:"window"`        // 0: muxado's default, which is the contract's
	AcceptBacklog uint32 `json:"acceptBacklog"` // likewise
	handlerArgs
}

func (p *peer) start(line []byte) (fields, error) {
	result, err := p.connect(line)
	if err != nil {
		p.fail(err)
	}
	return result, err
}

// fail settles that there will be no session.
func (p *peer) fail(err error) {
	p.failed = err
	close(p.ready)
}

func (p *peer) connect(line []byte) (fields, error) {
	var args startArgs
	if err := json.Unmarshal(line, &args); err != nil {
		return nil, err
	}
	opt, err := p.options(args)
	if err != nil {
		return nil, err
	}
	var config *tls.Config
	if args.TLS != nil {
		if config, err = args.TLS.config(args.Role); err != nil {
			return nil, err
		}
	}
	if args.Host == "" {
		args.Host = "127.0.0.1"
	}

	if args.Role == "client" {
		tcp, err := dial(args.Host, args.Port)
		if err != nil {
			return nil, err
		}
		transport, err := secure(tcp, args.Role, config)
		if err != nil {
			return nil, err
		}
		p.begin(tcp, transport, opt)
		return nil, nil
	}

	ln, err := listen(args.Host, args.Port)
	if err != nil {
		return nil, err
	}
	go func() {
		tcp, err := acceptTCP(ln)
		_ = ln.Close()
		var transport net.Conn
		if err == nil {
			transport, err = secure(tcp, args.Role, config)
		}
		if err != nil {
			p.fail(err)
			p.emitClosed(sessionEnd{local: err})
			return
		}
		p.begin(tcp, transport, opt)
	}()
	return fields{"port": ln.Addr().(*net.TCPAddr).Port}, nil
}

func (p *peer) options(args startArgs) (options, error) {
	opt := options{
		role:          args.Role,
		typed:         args.Typed == nil || *args.Typed,
		window:        args.Window,
		acceptBacklog: args.AcceptBacklog,
		takeManual: func(str muxado.Stream, streamType *uint32) {
			p.out.emit(fields{"event": "accepted", "stream": p.streams.add(str), "type": streamType})
		},
	}
	if args.Role != "client" && args.Role != "server" {
		return opt, fmt.Errorf("unknown role %q", args.Role)
	}
	if h := args.Heartbeat; h != nil {
		if !opt.typed {
			return opt, errors.New("heartbeats need a typed session")
		}
		opt.heartbeat = muxado.NewHeartbeatConfig()
		opt.heartbeat.Interval = milliseconds(h.IntervalMs)
		opt.heartbeat.Tolerance = milliseconds(h.ToleranceMs)
		if opt.heartbeat.Interval <= 0 || opt.heartbeat.Tolerance <= 0 {
			return opt, errors.New("heartbeat intervalMs and toleranceMs must be above 0")
		}
	}
	var err error
	opt.handlers, err = newHandlerSet(args.Handler, args.Handlers)
	return opt, err
}

func (p *peer) begin(tcp *net.TCPConn, transport net.Conn, opt options) {
	p.out.emit(fields{"event": "connected"})
	s := newSession(tcp, transport, opt)
	p.session = s
	close(p.ready)
	go func() {
		<-s.dead
		p.emitClosed(s.end)
	}()
}

func (p *peer) emitClosed(end sessionEnd) {
	f := end.fields()
	f["event"] = "closed"
	p.out.emit(f)
}

func (p *peer) wait([]byte) (fields, error) {
	s, err := p.begun()
	if err != nil {
		return nil, err
	}
	<-s.dead
	return s.end.fields(), nil
}

func (p *peer) countBeats([]byte) (fields, error) {
	s, err := p.begun()
	if err != nil {
		return nil, err
	}
	return fields{"beats": s.beats.Load(), "misses": s.misses.Load()}, nil
}

func (p *peer) info([]byte) (fields, error) {
	live := int64(p.streams.count())
	select {
	case <-p.ready:
		if p.session != nil {
			live += p.session.live.Load()
		}
	default:
	}
	return fields{"implementation": "go", "version": muxadoVersion(), "live": live}, nil
}

func muxadoVersion() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range build.Deps {
		if m.Path != muxadoModule {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		return m.Version
	}
	return "unknown"
}

func (s *session) serveCommand(args handlerArgs) (fields, error) {
	h, err := newHandlerSet(args.Handler, args.Handlers)
	if err != nil {
		return nil, err
	}
	return nil, s.serve(h)
}

func (s *session) beatCommand(struct{}) (fields, error) {
	if !s.heartbeats {
		return nil, errNoHeartbeat
	}
	rtt, err := s.beat()
	if err != nil {
		return nil, err
	}
	return fields{"rttMs": float64(rtt) / float64(time.Millisecond)}, nil
}

type goAwayArgs struct {
	Code  uint32 `json:"code"`
	Debug string `json:"debug"`
}

func (s *session) goAwayCommand(args goAwayArgs) (fields, error) {
	return nil, s.goAway(args.Code, args.Debug)
}

func (s *session) closeCommand(struct{}) (fields, error) {
	return nil, s.closeSession()
}

type hexArgs struct {
	Hex string `json:"hex"`
}

func (s *session) injectCommand(args hexArgs) (fields, error) {
	b, err := hex.DecodeString(args.Hex)
	if err != nil {
		return nil, err
	}
	return nil, s.framer.inject(b)
}

func (s *session) cutCommand(struct{}) (fields, error) {
	return nil, s.cut()
}

func milliseconds(ms float64) time.Duration {
	return time.Duration(ms * float64(time.Millisecond))
}
