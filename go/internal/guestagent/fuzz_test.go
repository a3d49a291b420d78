package guestagent

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// With arbitrary input, Run and a waiting request end without a panic.
func FuzzRun(f *testing.F) {
	for _, text := range []string{
		`{"return": {}}`, `{"return": {"version": "7.2", "supported_commands": [{"name": "guest-ping", "enabled": true}]}}`,
		`{"error": {"class": "GenericError", "desc": "no"}}`, `{"error": null}`, `{"return": null}`, `{}`, "\xFF{\"return\": 1}", "{\xFF", "\r", "[]",
	} {
		f.Add([]byte(text + "\n"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := New(fixedConn{Reader: bytes.NewReader(data)})
		c.synced = true
		var request sync.WaitGroup
		request.Go(func() {
			_, _ = c.Info(t.Context()) // may succeed
		})
		if err := c.Run(); err != nil {
			t.Error(err)
		}
		request.Wait()
	})
}

// askedConn is a connection to an agent that sends the content of the Reader after a request.
type askedConn struct {
	fixedConn
	asked chan struct{}
	once  *sync.Once
}

func (c askedConn) Write(p []byte) (int, error) {
	c.once.Do(func() { close(c.asked) })
	return len(p), nil
}

func (c askedConn) Read(p []byte) (int, error) {
	<-c.asked
	return c.fixedConn.Read(p)
}

// A command's output is exactly what the guest has sent, with any text before it that is not an
// object, and any text after it.
func FuzzOutput(f *testing.F) {
	f.Add([]byte("[]\r\n\xff"), []byte("o\n\xff\x00"), []byte("e"), 3, []byte("{}\n"))
	f.Add([]byte("\xff\n"), []byte{}, []byte{}, -1, []byte(`{"error": {"class": "GenericError", "desc": "no"}}`))
	f.Fuzz(func(t *testing.T, before, out, errs []byte, code int, after []byte) {
		if bytes.Contains(before, []byte("{")) {
			return // before may be taken for the answer
		}
		want := ExecOutput{Out: out, Err: errs, Exited: code%2 == 0, ExitCode: code, Signal: code / 2}
		reply, err := json.Marshal(map[string]any{"return": want})
		if err != nil {
			t.Fatal(err)
		}
		text := slices.Concat(before, []byte("\n"), reply, []byte("\n"), after)
		c := New(askedConn{fixedConn{Reader: bytes.NewReader(text)}, make(chan struct{}), new(sync.Once)})
		c.synced = true
		var running sync.WaitGroup
		running.Go(func() { err = c.Run() })
		got, failed := c.ExecOutput(t.Context(), 1, 0, 0, 0)
		running.Wait()
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || failed != nil || err != nil {
			t.Errorf("%q: %v, %v%s", text, failed, err, diff)
		}
	})
}

// The messages do not depend on how a stream is split. No message is empty, too long, or contains
// a line feed or a Delimiter.
func FuzzLines(f *testing.F) {
	for _, text := range []string{"{}\n", "a\xFFb\n", "\xFF{}\r\n{}\n", "0123456789\nx\n", "\n\n", "\xFF\xFF", "012345678\xFF{}\n"} {
		f.Add([]byte(text), 8)
		f.Add([]byte(text), 0)
	}
	f.Fuzz(func(t *testing.T, data []byte, limit int) {
		limit = max(limit, 0)
		whole, parts := feed(limit, data), feed(limit, slices.Collect(slices.Chunk(data, 1))...)
		if whole != parts {
			t.Errorf("at once %q, byte by byte %q", whole, parts)
		}
	})
}

// feed feeds parts, and returns the messages as a text.
func feed(limit int, parts ...[]byte) (text string) {
	var lines Lines
	for _, part := range parts {
		lines.Feed(part, limit, func(line []byte, delimited bool) {
			if len(line) == 0 || len(line) > limit || bytes.ContainsAny(line, "\n") || bytes.IndexByte(line, Delimiter) >= 0 {
				panic("invalid message: " + string(line))
			}
			if delimited {
				text += "delimited "
			}
			text += string(line) + "\n"
		}, func() { text += "too long\n" })
	}
	return text
}
