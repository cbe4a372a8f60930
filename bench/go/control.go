package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// patience is how long an operation may take beyond its time before it is said to hang. Whoever asked waits for 30 s.
const patience = 25 * time.Second

// request is a line of stdin. Each op uses what it needs of it.
type request struct {
	Op           string  `json:"op"`
	Concurrency  int     `json:"concurrency"`
	Size         int     `json:"size"`
	Milliseconds float64 `json:"milliseconds"`
	Beside       int     `json:"beside"`
	Streams      int     `json:"streams"`
	BothWays     bool    `json:"bothWays"`
}

// answerRequests says that the process is ready and answers its requests until close or the end of stdin. What is
// neither usage nor close goes to do, if there is any.
func answerRequests(ready any, do func(request) (any, error)) error {
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(ready); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var r request
		var result any
		err := json.Unmarshal(lines.Bytes(), &r)
		switch {
		case err != nil:
		case r.Op == "close":
			return out.Encode(map[string]any{"closed": true})
		case r.Op == "usage":
			result, err = currentUsage()
		case do == nil:
			err = fmt.Errorf("unknown op %q", r.Op)
		default:
			result, err = watched(r, do)
		}
		if err != nil {
			result = map[string]any{"error": err.Error()}
		}
		if err := out.Encode(result); err != nil {
			return err
		}
	}
	return lines.Err()
}

// watched gives up on an operation that hangs; what it was doing goes on doing so until the process ends.
func watched(r request, do func(request) (any, error)) (any, error) {
	type outcome struct {
		result any
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		result, err := do(r)
		done <- outcome{result, err}
	}()
	limit := time.Duration(r.Milliseconds*float64(time.Millisecond)) + patience
	select {
	case o := <-done:
		return o.result, o.err
	case <-time.After(limit):
		return nil, fmt.Errorf("%s hangs: no end within %v", r.Op, limit)
	}
}
