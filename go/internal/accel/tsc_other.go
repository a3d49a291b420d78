//go:build !amd64

package accel

// TSCKHz returns 0, which means unknown: this architecture has no time stamp counter.
func TSCKHz() int { return 0 }
