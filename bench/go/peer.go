package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
)

// stream is what the workloads need of one. It is over when both sides have ended it: nothing is released by hand.
type stream interface {
	io.Reader
	io.Writer
	// CloseWrite ends this side; reading goes on.
	CloseWrite() error
}

// session is one multiplexed connection.
type session interface {
	open() (stream, error)
	accept() (stream, error)
	close() error
}

type role int

const (
	client role = iota
	server
)

// peer is a multiplexer with its settings.
type peer struct {
	Name  string            `json:"name"`
	About string            `json:"about"`
	Lacks map[string]string `json:"lacks"`
	// start makes a session of a connection.
	start func(conn net.Conn, r role) (session, error)
}

// peers has a line for each; what one is, is in the file of its multiplexer.
var peers = []peer{
	muxadoDefault,
	muxadoTyped,
	muxadoWide,
	yamuxPeer,
	smuxPeer,
}

func peerNamed(name string) (peer, error) {
	for _, p := range peers {
		if p.Name == name {
			return p, nil
		}
	}
	return peer{}, fmt.Errorf("no peer is named %q", name)
}

func about(to io.Writer) error {
	return json.NewEncoder(to).Encode(map[string][]peer{"peers": peers})
}
