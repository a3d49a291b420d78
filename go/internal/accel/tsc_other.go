//go:build !amd64

package accel

// TSCKHz is 0, unknown: there is no time stamp counter here.
func TSCKHz() int { return 0 }
