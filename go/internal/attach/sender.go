package attach

import (
	"context"
	"strings"
	"sync"

	"microvm-console/internal/ctl"
	"microvm-console/internal/follow"
)

// sender sends the user's input and the size of the terminal to one connection at a time.
type sender struct {
	keyboard *keyboard
	start    func(part func() error) // runs a part of the session
	running  sync.WaitGroup
	cancel   context.CancelFunc // ends sending; nil if not connected
	afterEnd bool               // the next connection is to another start of the VM
}

// connect sends to a console until disconnect is called or ctx is done. On a terminal it also
// watches the QEMU of a channel. A debug console has no input. client is the name under which the stream is read.
func (s *sender) connect(ctx context.Context, t follow.Target, client string) {
	s.disconnect()
	if s.afterEnd {
		s.keyboard.dropTyped()
	}
	s.afterEnd = false
	ctx, s.cancel = context.WithCancel(ctx)
	if t.Channel && s.keyboard.terminal {
		watch := qemuWatch{notices: s.keyboard.notices, next: waiting(s.keyboard.escape)}
		s.run(func() error { return watch.run(ctx, t) })
	}
	if s.keyboard.readOnly {
		return
	}
	if device := strings.TrimPrefix(t.Console.Device, "-"); device == "debugcon" {
		s.run(func() error { return s.keyboard.refuse(ctx, device) })
		return
	}
	request := ctl.StreamRequest{Console: t.Console.Name, Client: client, Terminal: s.keyboard.terminal}
	s.run(func() error { return s.keyboard.send(ctx, t.Client, request) })
	if s.keyboard.terminal {
		s.run(func() error { return s.keyboard.sendSize(ctx, t.Client, request) })
	}
}

// run starts a part of sending, for which disconnect waits.
func (s *sender) run(part func() error) {
	s.running.Add(1)
	s.start(func() error {
		defer s.running.Done()
		return part()
	})
}

// disconnect ends sending and returns once it has ended.
func (s *sender) disconnect() {
	if s.cancel == nil {
		return
	}
	s.cancel()
	s.running.Wait()
	s.cancel = nil
}
