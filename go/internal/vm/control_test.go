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
	const wrong = `console "other": is not served here (choose one of serial, console)`
	if err := v.Break(t.Context(), "other"); !errors.Is(err, ErrNoConsole) || err.Error() != wrong {
		t.Errorf("a console that is not there: %v", err)
	}
	if _, err := v.Stream(t.Context(), ctl.StreamRequest{Console: "other"}); !errors.Is(err, ErrNoConsole) || err.Error() != wrong {
		t.Errorf("a stream that is not there: %v", err)
	}
	if _, err := v.Stop(t.Context(), ctl.StopRequest{}); err != nil {
		t.Error(err)
	}
	<-ended
}
