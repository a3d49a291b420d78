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
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/ctl/server"
	"microvm-console/internal/state"
)

// hangLimit is how long a fuzz target waits for one answer.
const hangLimit = time.Minute

// strict records, for its handlers, which calls are open and which requests should have
// been refused.
type strict struct {
	mu    sync.Mutex
	open  int
	typed bytes.Buffer
	wrong []string
}

// begin records an open call. The caller calls end.
func (s *strict) begin(valid bool, request any) (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	if !valid {
		s.wrong = append(s.wrong, fmt.Sprintf("%+v", request))
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
	}
}

func (s *strict) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.typed.Write(data)
}

// take returns what was recorded since the last call to take.
func (s *strict) take() (open int, typed string, wrong []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	open, typed, wrong = s.open, s.typed.String(), s.wrong
	s.typed.Reset()
	s.wrong = nil
	return open, typed, wrong
}

// closer is a reader that calls end when it is closed.
type closer struct {
	io.Reader
	end func()
}

func (c closer) Close() error {
	c.end()
	return nil
}

// typist is a server.Typist that calls end when it is closed.
type typist struct {
	*strict
	end func()
}

func (t *typist) Close() { t.end() }

func (t *typist) Lost() <-chan error { return nil }

func (t *typist) Others() <-chan string { return nil }

func (s *strict) handlers() server.Handlers {
	valid := func(r ctl.StreamRequest) bool {
		return r.Boot <= 0 && (r.Seat == "" || r.Seat == ctl.SeatTake || r.Seat == ctl.SeatForce)
	}
	return server.Handlers{
		Status:     func() state.Machine { return status },
		AwaitReady: func(context.Context) error { return ctl.ErrNeverReady },
		Stop: func(_ context.Context, r ctl.StopRequest) (ctl.StopReport, error) {
			defer s.begin(r.Timeout > 0, r)()
			return ctl.StopReport{}, nil
		},
		Stream: func(_ context.Context, r ctl.StreamRequest) (*ctl.Stream, error) {
			text := io.MultiReader(strings.NewReader("text"), iotest.ErrReader(map[bool]error{false: io.EOF, true: errors.New("a gap")}[r.Gaps]))
			return &ctl.Stream{ReadCloser: closer{text, s.begin(valid(r), r)}}, nil
		},
		Input: func(r ctl.StreamRequest) (server.Typist, error) {
			return &typist{s, s.begin(valid(r), r)}, nil
		},
		Exec: func(_ context.Context, r ctl.ExecRequest, send func(ctl.ExecFrame) error) error {
			named := func(variable string) bool { return strings.Index(variable, "=") > 0 }
			ok := len(r.Command) > 0 && r.Command[0] != ""
			for _, variable := range r.Env {
				ok = ok && named(variable)
			}
			defer s.begin(ok, r)()
			return send(ctl.ExecFrame{Stdout: r.Input, End: &ctl.ExecEnd{}})
		},
		Size: func(r ctl.SizeRequest) error {
			defer s.begin(r.Client != "" && min(r.Rows, r.Columns) > 0 && max(r.Rows, r.Columns) < 1<<16, r)()
			return nil
		},
		Break:     func(context.Context, string) error { return nil },
		Boot:      func(context.Context) (int, error) { return 0, ctl.ErrEnding },
		NextOrder: func(context.Context) (string, error) { return "", ctl.ErrEnding },
	}
}

var (
	// answered matches an answer and its status.
	answered = regexp.MustCompile(`\A(?:HTTP/1\.1 100 Continue\r\n\r\n)?HTTP/1\.[01] ([2345])\d\d `)
	// plainTarget matches a target that has no other meaning in a request line.
	plainTarget = regexp.MustCompile(`\A/input(?:\?[!-~]*)?\z`)
)

// Every request gets an answer, no handler gets an invalid request, and no call stays open.
// A refusal contains no control characters.
func FuzzRequest(f *testing.F) {
	for method, targets := range map[string][]string{
		"GET":  {"/status", "/metrics", "/ready", "/orders", "/stream?from=-5&boot=-1&gaps=true", "//stream", "/%zz?a", "*"},
		"POST": {"/stop?timeout=1s&force=1", "/size?client=me&rows=1&columns=65535", "/input?console=serial&seat=take", "/boot", "/break?console=x"},
	} {
		for _, target := range targets {
			f.Add(method, target, []byte("root\n"))
		}
	}
	f.Add("POST", "/exec", []byte(`{"command":["true"],"env":["A=1"],"input":"AA=="}`))
	f.Add("POST", "/exec", []byte(`{"command":["\u0000"],"\u009b":"`+"\x1b\"}"))
	s, path := &strict{}, socket(f)
	serve(f, path, s.handlers())
	f.Fuzz(func(t *testing.T, method, target string, body []byte) {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(hangLimit))
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: machine\r\nContent-Length: %d\r\n\r\n%s", method, target, len(body), body)
		conn.(*net.UnixConn).CloseWrite()
		text, err := io.ReadAll(conn)
		code := answered.FindSubmatch(text)
		if code == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("answered %q, %v", text, err)
		}
		if code[1][0] > '3' && bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\r' && r != '\n' || 0x7f <= r && r < 0xa0 }) {
			t.Errorf("refused with %q", text)
		}
		open, typed, wrong := s.take()
		if open != 0 || wrong != nil {
			t.Errorf("%d are open, and passed were %q", open, wrong)
		}
		if method == http.MethodPost && plainTarget.MatchString(target) && code[1][0] == '2' && typed != string(body) {
			t.Errorf("typed %q, want %q", typed, body)
		}
	})
}

