package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"time"
)

// redialPause is between attempts to reach a server that is not there.
const redialPause = 20 * time.Millisecond

// runEcho runs one of the modes without control, for ever; it returns when the arguments are wrong.
func runEcho(mode string, args []string) error {
	var run func(host string, port int, opt options)
	switch mode {
	case "echo-server":
		run = echoServer
	case "echo-client":
		run = echoClient
	default:
		return fmt.Errorf("unknown mode %q", mode)
	}

	flags := flag.NewFlagSet(mode, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	host := flags.String("host", "", "")
	port := flags.Int("port", -1, "")
	untyped := flags.Bool("untyped", false, "")
	window := flags.Uint("window", 0, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *host == "" || *port < 0 || *port > 65535:
		return errors.New("--host and a --port up to 65535 are required")
	case *window > 1<<31-1:
		return errors.New("--window is too large")
	}
	run(*host, *port, options{typed: !*untyped, window: uint32(*window), handlers: handlerSet{session: handlerEcho}})
	return nil
}

func echoServer(host string, port int, opt options) {
	opt.role = "server"
	ln, err := listen(host, port)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(os.Stdout, "listening %s\n", ln.Addr())
	for {
		tcp, err := acceptTCP(ln)
		if err != nil {
			log.Printf("accept: %v", err)
			time.Sleep(redialPause)
			continue
		}
		newSession(tcp, tcp, opt)
	}
}

func echoClient(host string, port int, opt options) {
	opt.role = "client"
	for {
		tcp, err := dial(host, port)
		if err != nil {
			time.Sleep(redialPause)
			continue
		}
		s := newSession(tcp, tcp, opt)
		// Its failure is the other side's doing, and its business.
		_ = hello(s)
		<-s.dead
	}
}

// hello makes one exchange, so that the other side has a stream to work on.
func hello(s *session) error {
	str, err := s.open(1)
	if err != nil {
		return err
	}
	defer str.Close()
	if _, err := str.Write([]byte("hello")); err != nil {
		return err
	}
	if err := str.CloseWrite(); err != nil {
		return err
	}
	return drain(str, io.Discard)
}
