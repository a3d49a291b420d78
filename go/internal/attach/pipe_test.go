package attach

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/follow"
)

// piped is a session whose input and output are pipes.
type piped struct {
	t      *testing.T
	ended  chan error
	cancel context.CancelCauseFunc
	in     *os.File // the write end of the input; the test closes it
	stdin  *os.File // the read end of the input
	log    bytes.Buffer
	out    struct {
		mu      sync.Mutex
		text    []byte
		changed chan struct{} // closed and replaced when text grows
		done    chan struct{}
	}
}

// startPipe starts a session whose input the test writes to p.in.
func startPipe(t *testing.T, o Options) *piped {
	t.Helper()
	return startPiped(t, o, Run)
}

// startPiped is startPipe for a session that run runs.
func startPiped(t *testing.T, o Options, run func(context.Context, Options, *os.File, *os.File, io.Writer) error) *piped {
	t.Helper()
	o.Program, o.Place.Console = "connect-serial", "ttyS0"
	if o.From == "" {
		o.From = "start"
	}
	p := &piped{t: t, ended: make(chan error, 1)}
	read, out := pipe(t)
	p.out.changed, p.out.done = make(chan struct{}), make(chan struct{})
	go p.read(read)
	p.stdin, p.in = pipe(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	p.cancel = cancel
	go func() {
		err := run(ctx, o, p.stdin, out, &p.log)
		out.Close()
		<-p.out.done
		p.ended <- err
	}()
	t.Cleanup(func() { cancel(nil) })
	return p
}

func pipe(t *testing.T) (read, write *os.File) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close(); write.Close() })
	return read, write
}

func (p *piped) read(file *os.File) {
	defer close(p.out.done)
	chunk := make([]byte, 4096)
	for {
		n, err := file.Read(chunk)
		p.out.mu.Lock()
		p.out.text = append(p.out.text, chunk[:n]...)
		close(p.out.changed)
		p.out.changed = make(chan struct{})
		p.out.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *piped) output() string {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	return string(p.out.text)
}

// await waits until holds returns true for the output; what names that in the error.
func (p *piped) await(what string, holds func() bool) {
	p.t.Helper()
	late := time.After(10 * time.Second)
	for {
		p.out.mu.Lock()
		ok, changed := holds(), p.out.changed
		p.out.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case err := <-p.ended:
			p.t.Fatalf("%s: not before its end: %v", what, err)
		case <-late:
			p.t.Fatalf("%s: not within 10 s", what)
		}
	}
}

