package main

import (
	"errors"
	"os"
	"strconv"
)

// relayed is a persistent relay, and a printer that stands for QEMU and outlives it.
type relayed struct {
	*daemon
	stream  *followed
	ctl     string
	printer *setup
}

// start starts the relay and returns once its endpoints are there: ctl is the last.
func (r *relayed) start() error {
	_ = os.Remove(r.ctl) // that of a killed relay
	return errors.Join(r.daemon.start(), r.printer.await(r.ctl))
}

// stopPrinting returns how many bytes were printed in all.
func (r *relayed) stopPrinting() (int64, error) {
	if err := r.printer.begin(); err != nil { // any line ends it
		return 0, err
	}
	return strconv.ParseInt(<-r.printer.says, 10, 64)
}
