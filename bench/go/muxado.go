package main

import (
	"net"
	"time"

	"golang.ngrok.com/muxado/v2"
)

const muxadoVersion = "golang.ngrok.com/muxado/v2 2.0.2"

// backlog is how many streams may wait to be accepted: with the default of 128, a thousand at once are reset with
// AcceptQueueFull.
const backlog = 16384

const bareAbout = ", windows of 256 KiB (the default), 16,384 streams to be accepted (by default 128, which resets " +
	"streams where 1,000 open at once)"

var muxadoDefault = peer{
	Name:  "go-muxado",
	About: muxadoVersion + bareAbout + ", untyped.",
	Lacks: map[string]string{},
	start: func(conn net.Conn, r role) (session, error) {
		return muxadoSession{newMuxado(conn, r, &muxado.Config{AcceptBacklog: backlog})}, nil
	},
}

var muxadoWide = peer{
	Name: "go-muxado-wide",
	About: muxadoVersion + ", windows of 4 MiB, 16,384 streams to be accepted, untyped. " +
		"Its queue of 64 frames to be written cannot be set.",
	Lacks: map[string]string{},
	start: func(conn net.Conn, r role) (session, error) {
		config := &muxado.Config{MaxWindowSize: 4 << 20, AcceptBacklog: backlog}
		return muxadoSession{newMuxado(conn, r, config)}, nil
	},
}

var muxadoTyped = peer{
	Name: "go-muxado-typed",
	About: muxadoVersion + bareAbout + ", beneath typed streams and heartbeats (every 10 s, tolerance 15 s): what a " +
		"session of effect-muxado with default options talks to.",
	Lacks: map[string]string{},
	start: func(conn net.Conn, r role) (session, error) {
		typed := muxado.NewTypedStreamSession(newMuxado(conn, r, &muxado.Config{AcceptBacklog: backlog}))
		beating := muxado.NewHeartbeat(typed, func(time.Duration, bool) {}, muxado.NewHeartbeatConfig())
		beating.Start()
		return typedSession{beating}, nil
	},
}

func newMuxado(conn net.Conn, r role, config *muxado.Config) muxado.Session {
	if r == client {
		return muxado.Client(conn, config)
	}
	return muxado.Server(conn, config)
}

type muxadoSession struct{ muxado.Session }

func (s muxadoSession) open() (stream, error)   { return s.OpenStream() }
func (s muxadoSession) accept() (stream, error) { return s.AcceptStream() }
func (s muxadoSession) close() error            { return s.Close() }

// streamType is any but the heartbeats'.
const streamType muxado.StreamType = 1

type typedSession struct{ *muxado.Heartbeat }

func (s typedSession) open() (stream, error)   { return s.OpenTypedStream(streamType) }
func (s typedSession) accept() (stream, error) { return s.AcceptTypedStream() }
func (s typedSession) close() error            { return s.Close() }
