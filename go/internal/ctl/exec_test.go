package ctl_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/ctl"
)

func TestExecRoundTrip(t *testing.T) {
	path := socket(t)
	request := ctl.ExecRequest{Command: []string{"cat", "-"}, Env: []string{"A=1"}, Input: []byte("\x00\xff")}
	answers := []ctl.ExecFrame{{Stdout: []byte("o\xff")}, {Stderr: []byte("e")}, {Stdout: []byte("O"), End: &ctl.ExecEnd{Signal: 9}}}
	serve(t, path, ctl.Handlers{Exec: func(_ context.Context, r ctl.ExecRequest, send func(ctl.ExecFrame) error) error {
		if diff := cmp.Diff(request, r); diff != "" {
			t.Error(diff)
		}
		for _, frame := range answers {
			if err := send(frame); err != nil {
				return err
			}
		}
		return nil
	}})
	var out, errs bytes.Buffer
	end, err := ctl.Client{Path: path}.Exec(t.Context(), request, &out, &errs)
	if err != nil || out.String() != "o\xffO" || errs.String() != "e" || end != (ctl.ExecEnd{Signal: 9}) {
		t.Errorf("%v, %q, %q, %+v", err, out.String(), errs.String(), end)
	}
}

func TestExecThatFails(t *testing.T) {
	for _, cause := range []error{ctl.ErrNoAgent, ctl.ErrNoExec, ctl.ErrNoProgram, ctl.ErrCannotStart, ctl.ErrTooLong} {
		path := socket(t)
		serve(t, path, ctl.Handlers{Exec: func(context.Context, ctl.ExecRequest, func(ctl.ExecFrame) error) error {
			return fmt.Errorf("x: %w (do this)", cause)
		}})
		_, err := ctl.Client{Path: path}.Exec(t.Context(), ctl.ExecRequest{Command: []string{"x"}}, io.Discard, io.Discard)
		if !errors.Is(err, cause) || err.Error() != "x: "+cause.Error()+" (do this)" {
			t.Errorf("got %v, want %v", err, cause)
		}
	}
	path := socket(t)
	serve(t, path, ctl.Handlers{Exec: func(_ context.Context, _ ctl.ExecRequest, send func(ctl.ExecFrame) error) error {
		if err := send(ctl.ExecFrame{Stdout: []byte("o")}); err != nil {
			return err
		}
		return errors.New("the guest has restarted")
	}})
	var out bytes.Buffer
	_, err := ctl.Client{Path: path}.Exec(t.Context(), ctl.ExecRequest{Command: []string{"x"}}, &out, io.Discard)
	if err == nil || err.Error() != "the guest has restarted" || out.String() != "o" {
		t.Errorf("got %v, %q", err, out.String())
	}
}

// Who leaves ends the command's context.
func TestExecThatIsLeft(t *testing.T) {
	path, left := socket(t), make(chan struct{})
	serve(t, path, ctl.Handlers{Exec: func(ctx context.Context, _ ctl.ExecRequest, send func(ctl.ExecFrame) error) error {
		if err := send(ctl.ExecFrame{Stdout: []byte("o")}); err != nil {
			return err
		}
		<-ctx.Done()
		close(left)
		return ctx.Err()
	}})
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	_, err := ctl.Client{Path: path}.Exec(ctx, ctl.ExecRequest{Command: []string{"x"}}, writerFunc(func(data []byte) (int, error) {
		if len(data) > 0 {
			cancel(enough)
		}
		return len(data), nil
	}), io.Discard)
	if !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
	<-left
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(data []byte) (int, error) { return w(data) }

func TestBadExecRequests(t *testing.T) {
	path := socket(t)
	serve(t, path, ctl.Handlers{Exec: func(context.Context, ctl.ExecRequest, func(ctl.ExecFrame) error) error {
		t.Error("a bad request ran a command")
		return nil
	}})
	for body, want := range map[string]int{
		"":                                  http.StatusBadRequest,
		"[]":                                http.StatusBadRequest,
		"{}":                                http.StatusBadRequest,
		`{"command": [""]}`:                 http.StatusBadRequest,
		`{"comand": ["x"]}`:                 http.StatusBadRequest,
		`{"command": ["x"], "env": ["=1"]}`: http.StatusBadRequest,
		`{"input": "no base 64`:             http.StatusBadRequest,
		`{"input": "` + strings.Repeat("A", 17<<20): http.StatusRequestEntityTooLarge,
	} {
		if code, _ := ask(t, path, http.MethodPost, "/exec", body); code != want {
			t.Errorf("%.30q: %d, want %d", body, code, want)
		}
	}
}
