package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// keys are the SysRq keys of a bundle (Documentation/admin-guide/sysrq.rst in Linux): the stacks of
// the processors, all tasks, the tasks that wait uninterruptibly, and the memory.
const keys = "ltwm"

// disabled is what the kernel prints after a key that kernel.sysrq does not allow (__handle_sysrq
// in Linux's drivers/tty/sysrq.c).
const disabled = "This sysrq operation is disabled."

// Running is QEMU's run state of a guest whose processors run.
const Running = "running"

// SysRq types SysRq keys on a console of the guest.
type SysRq struct {
	// Type types one key.
	Type func(ctx context.Context, key byte) error
	// Printed returns the number of bytes that the console has printed so far.
	Printed func() int64
	// Copy copies what the console has printed from that number on.
	Copy func(w io.Writer, from int64) error
	// Close gives up the console.
	Close func()
}

const (
	// firstLimit bounds the wait for the first output after a key or an NMI.
	firstLimit = 5 * time.Second
	// keyLimit bounds the wait for all output after a key or an NMI.
	keyLimit = 30 * time.Second
	// quiet is how long the console must be silent before the next key is typed.
	quiet = 300 * time.Millisecond
	poll  = 10 * time.Millisecond
)

// errNoAnswer is the problem of a guest that prints nothing after a key.
var errNoAnswer = errors.New("the guest does not answer (it must have SysRq enabled, and read the console)")

// ask adds what the guest prints after SysRq keys and, if nmi is set, after an NMI.
func (s Source) ask(ctx context.Context, b *bundle, nmi bool) {
	if s.RunState != Running {
		return
	}
	if s.SysRq == nil {
		b.problem("SysRq", s.NoSysRq)
		return
	}
	defer s.SysRq.Close()
	from := s.SysRq.Printed()
	refused := s.typeKeys(ctx, b)
	if len(refused) > 0 {
		b.problem("sysrq.txt", fmt.Errorf("the guest refuses the SysRq keys %s (add sysrq_always_enabled to kernelParams)", strings.Join(refused, ", ")))
	}
	if nmi {
		_, err := s.answers(ctx, func() error { return s.Monitor(ctx, "inject-nmi", nil, nil) })
		if err != nil {
			b.problem("NMI", err)
		}
	}
	if s.SysRq.Printed() > from && (nmi || len(refused) < len(keys)) {
		b.add("sysrq.txt", "the guest's answers: its processors' stacks, tasks, blocked tasks, memory", func(w io.Writer) error {
			return s.SysRq.Copy(w, from)
		})
	}
}

// typeKeys types all keys, and returns those that the guest refuses. After a key without an answer,
// which is a problem, it types no other: the others would fare no better.
func (s Source) typeKeys(ctx context.Context, b *bundle) (refused []string) {
	for _, key := range []byte(keys) {
		from := s.SysRq.Printed()
		answered, err := s.answers(ctx, func() error { return s.SysRq.Type(ctx, key) })
		if err == nil && !answered {
			err = errNoAnswer
		}
		if err != nil {
			b.problem(fmt.Sprintf("SysRq %c", key), err)
			break
		}
		var answer head
		if err := s.SysRq.Copy(&answer, from); err != nil {
			b.problem("sysrq.txt", err)
		}
		if bytes.Contains(answer, []byte(disabled)) {
			refused = append(refused, string(key))
		}
	}
	return refused
}

// head is the first bytes that are written to it, at most maxHead.
type head []byte

const maxHead = 64 << 10

func (h *head) Write(data []byte) (int, error) {
	*h = append(*h, data[:min(len(data), maxHead-len(*h))]...)
	return len(data), nil
}

// answers calls send, and waits until the console is quiet. It reports whether the console has
// printed anything.
func (s Source) answers(ctx context.Context, send func() error) (answered bool, err error) {
	from := s.SysRq.Printed()
	if err := send(); err != nil {
		return false, err
	}
	begin := time.Now()
	last, changed := from, begin
	for time.Since(begin) < keyLimit && ctx.Err() == nil {
		now := s.SysRq.Printed()
		switch {
		case now != last:
			last, changed = now, time.Now()
		case now > from && time.Since(changed) >= quiet:
			return true, nil
		case now == from && time.Since(begin) >= firstLimit:
			return false, nil
		}
		time.Sleep(poll)
	}
	return last > from, context.Cause(ctx)
}
