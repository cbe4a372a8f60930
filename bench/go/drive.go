package main

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

type echoResult struct {
	Streams      int64   `json:"streams"`
	Milliseconds float64 `json:"milliseconds"`
}

type pingResult struct {
	Trips        int     `json:"trips"`
	Milliseconds float64 `json:"milliseconds"`
	P50          float64 `json:"p50"`
	P99          float64 `json:"p99"`
}

type bulkResult struct {
	Bytes        int64   `json:"bytes"`
	Milliseconds float64 `json:"milliseconds"`
}

// together runs so many at once, and fails with the first of them, which it does not keep waiting for the others.
func together(count int, each func() error) error {
	results := make(chan error, count)
	for range count {
		go func() { results <- each() }()
	}
	for range count {
		if err := <-results; err != nil {
			return err
		}
	}
	return nil
}

func echo(s session, concurrency, size int, lasts time.Duration) (echoResult, error) {
	if size < 1 {
		return echoResult{}, errors.New("echo needs a byte")
	}
	payload := echoPayload(size)
	var done atomic.Int64
	started := time.Now()
	err := together(concurrency, func() error {
		buffer := make([]byte, smallBytes)
		for {
			if err := callOnce(s, payload, buffer); err != nil {
				return err
			}
			done.Add(1)
			if time.Since(started) >= lasts {
				return nil
			}
		}
	})
	return echoResult{done.Load(), milliseconds(time.Since(started))}, err
}

// callOnce is one exchange. The buffer is the caller's, to be used again.
func callOnce(s session, payload, buffer []byte) error {
	str, err := s.open()
	if err != nil {
		return err
	}
	if _, err := str.Write(payload); err != nil {
		return err
	}
	if err := str.CloseWrite(); err != nil {
		return err
	}
	got, err := readAll(str, buffer[:0])
	if err != nil {
		return err
	}
	return checkEcho(payload, got)
}

func ping(s session, size, beside int, lasts time.Duration) (pingResult, error) {
	if size < 1 {
		return pingResult{}, errors.New("ping needs a byte")
	}
	var over atomic.Bool
	others := make(chan error, 1)
	go func() {
		others <- together(beside, func() error {
			_, _, err := push(s, func() bool { return !over.Load() })
			return err
		})
	}()
	if beside > 0 {
		time.Sleep(settle)
	}
	result, err := pingFor(s, size, lasts)
	over.Store(true)
	if err != nil {
		return result, err
	}
	return result, <-others
}

// tripsExpected is what room is made for beforehand, for each millisecond.
const tripsExpected = 200

func pingFor(s session, size int, lasts time.Duration) (pingResult, error) {
	str, err := s.open()
	if err != nil {
		return pingResult{}, err
	}
	payload, buffer := pingPayload(size), make([]byte, size)
	trips := make([]time.Duration, 0, tripsExpected*(lasts.Milliseconds()+1))
	started := time.Now()
	sent := started
	for sent.Sub(started) < lasts {
		if err := trip(str, payload, buffer); err != nil {
			return pingResult{}, err
		}
		now := time.Now()
		trips = append(trips, now.Sub(sent))
		sent = now
	}
	if err := str.CloseWrite(); err != nil {
		return pingResult{}, err
	}
	rest, err := readAll(str, buffer[:0])
	if err != nil {
		return pingResult{}, err
	}
	if len(rest) > 0 {
		return pingResult{}, fmt.Errorf("%d bytes more than were sent", len(rest))
	}
	return pingResultOf(trips, sent.Sub(started)), nil
}

// trip is one round trip on a stream that stays open.
func trip(str stream, payload, buffer []byte) error {
	if _, err := str.Write(payload); err != nil {
		return err
	}
	_, err := io.ReadFull(str, buffer)
	return err
}

func bulk(s session, streams int, bothWays bool, lasts time.Duration) (bulkResult, error) {
	var bytes atomic.Int64
	started := time.Now()
	err := together(streams, func() error {
		up, down, err := push(s, func() bool { return time.Since(started) < lasts })
		if err != nil {
			return err
		}
		if (down > 0) != bothWays {
			return fmt.Errorf("%d bytes came down: is the server's service the right one?", down)
		}
		bytes.Add(up + down)
		return nil
	})
	return bulkResult{bytes.Load(), milliseconds(time.Since(started))}, err
}

// push is a stream that writes while it may, and reads all the while: to the server's count.
func push(s session, more func() bool) (up, down int64, err error) {
	str, err := s.open()
	if err != nil {
		return 0, 0, err
	}
	written := make(chan error, 1)
	go func() {
		err := writeWhile(str, more)
		written <- errors.Join(err, str.CloseWrite())
	}()
	var received tally
	if err := drain(&received, str); err != nil {
		return 0, 0, err
	}
	if err := <-written; err != nil {
		return 0, 0, err
	}
	return received.totals()
}

func idle(s session, streams int) error {
	left := int64(streams)
	return together(idleOpening, func() error {
		payload, buffer := pingPayload(idleBytes), make([]byte, idleBytes)
		for atomic.AddInt64(&left, -1) >= 0 {
			str, err := s.open()
			if err != nil {
				return err
			}
			if err := trip(str, payload, buffer); err != nil {
				return err
			}
			// Its end is the session's.
			go func() { _, _ = str.Read(make([]byte, 1)) }()
		}
		return nil
	})
}
