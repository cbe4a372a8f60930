package main

import "sync"

var chunks = sync.Pool{New: func() any {
	b := make([]byte, defaultChunk)
	return &b
}}

// borrow gives a buffer of size bytes, and what to call when nobody uses it any more.
func borrow(size int) ([]byte, func()) {
	if size > defaultChunk {
		return make([]byte, size), func() {}
	}
	b := chunks.Get().(*[]byte)
	return (*b)[:size], func() { chunks.Put(b) }
}
