// Package relay tests persistent relays: channels, run-qemu, systemd units, and relays that are
// killed, stopped, or have no disk space.
//
// These files contain helpers:
//
//	relay_process_test.go                  runs a qemu-relay that can be killed and restarted
//	channel_test.go, channel_lock_test.go  paths, settings, status and VM lock of a channel
//	printer_test.go, printer_process_test.go, fake_qemu_test.go
//	                                       processes that print numbered lines instead of QEMU
//	journal_files_test.go, line_counter_test.go
//	                                       check that a journal has each line once
//	stream_checker_test.go                 checks that a client receives what the journal has
//	client_series_test.go, client_connect_test.go, client_group_test.go
//	                                       run many clients of all kinds and habits
//	poller_test.go, fifo_level_test.go     check that a relay and QEMU answer; the level of a FIFO
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
