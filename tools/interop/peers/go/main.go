// Command peer-go drives one Go muxado session for the interop tests, as ../CONTROL.md says.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"sync"
)

const usage = `usage: peer-go
       peer-go echo-server --host HOST --port PORT [--untyped] [--window BYTES]
       peer-go echo-client --host HOST --port PORT [--untyped] [--window BYTES]

Without arguments, commands are read from stdin, one JSON object per line.
`

func main() {
	log.SetFlags(0)
	log.SetPrefix("peer-go: ")

	if len(os.Args) == 1 {
		newPeer(os.Stdout).serve(os.Stdin)
		return
	}
	if err := runEcho(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "peer-go: %v\n%s", err, usage)
		os.Exit(2)
	}
}

// fields are the members of an answer or of an event.
type fields map[string]any

// output writes whole lines, from any goroutine.
type output struct {
	mu sync.Mutex
	w  io.Writer
}

func (o *output) emit(f fields) {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(f); err != nil {
		log.Fatalf("answer %v: %v", f, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := o.w.Write(line.Bytes()); err != nil {
		log.Fatalf("stdout: %v", err)
	}
}

// serve runs the commands read from in until it ends. Commands still running then are abandoned.
func (p *peer) serve(in io.Reader) {
	// Not a Scanner: a line has no bound, as inject and writeHex carry their bytes in it.
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			p.dispatch(line)
		}
		if err != nil {
			return
		}
	}
}

func (p *peer) dispatch(line []byte) {
	var head struct {
		ID  *json.Number `json:"id"`
		Cmd string       `json:"cmd"`
	}
	if err := json.Unmarshal(line, &head); err != nil || head.ID == nil {
		log.Printf("not a command: %.200s", line)
		return
	}
	run, known := commands[head.Cmd]
	if !known {
		p.answer(*head.ID, nil, fmt.Errorf("unknown command %q", head.Cmd))
		return
	}
	if head.Cmd == "start" && p.started.Swap(true) {
		p.answer(*head.ID, nil, errStarted)
		return
	}
	go func() {
		result, err := run(p, line)
		p.answer(*head.ID, result, err)
	}()
}

func (p *peer) answer(id json.Number, result fields, err error) {
	line := fields{"id": id, "ok": err == nil}
	for k, v := range result {
		line[k] = v
	}
	if err != nil {
		line["code"] = codeOf(err)
		line["error"] = err.Error()
	}
	p.out.emit(line)
}
