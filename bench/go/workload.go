package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"
)

// What bench/workload.ts says, said in Go.
const (
	chunkBytes  = 64 * 1024
	pingByte    = 0x70
	echoFirst   = 0x01
	echoLast    = 0xfe
	idleBytes   = 64
	idleOpening = 64
	settle      = 100 * time.Millisecond
	countBytes  = 8
)

// chunk is what bulk streams write. Nobody changes it.
var chunk = make([]byte, chunkBytes)

func pingPayload(size int) []byte {
	return bytes.Repeat([]byte{pingByte}, size)
}

func echoPayload(size int) []byte {
	payload := bytes.Repeat([]byte{0x55}, size)
	payload[0] = echoFirst
	payload[size-1] = echoLast
	return payload
}

func checkEcho(payload, got []byte) error {
	if len(got) == len(payload) && got[0] == payload[0] && got[len(got)-1] == payload[len(payload)-1] {
		return nil
	}
	if len(got) == 0 {
		return fmt.Errorf("echo of %d bytes came back as none", len(payload))
	}
	return fmt.Errorf("echo of %d bytes came back as %d, from %d to %d", len(payload), len(got), got[0], got[len(got)-1])
}

func encodeCount(count int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(count))
}

// tally counts what is written to it, and keeps the end of it, which is the other side's count.
type tally struct {
	received int64
	tail     [countBytes]byte
}

func (t *tally) Write(b []byte) (int, error) {
	t.received += int64(len(b))
	if len(b) >= countBytes {
		copy(t.tail[:], b[len(b)-countBytes:])
	} else {
		copy(t.tail[:], t.tail[len(b):])
		copy(t.tail[countBytes-len(b):], b)
	}
	return len(b), nil
}

// totals are the bytes that came up, as the server counted them, and down, the count itself aside.
func (t *tally) totals() (up, down int64, err error) {
	if t.received < countBytes {
		return 0, 0, fmt.Errorf("the stream ended after %d bytes, without a count", t.received)
	}
	return int64(binary.BigEndian.Uint64(t.tail[:])), t.received - countBytes, nil
}

func milliseconds(d time.Duration) float64 {
	return float64(d) / float64(time.Millisecond)
}

// quantile is in microseconds.
func quantile(sorted []time.Duration, q float64) float64 {
	at := min(len(sorted)-1, int(math.Floor(q*float64(len(sorted)))))
	return float64(sorted[at]) / float64(time.Microsecond)
}

func pingResultOf(trips []time.Duration, taken time.Duration) pingResult {
	slices.Sort(trips)
	return pingResult{
		Trips:        len(trips),
		Milliseconds: milliseconds(taken),
		P50:          quantile(trips, 0.5),
		P99:          quantile(trips, 0.99),
	}
}
