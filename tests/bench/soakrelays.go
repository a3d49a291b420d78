package main

import (
	"errors"
	"os"
	"strconv"
)

// relayed is a persistent relay, and a printer that replaces QEMU and outlives the relay.
type relayed struct {
	*daemon
	stream  *followed
	ctl     string
	printer *setup
}

// start starts the relay and returns when its endpoints exist; ctl is the last of them.
func (r *relayed) start() error {
	_ = os.Remove(r.ctl) // left by a killed relay
	return errors.Join(r.daemon.start(), r.printer.await(r.ctl))
}

// stopPrinting ends the printer and returns the number of bytes that it has printed.
func (r *relayed) stopPrinting() (int64, error) {
	if err := r.printer.begin(); err != nil { // any line ends the printer
		return 0, err
	}
	return strconv.ParseInt(<-r.printer.lines, 10, 64)
}
