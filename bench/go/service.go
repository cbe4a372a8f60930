package main

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// service does with a stream what bench/peer.ts says of it, to the stream's end, on the stream's goroutine.
type service func(stream) error

var services = map[string]service{
	"echo":   serveEcho,
	"ping":   servePing,
	"sink":   serveSink,
	"duplex": serveDuplex,
	"mixed":  serveMixed,
}

func serviceNamed(name string) (service, error) {
	if s, ok := services[name]; ok {
		return s, nil
	}
	return nil, fmt.Errorf("no service is named %q", name)
}

// smallBytes holds a whole payload of echo or ping, so that one read takes it.
const smallBytes = 2048

// pingBytes is what a stream that waits for its next ping keeps: 10,000 of them count.
const pingBytes = 512

var (
	smallBuffers = buffers(smallBytes)
	chunkBuffers = buffers(chunkBytes)
)

func buffers(size int) *sync.Pool {
	return &sync.Pool{New: func() any {
		b := make([]byte, size)
		return &b
	}}
}

// readAll appends what comes until the end.
func readAll(from io.Reader, to []byte) ([]byte, error) {
	for {
		if len(to) == cap(to) {
			to = append(to, 0)[:len(to)]
		}
		n, err := from.Read(to[len(to):cap(to)])
		to = to[:len(to)+n]
		if err == io.EOF {
			return to, nil
		}
		if err != nil {
			return to, err
		}
	}
}

// drain takes all that comes, in chunks, or as the multiplexer's own WriteTo gives it.
func drain(to io.Writer, from stream) error {
	buffer := chunkBuffers.Get().(*[]byte)
	defer chunkBuffers.Put(buffer)
	_, err := io.CopyBuffer(to, from, *buffer)
	return err
}

func serveEcho(str stream) error {
	buffer := smallBuffers.Get().(*[]byte)
	defer smallBuffers.Put(buffer)
	all, err := readAll(str, (*buffer)[:0])
	if err != nil {
		return err
	}
	if _, err := str.Write(all); err != nil {
		return err
	}
	return str.CloseWrite()
}

func servePing(str stream) error {
	return answer(str, make([]byte, pingBytes), 0)
}

// answer begins with n bytes that the buffer holds already.
func answer(str stream, buffer []byte, n int) error {
	for {
		if n > 0 {
			if _, err := str.Write(buffer[:n]); err != nil {
				return err
			}
		}
		var err error
		if n, err = str.Read(buffer); err != nil {
			if err == io.EOF {
				return str.CloseWrite()
			}
			return err
		}
	}
}

func serveSink(str stream) error {
	return sink(str, 0)
}

// sink has received some bytes already.
func sink(str stream, received int64) error {
	count := counter(received)
	if err := drain(&count, str); err != nil {
		return err
	}
	return finishWith(str, int64(count))
}

func serveDuplex(str stream) error {
	var ended atomic.Bool
	written := make(chan error, 1)
	go func() { written <- writeWhile(str, func() bool { return !ended.Load() }) }()
	var count counter
	err := drain(&count, str)
	ended.Store(true)
	if err != nil {
		return err
	}
	if err := <-written; err != nil {
		return err
	}
	return finishWith(str, int64(count))
}

func serveMixed(str stream) error {
	buffer := make([]byte, pingBytes)
	n, err := str.Read(buffer)
	if err != nil && err != io.EOF {
		return err
	}
	if n > 0 && buffer[0] == pingByte {
		return answer(str, buffer, n)
	}
	return sink(str, int64(n))
}

func finishWith(str stream, count int64) error {
	if _, err := str.Write(encodeCount(count)); err != nil {
		return err
	}
	return str.CloseWrite()
}

// writeWhile writes a chunk in any case: a muxado stream that began with its end could not be answered, and by what
// comes down the client tells whether the service is the right one.
func writeWhile(str stream, more func() bool) error {
	for {
		if _, err := str.Write(chunk); err != nil || !more() {
			return err
		}
	}
}

// counter discards what is written to it.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
