package main

import (
	"io"
	"net"
	"time"

	"github.com/hashicorp/yamux"
)

var yamuxPeer = peer{
	Name: "go-yamux",
	About: "github.com/hashicorp/yamux 0.1.2, windows of 1 MiB (by default 256 KiB: less bulk on one stream, and a " +
		"shorter ping beside it), 1,024 streams to be accepted (more wait to be opened), writes and pings may take 30 s, " +
		"no timer for each stream's opening and closing, half-close by Close.",
	Lacks: map[string]string{},
	start: func(conn net.Conn, r role) (session, error) {
		config := yamux.DefaultConfig()
		config.MaxStreamWindowSize = 1 << 20
		config.AcceptBacklog = 1024
		config.ConnectionWriteTimeout = 30 * time.Second
		config.StreamOpenTimeout = 0
		config.StreamCloseTimeout = 0
		// What goes wrong is seen in the results; sessions that end are not to be told of.
		config.LogOutput = io.Discard
		start := yamux.Server
		if r == client {
			start = yamux.Client
		}
		s, err := start(conn, config)
		return yamuxSession{s}, err
	},
}

type yamuxSession struct{ *yamux.Session }

func (s yamuxSession) open() (stream, error) {
	str, err := s.OpenStream()
	return yamuxStream{str}, err
}

func (s yamuxSession) accept() (stream, error) {
	str, err := s.AcceptStream()
	return yamuxStream{str}, err
}

func (s yamuxSession) close() error { return s.Close() }

type yamuxStream struct{ *yamux.Stream }

// CloseWrite is Close, which in yamux ends only this side's writing.
func (s yamuxStream) CloseWrite() error { return s.Close() }
