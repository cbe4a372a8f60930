package main

import (
	"io"
	"sync"

	"golang.ngrok.com/muxado/v2/frame"
)

// injectingFramer is the real framer with a lock around each written frame, so that other bytes fit between two.
type injectingFramer struct {
	frame.Framer
	mu        sync.Mutex
	transport io.Writer
}

func newInjectingFramer(r io.Reader, w io.Writer) *injectingFramer {
	return &injectingFramer{Framer: frame.NewFramer(r, w), transport: w}
}

func (f *injectingFramer) WriteFrame(fr frame.Frame) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.Framer.WriteFrame(fr)
}

func (f *injectingFramer) inject(b []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.transport.Write(b)
	return err
}

// injectRst writes a frame for which muxado has no public call.
func (f *injectingFramer) injectRst(stream, code uint32) error {
	var rst frame.Rst
	if err := rst.Pack(frame.StreamId(stream), frame.ErrorCode(code)); err != nil {
		return err
	}
	return f.WriteFrame(&rst)
}
