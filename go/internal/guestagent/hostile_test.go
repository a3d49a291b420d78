package guestagent

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Input without end from the guest fails the request, and uses little memory.
func TestHostileGuest(t *testing.T) {
	tests := []struct {
		name  string
		line  string // repeated
		bytes int
		wants string // of the request's error
	}{
		{"one answer without end", strings.Repeat("x", 64<<10), 1 << 30, "guest: answer longer than 1048576 bytes"},
		{"objects without end", "{" + strings.Repeat(" ", 64<<10), 1 << 30, "guest: answer longer than 1048576 bytes"},
		{"lines without end", strings.Repeat("junk\n", 10<<10), 64 << 20, "connection closed"},
		{"unexpected answers", strings.Repeat("{\"return\": 1}\n", 4<<10), 64 << 20, "guest: invalid answer: "},
		{"delimiters without end", strings.Repeat("\xFF{\"return\": 1", 4<<10), 64 << 20, "connection closed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			asked := make(chan struct{})
			c := New(&hostile{text: []byte(test.line), bytes: test.bytes, left: test.bytes, asked: asked})
			c.synced = true
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			failed := make(chan error, 1)
			go func() {
				_, err := c.Info(t.Context())
				failed <- err
			}()
			<-asked
			if err := c.Run(); err != nil {
				t.Error(err)
			}
			if err := <-failed; err == nil || !strings.Contains(err.Error(), test.wants) {
				t.Errorf("got %v, want %q", err, test.wants)
			}
			runtime.ReadMemStats(&after)
			// The client may keep one incomplete line and a few buffers.
			if grown := after.HeapSys - before.HeapSys; int64(grown) > 64<<20 {
				t.Errorf("the heap has grown by %d bytes", grown)
			}
		})
	}
}

// hostile is a guest that repeats text after a request.
type hostile struct {
	fixedConn
	text  []byte
	bytes int
	left  int
	asked chan struct{}
}

func (h *hostile) Read(p []byte) (int, error) {
	if h.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && h.left > 0 {
		part := copy(p[n:], h.text[(h.bytes-h.left)%len(h.text):])
		n, h.left = n+part, h.left-part
	}
	return n, nil
}

func (h *hostile) Write(p []byte) (int, error) {
	close(h.asked)
	return len(p), nil
}

// Input that no request waits for is not kept.
func TestUnexpectedInputIsNotKept(t *testing.T) {
	c := New(fixedConn{Reader: io.LimitReader(zeros{}, 1<<26)})
	allocated := testing.AllocsPerRun(1, func() {
		c.closed = make(chan struct{})
		if err := c.Run(); err != nil {
			t.Error(err)
		}
	})
	if allocated > 100 {
		t.Errorf("%.0f allocations", allocated)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return copy(p, zeroBytes), nil }

var zeroBytes = bytes.Repeat([]byte("0\n{}"), 8<<10)

// The answer to a synchronization is found after a line of any length.
func TestSyncAfterALongLine(t *testing.T) {
	bubble(t, func(t *testing.T, c *Client, p peer) {
		done := ping(c, time.Hour)
		args := p.asked(CommandSyncDelimited)
		for range 64 {
			p.say(strings.Repeat("{", 64<<10))
		}
		p.say(synced(args))
		p.asked(CommandPing)
		p.say("{\"return\": {}}\n")
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
