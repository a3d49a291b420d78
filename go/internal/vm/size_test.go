package vm

import (
	"io"
	"slices"
	"strings"
	"testing"

	"microvm-console/internal/ctl"
	"microvm-console/internal/relay"
)

// terminal adds a client with a terminal of a size until the end of the test.
func terminal(t *testing.T, v *VM, console, client string, rows, columns int) {
	t.Helper()
	stream, err := v.Stream(t.Context(), ctl.StreamRequest{Console: console, From: "now", Client: client, Terminal: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stream.Close() })
	go func() { _, _ = io.Copy(io.Discard, stream) }() // until the VM ends
	if err := v.Size(ctl.SizeRequest{Console: console, Client: client, Rows: rows, Columns: columns}); err != nil {
		t.Fatal(err)
	}
}

// shown waits until the guest has printed the sizes that it was given, one per line.
func shown(t *testing.T, v *VM, want ...string) {
	t.Helper()
	await(t, strings.Join(want, ", "), func() bool {
		lines := v.Tails(100)[0].Lines
		return slices.Equal(lines, want)
	})
}

// The guest has the size of the writer's terminal.
func TestSizeFollowsTheSeat(t *testing.T) {
	v, ended := run(t, machine(t, "fake.agent=sizes"))
	started(t, v)
	terminal(t, v, "serial", "a", 24, 80)
	shown(t, v, "ttyS0 80x24")
	terminal(t, v, "serial", "b", 30, 100) // without a writer, the newest counts
	shown(t, v, "ttyS0 80x24", "ttyS0 100x30")
	seat, err := v.consoles.all()[0].Relay().Typist(relay.TypistInfo{Name: "a", Seat: relay.TakeSeat})
	if err != nil {
		t.Fatal(err)
	}
	shown(t, v, "ttyS0 80x24", "ttyS0 100x30", "ttyS0 80x24")
	terminal(t, v, "serial", "b", 31, 101)
	terminal(t, v, "console", "c", 40, 132)
	shown(t, v, "ttyS0 80x24", "ttyS0 100x30", "ttyS0 80x24", "hvc0 132x40")
	seat.Close()
	shown(t, v, "ttyS0 80x24", "ttyS0 100x30", "ttyS0 80x24", "hvc0 132x40", "ttyS0 101x31")
	if err := v.Size(ctl.SizeRequest{Console: "other", Rows: 1, Columns: 1}); err == nil {
		t.Error("no error for an unknown console")
	}
	stop(t, v, ended)
}

// A QEMU that can resize a virtio console does so without an agent.
func TestSizeByQEMU(t *testing.T) {
	v, ended := run(t, machine(t, "fake.resize", "fake.print="+printed(t, "begun\n")))
	started(t, v)
	await(t, "print", func() bool { return v.Tails(1)[0].Bytes > 0 })
	terminal(t, v, "serial", "a", 24, 80) // ignored: a UART needs an agent
	terminal(t, v, "console", "b", 30, 100)
	shown(t, v, "begun", "virtcon0 100x30")
	stop(t, v, ended)
}
