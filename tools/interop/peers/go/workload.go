package main

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

var (
	errWrongEcho = errors.New("wrong echo")
	errNegative  = errors.New("counts and sizes must not be below 0")
)

// failurePause keeps a soak that can open no more streams from spinning.
const failurePause = 10 * time.Millisecond

type runArgs struct {
	Count       int64  `json:"count"`
	Concurrency int    `json:"concurrency"`
	Size        int64  `json:"size"`
	Type        uint32 `json:"type"`
	Seed        int64  `json:"seed"`
}

func (s *session) runCommand(args runArgs) (fields, error) {
	if args.Count < 0 || args.Size < 0 {
		return nil, errNegative
	}
	var t tally
	var taken atomic.Int64
	workers(min(args.Concurrency, int(args.Count)), func(int) {
		for {
			i := taken.Add(1) - 1
			if i >= args.Count {
				return
			}
			t.add(s.echoStream(args.Type, uint32(args.Seed+i), args.Size))
		}
	})
	return t.fields(), nil
}

type soakArgs struct {
	Ms          float64 `json:"ms"`
	Concurrency int     `json:"concurrency"`
	MaxSize     int64   `json:"maxSize"`
	Type        uint32  `json:"type"`
	Seed        int64   `json:"seed"`
}

func (s *session) soakCommand(args soakArgs) (fields, error) {
	if args.MaxSize < 0 {
		return nil, errNegative
	}
	var t tally
	var taken atomic.Int64
	end := time.Now().Add(milliseconds(args.Ms))
	workers(args.Concurrency, func(worker int) {
		sizes := rand.New(rand.NewPCG(uint64(args.Seed), uint64(worker)))
		for time.Now().Before(end) && s.over() == nil {
			seed := uint32(args.Seed + taken.Add(1) - 1)
			n, err := s.echoStream(args.Type, seed, sizes.Int64N(args.MaxSize+1))
			t.add(n, err)
			if err != nil {
				time.Sleep(failurePause)
			}
		}
	})
	return t.fields(), nil
}

// workers runs work in n goroutines, at least one, and waits for all.
func workers(n int, work func(worker int)) {
	var wg sync.WaitGroup
	for i := range max(n, 1) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			work(i)
		}()
	}
	wg.Wait()
}

// echoStream opens a stream, writes a pattern on it and expects the same back. It says how many bytes came back.
func (s *session) echoStream(streamType, seed uint32, size int64) (int64, error) {
	str, err := s.open(streamType)
	if err != nil {
		return 0, err
	}
	s.live.Add(1)
	defer s.live.Add(-1)
	defer str.Close()

	// Apart from the reader: an echo is no faster than it is read.
	written := make(chan error, 1)
	go func() {
		_, err := writePattern(str, seed, size, defaultChunk)
		if err == nil {
			err = str.CloseWrite()
		}
		if err != nil {
			// The reader might wait for ever for an echo of what was not written.
			_ = str.Close()
		}
		written <- err
	}()
	n, same, err := checkPattern(str, seed, size)
	if werr := <-written; werr != nil {
		err = werr
	}
	if err == nil && !same {
		err = errWrongEcho
	}
	return n, err
}

// tally adds up what became of the streams of a workload.
type tally struct {
	mu              sync.Mutex
	streams, failed int64
	bytes           int64
	errors          map[string]int
}

func (t *tally) add(n int64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.streams++
	t.bytes += n
	if err == nil {
		return
	}
	t.failed++
	if t.errors == nil {
		t.errors = make(map[string]int)
	}
	t.errors[errorKey(err)]++
}

func (t *tally) fields() fields {
	errs := t.errors
	if errs == nil {
		errs = map[string]int{}
	}
	return fields{"streams": t.streams, "failed": t.failed, "bytes": t.bytes, "errors": errs}
}
