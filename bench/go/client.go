package main

import (
	"errors"
	"net"
	"time"
)

// runClient does the operations that it is told to, one after another.
func runClient(p peer, port int) error {
	c := &clientState{peer: p, address: address(port)}
	return answerRequests(map[string]any{"ready": true}, c.do)
}

type clientState struct {
	peer    peer
	address string
	session session // nil until connect
}

type connectsResult struct {
	Sessions     int     `json:"sessions"`
	Milliseconds float64 `json:"milliseconds"`
}

func (c *clientState) do(r request) (any, error) {
	lasts := time.Duration(r.Milliseconds * float64(time.Millisecond))
	switch r.Op {
	case "connect":
		s, err := c.connect()
		if err != nil {
			return nil, err
		}
		c.session = s
		return map[string]any{"connected": true}, nil
	case "connects":
		return c.connects(lasts)
	}
	if c.session == nil {
		return nil, errors.New("not connected")
	}
	switch r.Op {
	case "echo":
		return echo(c.session, r.Concurrency, r.Size, lasts)
	case "ping":
		return ping(c.session, r.Size, r.Beside, lasts)
	case "bulk":
		return bulk(c.session, r.Streams, r.BothWays, lasts)
	case "idle":
		return map[string]any{"streams": r.Streams}, idle(c.session, r.Streams)
	default:
		return nil, errors.New("unknown op " + r.Op)
	}
}

func (c *clientState) connect() (session, error) {
	conn, err := net.Dial("tcp", c.address)
	if err != nil {
		return nil, err
	}
	return c.peer.start(conn, client)
}

// connects opens sessions one after another, each for one echo.
func (c *clientState) connects(lasts time.Duration) (connectsResult, error) {
	payload := echoPayload(idleBytes)
	buffer := make([]byte, smallBytes)
	started := time.Now()
	for done := 1; ; done++ {
		s, err := c.connect()
		if err != nil {
			return connectsResult{}, err
		}
		if err := callOnce(s, payload, buffer); err != nil {
			return connectsResult{}, err
		}
		if err := s.close(); err != nil {
			return connectsResult{}, err
		}
		if taken := time.Since(started); taken >= lasts {
			return connectsResult{done, milliseconds(taken)}, nil
		}
	}
}
