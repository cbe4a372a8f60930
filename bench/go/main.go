// Command go speaks the bench's process protocol for the multiplexers in Go: it is the server or the client of one of
// them. Usage: about | <peer> server <service> <port> | <peer> client <port>. bench/README.md has the requests.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
)

const usage = "usage: about | <peer> server <service> <port> | <peer> client <port>"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 1 && args[0] == "about" {
		return about(os.Stdout)
	}
	if len(args) < 3 {
		return errors.New(usage)
	}
	p, err := peerNamed(args[0])
	if err != nil {
		return err
	}
	port, err := strconv.ParseUint(args[len(args)-1], 10, 16)
	if err != nil {
		return fmt.Errorf("%q is no port", args[len(args)-1])
	}
	switch role := args[1]; {
	case role == "server" && len(args) == 4:
		return runServer(p, args[2], int(port))
	case role == "client" && len(args) == 3:
		return runClient(p, int(port))
	default:
		return errors.New(usage)
	}
}
