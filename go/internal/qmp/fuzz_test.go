package qmp

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
)

// With arbitrary input, Run and a waiting command end without a panic.
func FuzzRun(f *testing.F) {
	for _, text := range []string{
		greeting, `{"return": {}, "id": 1}`, `{"return": null, "id": 1}`, `{"id": 1}`, `{"id": -1, "event": ""}`,
		`{"error": {"class": "GenericError", "desc": "no"}, "id": 1}`, `{"error": null, "id": 1}`,
		`{"event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}`,
		"\n\r\n", "null\n", "{\n", "[]", `{"id": 1e9}`,
	} {
		f.Add([]byte(greeting + "\r\n" + text + "\r\n"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := New(bytesConn{bytes.NewReader(data), io.Discard}, func(e Event) {
			if e.Name == "" {
				t.Error("an event without a name")
			}
		})
		var command sync.WaitGroup
		command.Go(func() {
			var out any
			_ = c.Execute(context.Background(), "query-status", nil, &out) // may succeed
		})
		_ = c.Run() // may fail
		command.Wait()
	})
}

// bytesConn is a connection to a QEMU that sends the content of the Reader and ends.
type bytesConn struct {
	io.Reader
	io.Writer
}

func (bytesConn) Close() error { return nil }
