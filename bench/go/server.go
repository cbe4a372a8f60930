package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
)

const host = "127.0.0.1"

func address(port int) string {
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// runServer serves until it is told to close. TCP connections have TCP_NODELAY, which is Go's default.
func runServer(p peer, serviceName string, port int) error {
	serve, err := serviceNamed(serviceName)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address(port))
	if err != nil {
		return err
	}
	go acceptConnections(p, serve, listener)
	ready := map[string]any{"ready": true, "port": listener.Addr().(*net.TCPAddr).Port}
	return answerRequests(ready, nil)
}

func acceptConnections(p peer, serve service, listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "accept:", err)
			return
		}
		go acceptStreams(p, serve, conn)
	}
}

// acceptStreams runs a session, each stream on a goroutine. One stream's failure is its client's to tell.
func acceptStreams(p peer, serve service, conn net.Conn) {
	s, err := p.start(conn, server)
	if err != nil {
		fmt.Fprintln(os.Stderr, "session:", err)
		_ = conn.Close()
		return
	}
	for {
		str, err := s.accept()
		if err != nil {
			_ = s.close()
			return
		}
		go func() { _ = serve(str) }()
	}
}
