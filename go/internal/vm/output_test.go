package vm

import (
	"strings"
	"testing"

	"microvm-console/internal/ctl"
)

// The tails include all output that a client has read.
func TestTailsHaveAll(t *testing.T) {
	text := strings.Repeat("a line of the guest\r\n", 100_000)
	v, ended := run(t, machine(t, "fake.print="+printed(t, text)))
	started(t, v)
	stream, err := v.Stream(t.Context(), ctl.StreamRequest{Console: "serial"})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	chunk := make([]byte, 32<<10)
	for read := 0; read < len(text); {
		n, err := stream.Read(chunk)
		if err != nil {
			t.Fatal(err)
		}
		read += n
		if tail := v.Tails(1)[0]; tail.Bytes < int64(read) {
			t.Fatalf("a client has read %d bytes, the tail has %d", read, tail.Bytes)
		}
	}
	stop(t, v, ended)
}

// awaitRead does not wait for lost output, so that a full disk does not block the end of a VM.
func TestAwaitReadOfLostBytes(t *testing.T) {
	asked := 0
	written := func() int64 {
		if asked++; asked > 1 {
			return 0 // the journal has lost it
		}
		return 10
	}
	o := outputs{guest: newGuest(machine(t)), of: []output{{written: written}}}
	o.awaitRead()
	if asked != 2 {
		t.Errorf("written was called %d times, want 2", asked)
	}
}
