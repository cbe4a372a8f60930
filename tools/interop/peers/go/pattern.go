package main

import (
	"bytes"
	"encoding/binary"
	"io"
)

// defaultChunk is the size of one write of a pattern unless told otherwise.
const defaultChunk = 64 << 10

// pattern is the byte sequence that CONTROL.md defines, as far as it has been taken.
type pattern struct {
	state uint32
	tail  []byte // of the last word, what did not fit
	word  [4]byte
}

func newPattern(seed uint32) *pattern {
	if seed == 0 {
		seed = 0x9E3779B9
	}
	return &pattern{state: seed}
}

func (p *pattern) next() uint32 {
	x := p.state
	x ^= x << 13
	x ^= x >> 17
	x ^= x << 5
	p.state = x
	return x
}

// fill takes the next len(b) bytes.
func (p *pattern) fill(b []byte) {
	n := copy(b, p.tail)
	p.tail = p.tail[n:]
	b = b[n:]
	for ; len(b) >= 4; b = b[4:] {
		binary.LittleEndian.PutUint32(b, p.next())
	}
	if len(b) > 0 {
		binary.LittleEndian.PutUint32(p.word[:], p.next())
		p.tail = p.word[copy(b, p.word[:]):]
	}
}

// writePattern writes Pattern(seed, total) in writes of up to chunk bytes, and says how many bytes were written.
func writePattern(w io.Writer, seed uint32, total int64, chunk int) (int64, error) {
	p := newPattern(seed)
	buf, release := borrow(int(min(total, int64(chunk))))
	var written int64
	for written < total {
		b := buf[:min(total-written, int64(len(buf)))]
		p.fill(b)
		n, err := w.Write(b)
		written += int64(n)
		if err != nil {
			// Not released: the session's writer may still be at work on the buffer.
			return written, err
		}
	}
	release()
	return written, nil
}

// checkPattern reads to EOF, says how many bytes came and whether they are Pattern(seed, total).
func checkPattern(r io.Reader, seed uint32, total int64) (n int64, same bool, err error) {
	got, releaseGot := borrow(defaultChunk)
	defer releaseGot()
	want, releaseWant := borrow(defaultChunk)
	defer releaseWant()

	p := newPattern(seed)
	same = true
	for {
		k, err := r.Read(got)
		if k > 0 {
			p.fill(want[:k])
			same = same && bytes.Equal(got[:k], want[:k])
			n += int64(k)
		}
		if err == io.EOF {
			return n, same && n == total, nil
		}
		if err != nil {
			return n, false, err
		}
	}
}
