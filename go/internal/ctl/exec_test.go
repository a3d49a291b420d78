package ctl_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/ctl"
	"microvm-console/internal/ctl/server"
	"microvm-console/internal/state"
)

func TestExecRoundTrip(t *testing.T) {
	path := socket(t)
	request := ctl.ExecRequest{Command: []string{"cat", "-"}, Env: []string{"A=1"}, Input: []byte("\x00\xff")}
	answers := []ctl.ExecFrame{{Stdout: []byte("o\xff")}, {Stderr: []byte("e")}, {Stdout: []byte("O"), End: &ctl.ExecEnd{Signal: 9}}}
	serve(t, path, server.Handlers{Exec: func(_ context.Context, r ctl.ExecRequest, send func(ctl.ExecFrame) error) error {
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

func TestExecErrors(t *testing.T) {
	for _, cause := range []error{ctl.ErrNoAgent, ctl.ErrNoExec, ctl.ErrNoProgram, ctl.ErrCannotStart, ctl.ErrTooLong} {
		path := socket(t)
		serve(t, path, server.Handlers{Exec: func(context.Context, ctl.ExecRequest, func(ctl.ExecFrame) error) error {
			return fmt.Errorf("x: %w (do this)", cause)
		}})
		_, err := ctl.Client{Path: path}.Exec(t.Context(), ctl.ExecRequest{Command: []string{"x"}}, io.Discard, io.Discard)
		if !errors.Is(err, cause) || err.Error() != "x: "+cause.Error()+" (do this)" {
			t.Errorf("got %v, want %v", err, cause)
		}
	}
	path := socket(t)
	serve(t, path, server.Handlers{Exec: func(_ context.Context, _ ctl.ExecRequest, send func(ctl.ExecFrame) error) error {
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

// A client that disconnects ends the command's context.
func TestExecDisconnect(t *testing.T) {
	path, left := socket(t), make(chan struct{})
	serve(t, path, server.Handlers{Exec: func(ctx context.Context, _ ctl.ExecRequest, send func(ctl.ExecFrame) error) error {
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
	serve(t, path, server.Handlers{Exec: func(context.Context, ctl.ExecRequest, func(ctl.ExecFrame) error) error {
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

// At most eight requests are read at a time, as each may have 16 MiB.
func TestExecBodiesAreLimited(t *testing.T) {
	path := socket(t)
	ran := make(chan struct{}, 1)
	serve(t, path, server.Handlers{Exec: func(context.Context, ctl.ExecRequest, func(ctl.ExecFrame) error) error {
		ran <- struct{}{}
		return nil
	}})
	// begin sends the head of a request, and returns once the server asks for its body, or
	// after limit.
	begin := func(limit time.Duration) (net.Conn, error) {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, "POST /exec HTTP/1.1\r\nHost: x\r\nContent-Length: 21\r\nExpect: 100-continue\r\n\r\n")
		conn.SetReadDeadline(time.Now().Add(limit))
		_, err = bufio.NewReader(conn).ReadString('\n')
		return conn, err
	}
	var half []net.Conn
	for range 8 {
		conn, err := begin(time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		half = append(half, conn)
	}
	ninth, err := begin(300 * time.Millisecond)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the ninth: %v", err)
	}
	half[0].Close()
	io.WriteString(ninth, `{"command": ["true"]}`)
	select {
	case <-ran:
	case <-time.After(time.Minute):
		t.Error("the ninth was not read")
	}
}

// Each connection serves one request.
func TestConnectionsDoNotIdle(t *testing.T) {
	path := socket(t)
	serve(t, path, server.Handlers{Status: func() state.Machine { return status }})
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	if text, err := io.ReadAll(conn); err != nil || !bytes.HasPrefix(text, []byte("HTTP/1.1 200 ")) {
		t.Errorf("got %q, %v", text, err)
	}
}
