package vm

import (
	"errors"
	"io"
	"testing"

	"microvm-console/internal/ctl"
)

func TestBreak(t *testing.T) {
	v, ended := run(t, machine(t))
	started(t, v)
	if err := v.Break(t.Context(), "console"); err != nil {
		t.Fatal(err)
	}
	stream, err := v.Stream(t.Context(), ctl.StreamRequest{Console: "serial"})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	const want = "break on virtcon0\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(stream, got); err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	const other = `console "other": not available (known: serial, console)`
	if err := v.Break(t.Context(), "other"); !errors.Is(err, ErrNoConsole) || err.Error() != other {
		t.Errorf("a break on an unknown console: %v", err)
	}
	if _, err := v.Stream(t.Context(), ctl.StreamRequest{Console: "other"}); !errors.Is(err, ErrNoConsole) || err.Error() != other {
		t.Errorf("a stream of an unknown console: %v", err)
	}
	const misspelt = `console "seral": not available (did you mean serial?)`
	if err := v.Break(t.Context(), "seral"); err == nil || err.Error() != misspelt {
		t.Errorf("a break on a misspelt console: %v", err)
	}
	if _, err := v.Stop(t.Context(), ctl.StopRequest{}); err != nil {
		t.Error(err)
	}
	<-ended
}
