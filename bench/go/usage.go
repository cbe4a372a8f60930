package main

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

type processUsage struct {
	CPUMicroseconds int64  `json:"cpuMicroseconds"`
	RSSBytes        int64  `json:"rssBytes"`
	HeapBytes       uint64 `json:"heapBytes"`
}

// collecting is the CPU time that collections for the sake of currentUsage have taken, which is not the workloads'.
var collecting time.Duration

// currentUsage counts the stacks as heap: they are what a waiting goroutine costs.
func currentUsage() (processUsage, error) {
	before, err := cpuTime()
	if err != nil {
		return processUsage{}, err
	}
	taken := before - collecting
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	usage := processUsage{taken.Microseconds(), residentBytes(), memory.HeapInuse + memory.StackInuse}
	after, err := cpuTime()
	collecting += after - before
	return usage, err
}

func cpuTime() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, err
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}

// residentBytes is 0 where there is no /proc to ask.
func residentBytes() int64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	if fields := bytes.Fields(statm); len(fields) > 1 {
		if pages, err := strconv.ParseInt(string(fields[1]), 10, 64); err == nil {
			return pages * int64(os.Getpagesize())
		}
	}
	return 0
}