// hostile returns a client of a server that answers each request with the text of one call
// of say.
func hostile(f *testing.F) (client ctl.Client, say func(answer string)) {
	f.Helper()
	path, answers := socket(f), make(chan string, 1)
	listener, err := net.Listen("unix", path)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { listener.Close() })
	go func() {
		for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
			_, _ = http.ReadRequest(bufio.NewReader(conn)) // the answer does not depend on it
			io.WriteString(conn, <-answers)
			conn.Close()
		}
	}()
	return ctl.Client{Path: path}, func(answer string) { answers <- answer }
}

// For every answer a client returns, and it does not report success for a refusal.
func FuzzAnswer(f *testing.F) {
	const plain, typed = "Microvm-Offset: 1\r\nMicrovm-Live: 2\r\nMicrovm-Gap: -1", "Content-Type: application/json"
	for which := range uint8(8) {
		for _, code := range []uint16{200, 404, 409, 416, 503} {
			f.Add(which, code, plain, "x has the writer's seat")
			f.Add(which, code, typed, `{"name":"demo","boot":3,"consoles":[{"relay":null}]}`)
		}
	}
	client, say := hostile(f)
	f.Fuzz(func(t *testing.T, which uint8, code uint16, header, body string) {
		code = 200 + (code-200)%400 // a final status
		ctx, cancel := context.WithTimeout(t.Context(), hangLimit)
		defer cancel()
		say(fmt.Sprintf("HTTP/1.1 %d x\r\n%s\r\n\r\n%s", code, header, body))
		done, err := false, error(nil)
		switch request := (ctl.StreamRequest{Console: "serial"}); which % 8 {
		case 0:
			_, err = client.Status(ctx)
		case 1:
			_, err = client.AwaitReady(ctx)
		case 2:
			_, done, err = client.Stop(ctx, ctl.StopRequest{})
		case 3:
			_, err = client.Boot(ctx)
		case 4:
			var stream *ctl.Stream
			if stream, err = client.Stream(ctx, request); err == nil {
				_, _ = io.Copy(io.Discard, stream) // it may be broken off
				stream.Close()
			}
		case 5:
			err = client.Input(ctx, request, strings.NewReader("x"))
		case 6:
			err = client.Orders(ctx, func(string) { done = true })
		case 7:
			err = client.Size(ctx, ctl.SizeRequest{})
		}
		if code != http.StatusOK && (done || err == nil && which%8 != 2) || ctx.Err() != nil {
			t.Errorf("request %d, answered with %d: %v", which%8, code, err)
		}
	})
}

// The output of a command is written as it comes: an answer that is cut off gives a prefix
// of the output, and no other exit status than the whole answer.
func FuzzExec(f *testing.F) {
	f.Add(`{"stdout":"bwo="}`+"\n"+`{"stderr":"ZQ=="}{"end":{"status":3,"signal":9}}`, 30)
	f.Add(`{"end":{"error":"x","panicked":true}}{"end":{}}`, 38)
	f.Add(`{"end":null}[]{"stdout":"!"}`, 3)
	client, say := hostile(f)
	run := func(t *testing.T, frames string) (end ctl.ExecEnd, out, errs string, err error) {
		ctx, cancel := context.WithTimeout(t.Context(), hangLimit)
		defer cancel()
		say("HTTP/1.1 200 OK\r\n\r\n" + frames)
		var stdout, stderr strings.Builder
		end, err = client.Exec(ctx, ctl.ExecRequest{Command: []string{"x"}}, &stdout, &stderr)
		if ctx.Err() != nil {
			t.Errorf("it hangs: %q", frames)
		}
		return end, stdout.String(), stderr.String(), err
	}
	f.Fuzz(func(t *testing.T, frames string, cut int) {
		end, out, errs, err := run(t, frames)
		cutEnd, cutOut, cutErrs, cutErr := run(t, frames[:max(0, min(cut, len(frames)))])
		if !strings.HasPrefix(out, cutOut) || !strings.HasPrefix(errs, cutErrs) {
			t.Errorf("%q and %q, and cut off %q and %q", out, errs, cutOut, cutErrs)
		}
		if !errors.Is(cutErr, ctl.ErrVMEnded) && (cutEnd != end || cutOut != out || cutErrs != errs || (cutErr == nil) != (err == nil)) {
			t.Errorf("%+v, %v, and cut off %+v, %v", end, err, cutEnd, cutErr)
		}
		if err == nil && !strings.Contains(strings.ToLower(frames), "end") {
			t.Errorf("%q is %+v", frames, end)
		}
	})
}
