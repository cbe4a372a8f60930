package main

import (
	"strconv"

	"golang.ngrok.com/muxado/v2"
)

// codeOf is the muxado error code of err, or nil where it has none.
func codeOf(err error) *uint32 {
	if err == nil {
		return nil
	}
	code, cause := muxado.GetError(err)
	// An error of another kind comes back as it is, with a code that a real RST may carry, too.
	if code == muxado.ErrorUnknown && cause == err {
		return nil
	}
	c := uint32(code)
	return &c
}

// errorKey names err in the tally of a workload.
func errorKey(err error) string {
	if code := codeOf(err); code != nil {
		return strconv.FormatUint(uint64(*code), 10)
	}
	return err.Error()
}
