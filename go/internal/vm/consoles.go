package vm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"microvm-console/internal/ctl"
	"microvm-console/internal/guard"
	"microvm-console/internal/journal"
	"microvm-console/internal/qemu"
	"microvm-console/internal/relay"
	"microvm-console/internal/spec"
	"microvm-console/internal/unixsock"
)

// ErrNoConsole tells that a machine has no console of a name, or no relay for
// it.
var ErrNoConsole = errors.New("is not served here")

// openRelays opens the journal of each console, marks a new boot, and starts a
// relay with its listeners. On an error the listeners are closed; the relays
// that run end with the machine.
func (v *VM) openRelays(listeners [][]net.Listener) error {
	for i, console := range v.machine.Consoles {
		port := v.guard(console)
		r, err := v.openRelay(console, port.Guard(listeners[i]))
		if err != nil {
			closePorts(listeners[i:])
			return fmt.Errorf("console %q: %w", console.Name, err)
		}
		v.mu.Lock()
		v.relays, v.tcp = append(v.relays, r), append(v.tcp, port)
		v.mu.Unlock()
		v.relayed.Go(r.Run)
	}
	return nil
}

// guard returns the TCP port of a console, which notes whom it refuses.
func (v *VM) guard(console spec.Console) *guard.Port {
	return &guard.Port{Shared: console.Shared, OnRefusal: func(reason string) {
		v.noteOnce(fmt.Sprintf("%s: port %d refused %s", console.Name, console.Port, reason))
	}}
}

func (v *VM) openRelay(console spec.Console, listeners []net.Listener) (*relay.Relay, error) {
	folder := v.dir.Console(console.Name)
	err := os.Mkdir(folder, 0o700)
	if err != nil && !errors.Is(err, os.ErrExist) { // an owner that was killed has left it
		return nil, err
	}
	socket, err := unixsock.Listen(relay.SocketPath(folder))
	if err != nil {
		return nil, err
	}
	stream, err := v.openJournal(console)
	if err != nil {
		socket.Close()
		return nil, err
	}
	r, err := relay.New(relay.Config{
		Dir: folder, Journal: stream, Listeners: append(listeners, socket), Socket: relay.SocketPath(folder),
		Drops:  !console.IsSerial(),
		Seated: func() { notify(v.resized) },
	})
	if err != nil {
		socket.Close()
		return nil, errors.Join(err, stream.Close())
	}
	return r, nil
}

// openJournal opens a console's journal and marks a boot.
func (v *VM) openJournal(console spec.Console) (*journal.Journal, error) {
	dir, err := v.options.JournalDir(console.Name)
	if err != nil {
		return nil, err
	}
	stream, err := journal.Open(dir, journal.DefaultRetention)
	if err != nil {
		return nil, err
	}
	if _, err := stream.Boot(); err != nil {
		return nil, errors.Join(err, stream.Close())
	}
	return stream, nil
}

// finishRelays tells the relays that nothing more will be printed.
func (v *VM) finishRelays() {
	for _, r := range v.allRelays() {
		r.Attach(false)
		r.Finish()
	}
}

func (v *VM) allRelays() []*relay.Relay {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.relays
}

// relayOf finds the relay of the console called name.
func (v *VM) relayOf(name string) (*relay.Relay, error) {
	if v.options.NoRelay {
		return nil, fmt.Errorf("console %q: %w but by QEMU itself (start without --no-relay)", name, ErrNoConsole)
	}
	for i, r := range v.allRelays() {
		if v.machine.Consoles[i].Name == name {
			return r, nil
		}
	}
	return nil, v.noConsole(name)
}

// noConsole tells why there is no relay of the console called name.
func (v *VM) noConsole(name string) error {
	var names []string
	for _, console := range v.machine.Consoles {
		names = append(names, console.Name)
	}
	if slices.Contains(names, name) {
		return fmt.Errorf("console %q: %w yet (wait until the VM has started)", name, ErrNoConsole)
	}
	return fmt.Errorf("console %q: %w (choose one of %s)", name, ErrNoConsole, strings.Join(names, ", "))
}

// Stream is a console's bytes; see relay.Relay.Stream. The caller closes it.
func (v *VM) Stream(ctx context.Context, request ctl.StreamRequest) (*ctl.Stream, error) {
	r, err := v.relayOf(request.Console)
	if err != nil {
		return nil, err
	}
	return r.Stream(ctx, request)
}

// Break sends a break on the line of a console.
func (v *VM) Break(ctx context.Context, name string) error {
	at := slices.IndexFunc(v.machine.Consoles, func(c spec.Console) bool { return c.Name == name })
	if at < 0 {
		return v.noConsole(name)
	}
	select {
	case <-v.ready:
	default:
		return errors.New("the machine is still starting")
	}
	id := struct {
		ID string `json:"id"`
	}{qemu.ChardevID(v.machine.Consoles[at])}
	return v.monitor.Execute(ctx, "chardev-send-break", id, nil)
}

// handlers are what the control socket does.
func (v *VM) handlers() ctl.Handlers {
	return ctl.Handlers{
		Status:     v.Status,
		Stop:       v.Stop,
		AwaitReady: v.AwaitReady,
		Stream:     v.Stream,
		Break:      v.Break,
		Exec:       v.Exec,
		Size:       v.Size,
		Input: func(request ctl.StreamRequest) (*ctl.Typist, error) {
			r, err := v.relayOf(request.Console)
			if err != nil {
				return nil, err
			}
			return r.Input(request)
		},
	}
}
