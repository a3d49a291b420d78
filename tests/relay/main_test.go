// Package relay tests persistent relays: channels, run-qemu, the units of systemd, and what
// happens to a relay that is killed, slowed down, or has no space.
//
// Helpers of its own, in files without tests:
//
//	relay_process_test.go                  a qemu-relay that is killed and started again
//	channel_test.go, channel_lock_test.go  paths, settings and status of a channel; the VM's lock of it
//	printer_test.go, printer_process_test.go, fake_qemu_test.go
//	                                       processes that print numbered lines in place of a QEMU
//	journal_files_test.go, line_counter_test.go
//	                                       whether a journal has each line once
//	stream_checker_test.go                 whether a client gets what the journal has
//	client_series_test.go, client_connect_test.go, client_group_test.go
//	                                       many clients of all kinds and habits
//	poller_test.go, fifo_level_test.go     whether a relay and a QEMU answer; how full a FIFO is
//	mounts_test.go, qmp_test.go            small file systems; QEMU's monitor
package relay

import (
	"testing"

	"microvm-console/tests/internal/harness"
)

func TestMain(m *testing.M) {
	printerIfAsked()
	harness.Main(m)
}
