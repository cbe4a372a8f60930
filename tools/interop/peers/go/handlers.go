package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"

	"golang.ngrok.com/muxado/v2"
)

const (
	handlerEcho   = "echo"
	handlerDigest = "digest"
	handlerSource = "source"
	handlerManual = "manual"
	handlerHold   = "hold"
	handlerDrop   = "drop"
	handlerNone   = "none"
)

// handlerSet says what is done with the streams that the other side opens.
type handlerSet struct {
	session string
	byType  map[uint32]string
}

func newHandlerSet(session string, byType map[string]string) (handlerSet, error) {
	set := handlerSet{session: session, byType: make(map[uint32]string, len(byType))}
	if set.session == "" {
		set.session = handlerEcho
	}
	if set.session != handlerNone && !isHandler(set.session) {
		return set, fmt.Errorf("unknown handler %q", set.session)
	}
	for key, name := range byType {
		streamType, err := strconv.ParseUint(key, 10, 32)
		if err != nil {
			return set, fmt.Errorf("handlers: %q is not a stream type", key)
		}
		if !isHandler(name) {
			return set, fmt.Errorf("unknown handler %q for type %s", name, key)
		}
		set.byType[uint32(streamType)] = name
	}
	return set, nil
}

func isHandler(name string) bool {
	switch name {
	case handlerEcho, handlerDigest, handlerSource, handlerManual, handlerHold, handlerDrop:
		return true
	}
	return false
}

func (h handlerSet) of(streamType *uint32) string {
	if streamType != nil {
		if name, ok := h.byType[*streamType]; ok {
			return name
		}
	}
	return h.session
}

// handle begins what the named handler does, and does not wait for it.
func (s *session) handle(name string, str muxado.Stream, streamType *uint32) {
	switch name {
	case handlerManual:
		s.takeManual(str, streamType)
	case handlerHold:
		s.live.Add(1)
	case handlerDrop:
		go str.Close()
	case handlerEcho:
		s.run(str, echo)
	case handlerDigest:
		s.run(str, digest)
	case handlerSource:
		s.run(str, source)
	}
}

func (s *session) run(str muxado.Stream, handler func(muxado.Stream) error) {
	s.live.Add(1)
	go func() {
		defer s.live.Add(-1)
		defer str.Close()
		// The other side sees the stream's end; there is nobody here to tell.
		_ = handler(str)
	}()
}

func echo(str muxado.Stream) error {
	buf, release := borrow(defaultChunk)
	for {
		n, err := str.Read(buf)
		if n > 0 {
			if _, err := str.Write(buf[:n]); err != nil {
				// Not released: the session's writer may still be at work on the buffer.
				return err
			}
		}
		if err != nil {
			release()
			if err == io.EOF {
				return str.CloseWrite()
			}
			return err
		}
	}
}

func digest(str muxado.Stream) error {
	h := sha256.New()
	if err := drain(str, h); err != nil {
		return err
	}
	if _, err := str.Write(h.Sum(nil)); err != nil {
		return err
	}
	return str.CloseWrite()
}

func source(str muxado.Stream) error {
	var request [8]byte
	if _, err := io.ReadFull(str, request[:]); err != nil {
		return err
	}
	seed := binary.BigEndian.Uint32(request[:4])
	length := binary.BigEndian.Uint32(request[4:])
	if _, err := writePattern(str, seed, int64(length), defaultChunk); err != nil {
		return err
	}
	if err := str.CloseWrite(); err != nil {
		return err
	}
	return drain(str, io.Discard)
}

// drain reads to EOF into w.
func drain(r io.Reader, w io.Writer) error {
	buf, release := borrow(defaultChunk)
	defer release()
	for {
		n, err := r.Read(buf)
		if _, werr := w.Write(buf[:n]); werr != nil {
			return werr
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
