package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.ngrok.com/muxado/v2"
)

// resetPatience is how long reset waits for the local Close behind it.
const resetPatience = 500 * time.Millisecond

// streamTable numbers the streams that commands know, opened here or accepted by the manual handler.
type streamTable struct {
	mu   sync.Mutex
	last int
	m    map[int]*stream
}

// stream is one of them.
type stream struct {
	muxado.Stream
	failure atomic.Pointer[error] // what a read or write failed with
}

func (t *streamTable) add(str muxado.Stream) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil {
		t.m = make(map[int]*stream)
	}
	t.last++
	t.m[t.last] = &stream{Stream: str}
	return t.last
}

func (t *streamTable) get(number int) (*stream, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lookup(number)
}

// take is get, after which the number is unknown.
func (t *streamTable) take(number int) (*stream, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	str, err := t.lookup(number)
	delete(t.m, number)
	return str, err
}

func (t *streamTable) lookup(number int) (*stream, error) {
	str, ok := t.m[number]
	if !ok {
		return nil, fmt.Errorf("unknown stream %d", number)
	}
	return str, nil
}

func (t *streamTable) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.m)
}

func (p *peer) open(line []byte) (fields, error) {
	var args struct {
		Type uint32 `json:"type"`
	}
	if err := json.Unmarshal(line, &args); err != nil {
		return nil, err
	}
	s, err := p.begun()
	if err != nil {
		return nil, err
	}
	str, err := s.open(args.Type)
	if err != nil {
		return nil, err
	}
	return fields{"stream": p.streams.add(str)}, nil
}

type streamArgs struct {
	Stream int `json:"stream"`
}

func onStream[A any](run func(*stream, A) (fields, error)) func(*peer, []byte) (fields, error) {
	return func(p *peer, line []byte) (fields, error) {
		var which streamArgs
		var args A
		if err := errors.Join(json.Unmarshal(line, &which), json.Unmarshal(line, &args)); err != nil {
			return nil, err
		}
		str, err := p.streams.get(which.Stream)
		if err != nil {
			return nil, err
		}
		return run(str, args)
	}
}

type writeArgs struct {
	Seed  int64 `json:"seed"`
	Bytes int64 `json:"bytes"`
	Chunk *int  `json:"chunk"`
}

func (str *stream) writeCommand(args writeArgs) (fields, error) {
	chunk := defaultChunk
	if args.Chunk != nil {
		chunk = *args.Chunk
	}
	if chunk <= 0 || args.Bytes < 0 {
		return fields{"bytes": 0}, errors.New("chunk must be above 0, bytes not below")
	}
	n, err := writePattern(str, uint32(args.Seed), args.Bytes, chunk)
	return fields{"bytes": n}, str.failedWith(err)
}

func (str *stream) writeHexCommand(args hexArgs) (fields, error) {
	b, err := hex.DecodeString(args.Hex)
	if err != nil {
		return nil, err
	}
	n, err := str.Write(b)
	return fields{"bytes": n}, str.failedWith(err)
}

type readArgs struct {
	Bytes int `json:"bytes"`
}

func (str *stream) readCommand(args readArgs) (fields, error) {
	if args.Bytes < 0 {
		return nil, errors.New("bytes must not be below 0")
	}
	buf := make([]byte, args.Bytes)
	n, err := io.ReadFull(str, buf)
	result := fields{"hex": hex.EncodeToString(buf[:n])}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		result["eof"] = true
		return result, nil
	}
	return result, str.failedWith(err)
}

type readAllArgs struct {
	SlowMs float64 `json:"slowMs"`
}

func (str *stream) readAllCommand(args readAllArgs) (fields, error) {
	h := sha256.New()
	counter := &slowCounter{w: h, pause: milliseconds(args.SlowMs)}
	err := drain(str, counter)
	return fields{"bytes": counter.n, "sha256": hex.EncodeToString(h.Sum(nil))}, str.failedWith(err)
}

// slowCounter counts what it passes on, and pauses after each write.
type slowCounter struct {
	w     io.Writer
	pause time.Duration
	n     int64
}

func (c *slowCounter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	if n > 0 {
		time.Sleep(c.pause)
	}
	return n, err
}

func (str *stream) closeWriteCommand(struct{}) (fields, error) {
	// muxado would send FIN on a stream that is over, and see no error in it.
	if failure := str.failure.Load(); failure != nil {
		return nil, *failure
	}
	return nil, str.CloseWrite()
}

// failedWith keeps the error of a read or write; those that follow fail with it by muxado's own means.
func (str *stream) failedWith(err error) error {
	if err != nil {
		str.failure.CompareAndSwap(nil, &err)
	}
	return err
}

func (p *peer) closeStream(line []byte) (fields, error) {
	var args streamArgs
	if err := json.Unmarshal(line, &args); err != nil {
		return nil, err
	}
	str, err := p.streams.take(args.Stream)
	if err != nil {
		return nil, err
	}
	return nil, str.Close()
}

func (p *peer) reset(line []byte) (fields, error) {
	var args struct {
		streamArgs
		Code uint32 `json:"code"`
	}
	if err := json.Unmarshal(line, &args); err != nil {
		return nil, err
	}
	s, err := p.living()
	if err != nil {
		return nil, err
	}
	str, err := p.streams.take(args.Stream)
	if err != nil {
		return nil, err
	}
	if err := s.framer.injectRst(str.Id(), args.Code); err != nil {
		return nil, err
	}
	// Close waits for a writer that waits for credit, which after the RST nobody will grant.
	closed := make(chan struct{})
	go func() {
		_ = str.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(resetPatience):
	}
	return nil, nil
}
