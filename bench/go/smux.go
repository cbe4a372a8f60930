package main

import (
	"net"

	"github.com/xtaci/smux"
)

var smuxPeer = peer{
	Name: "go-smux",
	About: "github.com/xtaci/smux 1.5.58, version 2 of its protocol, windows of 1 MiB (by default 64 KiB; a smaller one " +
		"means a shorter ping beside bulk), 64 MiB for the session, frames of 32 KiB, half-close by CloseWrite.",
	Lacks: map[string]string{},
	start: func(conn net.Conn, r role) (session, error) {
		config := smux.DefaultConfig()
		config.Version = 2
		config.MaxStreamBuffer = 1 << 20
		// Once this is full, all streams stand still until one is read: so much that the streams' windows come first.
		config.MaxReceiveBuffer = 64 << 20
		start := smux.Server
		if r == client {
			start = smux.Client
		}
		s, err := start(conn, config)
		return smuxSession{s}, err
	},
}

type smuxSession struct{ *smux.Session }

func (s smuxSession) open() (stream, error)   { return s.OpenStream() }
func (s smuxSession) accept() (stream, error) { return s.AcceptStream() }
func (s smuxSession) close() error            { return s.Close() }