func TestPipe(t *testing.T) {
	text := "\x1bc\x1b]0;title\a\x05\x9b\xff\x00 # \x1b[6n"
	guest, _ := machine(t, text)
	p := startPipe(t, Options{})
	if _, err := io.WriteString(p.in, "uname -r\n"); err != nil {
		t.Fatal(err)
	}
	p.in.Close()
	guest.awaitTyped(t, "uname -r\n")
	guest.print("6.1.0\n")
	guest.end()
	if err := result(t, p.ended); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(text+"6.1.0\n", p.output()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p.log.Len() != 0 || guest.asked.Terminal {
		t.Errorf("log %q, asked for %+v", p.log.String(), guest.asked)
	}
}

// 1 MB of input to a guest that reads late arrives completely.
func TestPipeMuchInput(t *testing.T) {
	guest, _ := machine(t, "# ")
	guest.deaf = true
	p := startPipe(t, Options{})
	want := strings.Repeat("0123456789abcde\n", 1<<16)
	go func() {
		io.WriteString(p.in, want)
		p.in.Close()
	}()
	guest.await(t, "the first input", func() bool { return guest.waiting })
	guest.change(func() { guest.deaf = false })
	guest.await(t, "all input", func() bool { return len(guest.typed) >= len(want) })
	guest.end()
	if err := result(t, p.ended); err != nil {
		t.Error(err)
	}
	if string(guest.typed) != want {
		t.Error("the guest got other input")
	}
}

func TestPipeTimeout(t *testing.T) {
	machine(t, "# ")
	p := startPipe(t, Options{Timeout: 100 * time.Millisecond})
	if err := result(t, p.ended); err != nil || !strings.HasPrefix("# ", p.output()) { // the output may be incomplete by then
		t.Errorf("%v, %q", err, p.output())
	}
}

func TestPipeReadOnly(t *testing.T) {
	guest, _ := machine(t, "# ")
	p := startPipe(t, Options{ReadOnly: true})
	io.WriteString(p.in, "reboot\n")
	p.await("the prompt", func() bool { return len(p.out.text) > 0 })
	guest.end()
	if err := result(t, p.ended); err != nil || len(guest.typed) > 0 {
		t.Errorf("%v, typed %q", err, guest.typed)
	}
	p.in.Close()
	if left, err := io.ReadAll(p.stdin); err != nil || string(left) != "reboot\n" {
		t.Errorf("%q is left of the input: %v", left, err)
	}
}

func TestPipeInterrupted(t *testing.T) {
	machine(t, "# ")
	p := startPipe(t, Options{})
	p.await("the prompt", func() bool { return len(p.out.text) > 0 })
	p.cancel(errors.New("terminated"))
	if err := result(t, p.ended); err == nil || err.Error() != "interrupted: terminated" {
		t.Error(err)
	}
}

// With a pipe as input and a terminal as output, the output is filtered, and questions to
// the terminal do not pass, as nothing would read the answers.
func TestPipeToTerminal(t *testing.T) {
	guest, _ := machine(t, "")
	s := newScreen(t, false)
	in, _ := pipe(t)
	ended := make(chan error, 1)
	session := newSession(Options{Place: follow.Place{Console: "ttyS0"}, From: "start"}, in, s.tty, io.Discard)
	go func() { ended <- session.attach(context.Background()) }()
	guest.await(t, "a stream", func() bool { return guest.streams > 0 })
	guest.print("\x1b]0;evil\a\x1b[1mhello\x1b[6n")
	s.await("hello")
	s.wantRestored() // never raw
	guest.end()
	if err := result(t, ended); err != nil {
		t.Error(err)
	}
	s.await("\x1b[1mhello" + always)
	if strings.Contains(s.String(), "\x1b[6n") {
		t.Errorf("the terminal was asked: %q", s.String())
	}
}

func TestNoMachine(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	p := startPipe(t, Options{Place: follow.Place{Machine: "other"}})
	var coder interface{ ExitCode() int }
	if err := WithStatus(result(t, p.ended)); !errors.As(err, &coder) || coder.ExitCode() != cmdline.StatusNoVM {
		t.Error(err)
	}
}

func TestNoConsole(t *testing.T) {
	for device, want := range map[string]string{
		"hvc0":  `vm "demo": QEMU itself serves hvc0, to one client at a time (use nc localhost 4441, or start it without --no-relay)`,
		"ttyS1": `vm "demo": no console "ttyS1" (it has ttyS0, hvc0)`,
	} {
		machine(t, "")
		in, out := pipe(t)
		err := Run(t.Context(), Options{Place: follow.Place{Console: device}}, in, out, io.Discard)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v", device, err)
		}
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	_, owner := machine(t, "# ")
	before := 0
	for i := range 6 {
		if i == 1 { // the goroutines of the owner run by now
			before = runtime.NumGoroutine()
		}
		p := startPipe(t, Options{Timeout: 30 * time.Millisecond})
		owner.breakOff()
		if err := result(t, p.ended); err != nil {
			t.Error(err)
		}
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
}

// The user can type into a guest that has printed nothing yet.
func TestPipeSilentGuest(t *testing.T) {
	guest, _ := machine(t, "")
	p := startPipe(t, Options{})
	io.WriteString(p.in, "uname -r\n")
	guest.awaitTyped(t, "uname -r\n")
	guest.end()
	if err := result(t, p.ended); err != nil {
		t.Error(err)
	}
}
