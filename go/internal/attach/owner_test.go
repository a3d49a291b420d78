package attach

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"testing"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/ctl/server"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
	"microvm-console/internal/unixsock"
)

// guest is a console: its output and its input. It outlives its owners, as a journal does.
type guest struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced when anything changes
	text    []byte
	typed   []byte
	ended   bool
	deaf    bool // the guest does not read its input
	waiting bool // there is unread input of a deaf guest
	streams int  // how many were requested
	asked   ctl.StreamRequest
	sizes   []ctl.SizeRequest
}

func newGuest(text string) *guest {
	return &guest{text: []byte(text), changed: make(chan struct{})}
}

// change changes the guest and wakes the goroutines that wait for a change.
func (g *guest) change(how func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	how()
	g.wake()
}

// wake wakes the goroutines that wait for a change. The caller holds mu.
func (g *guest) wake() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// take takes input, unless the guest is deaf: then changed is closed when it is worth
// another attempt.
func (g *guest) take(data []byte) (taken bool, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !g.deaf:
		g.typed = append(g.typed, data...)
	case g.waiting:
		return false, g.changed
	default:
		g.waiting = true
	}
	g.wake()
	return !g.deaf, g.changed
}

func (g *guest) print(text string) { g.change(func() { g.text = append(g.text, text...) }) }
func (g *guest) end()              { g.change(func() { g.ended = true }) }

// await waits until holds returns true; what names that in the error.
func (g *guest) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		g.mu.Lock()
		ok, changed := holds(), g.changed
		g.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("%s: not within 10 s (typed: %q)", what, g.typed)
		}
	}
}

func (g *guest) awaitTyped(t *testing.T, want string) {
	t.Helper()
	g.await(t, "typing "+strconv.Quote(want), func() bool { return bytes.Contains(g.typed, []byte(want)) })
}

// owner owns the machine "demo". Its guest is on ttyS0; QEMU itself serves hvc0.
type owner struct {
	guest *guest
	cut   chan struct{} // breaks all connections when it is closed
	gap   int64         // the Gap of each stream
	// holder has the writer's seat; "" if it is free.
	holder string
	lost   chan error    // see server.Typist
	others chan string   // see server.Typist
	slow   chan struct{} // the status waits until it is closed; nil: it does not wait
	stop   func()
}

// machine starts the machine "demo", whose guest has printed text, in a runtime folder of
// its own.
func machine(t *testing.T, text string) (*guest, *owner) {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	g := newGuest(text)
	return g, own(t, g)
}

// own starts an owner. The end of the test stops it.
func own(t *testing.T, g *guest) *owner {
	t.Helper()
	o := &owner{guest: g, cut: make(chan struct{}), lost: make(chan error, 1), others: make(chan string)}
	stop := serve(t, server.Handlers{Status: o.status, Stream: o.stream, Input: o.input, Size: o.size})
	o.stop = sync.OnceFunc(func() {
		o.breakOff()
		stop()
	})
	t.Cleanup(o.stop)
	return o
}

// serve owns the machine "demo" and serves its control socket, until stop or the end of the
// test.
func serve(t testing.TB, handlers server.Handlers) (stop func()) {
	t.Helper()
	lock, err := rundir.Of("demo").Acquire()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := unixsock.Listen(rundir.Of("demo").Ctl())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(ctx, listener, handlers) })
	stop = sync.OnceFunc(func() {
		cancel()
		serving.Wait()
		_ = lock.Release()
	})
	t.Cleanup(stop)
	return stop
}

// breakOff breaks all connections.
func (o *owner) breakOff() {
	o.guest.change(func() {
		close(o.cut)
		o.cut = make(chan struct{})
	})
}

func (o *owner) status() state.Machine {
	o.guest.mu.Lock()
	slow := o.slow
	o.guest.mu.Unlock()
	if slow != nil {
		<-slow
	}
	o.guest.mu.Lock()
	defer o.guest.mu.Unlock()
	return state.Machine{Name: "demo", State: state.Booting, Consoles: []state.Console{
		{Name: "serial", Device: "ttyS0", Port: 4440, Relay: &state.Relay{End: int64(len(o.guest.text))}},
		{Name: "console", Device: "hvc0", Port: 4441},
	}}
}

func (o *owner) stream(ctx context.Context, request ctl.StreamRequest) (*ctl.Stream, error) {
	// Bytes that are printed after streams was incremented are live.
	var end int64
	o.guest.change(func() {
		o.guest.streams, o.guest.asked = o.guest.streams+1, request
		end = int64(len(o.guest.text))
	})
	o.guest.mu.Lock()
	defer o.guest.mu.Unlock()
	offset := int64(0)
	switch request.From {
	case "start":
	case "now":
		offset = end
	default:
		var err error
		if offset, err = strconv.ParseInt(request.From, 10, 64); err != nil || offset > end {
			return nil, errors.New("invalid from")
		}
	}
	return &ctl.Stream{ReadCloser: &reading{o.guest, ctx, o.cut, offset}, Offset: offset, Live: end, Gap: o.gap}, nil
}

func (o *owner) size(request ctl.SizeRequest) error {
	o.guest.change(func() { o.guest.sizes = append(o.guest.sizes, request) })
	return nil
}

func (o *owner) input(request ctl.StreamRequest) (server.Typist, error) {
	o.guest.mu.Lock()
	defer o.guest.mu.Unlock()
	if o.holder != "" && request.Seat != ctl.SeatForce {
		return nil, &relay.SeatTakenError{Holder: o.holder}
	}
	return &typing{o.guest, o.cut, o.lost, o.others}, nil
}

// reading is one client's stream.
type reading struct {
	guest  *guest
	ctx    context.Context
	cut    chan struct{}
	offset int64
}

func (r *reading) Read(data []byte) (int, error) {
	for {
		select {
		case <-r.cut: // before unread bytes
			return 0, errors.New("cut")
		default:
		}
		r.guest.mu.Lock()
		n := copy(data, r.guest.text[r.offset:])
		ended, changed := r.guest.ended, r.guest.changed
		r.guest.mu.Unlock()
		r.offset += int64(n)
		switch {
		case n > 0:
			return n, nil
		case ended:
			return 0, io.EOF
		}
		select {
		case <-changed:
		case <-r.cut:
		case <-r.ctx.Done():
			return 0, r.ctx.Err()
		}
	}
}

func (r *reading) Close() error { return nil }

// typing is one client's input.
type typing struct {
	guest  *guest
	cut    chan struct{}
	lost   chan error
	others chan string
}

func (w *typing) Lost() <-chan error { return w.lost }

func (w *typing) Others() <-chan string { return w.others }

func (w *typing) Close() {}

func (w *typing) Write(data []byte) (int, error) {
	for {
		taken, changed := w.guest.take(data)
		if taken {
			return len(data), nil
		}
		select {
		case <-changed:
		case <-w.cut:
			return 0, errors.New("cut")
		}
	}
}
