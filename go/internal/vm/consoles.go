package vm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"microvm-console/internal/console"
	"microvm-console/internal/ctl"
	"microvm-console/internal/ctl/server"
	"microvm-console/internal/endpoint"
	"microvm-console/internal/guard"
	"microvm-console/internal/journal"
	"microvm-console/internal/qemu"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
	"microvm-console/internal/vmconfig"
)

// ErrNoConsole is returned if a machine has no console of a name, or no relay for it.
var ErrNoConsole = errors.New("is not served here")

// openConsoles opens each console with its listeners, and marks a new boot. On an error
// the listeners are closed; the consoles that run end with the machine.
func (v *VM) openConsoles(listeners [][]net.Listener) error {
	for i, declared := range v.machine.Consoles {
		port := v.guard(declared)
		c, err := v.openConsole(declared, port.Guard(listeners[i]))
		if err != nil {
			closePorts(listeners[i:])
			return fmt.Errorf("console %q: %w", declared.Name, err)
		}
		v.mu.Lock()
		v.consoles, v.tcp = append(v.consoles, c), append(v.tcp, port)
		v.mu.Unlock()
		v.relayed.Go(c.Run)
	}
	return nil
}

// guard returns the TCP port of a console, which notes each refusal.
func (v *VM) guard(console vmconfig.Console) *guard.Port {
	return &guard.Port{Shared: console.Shared, OnRefusal: func(reason string) {
		v.record.noteLimited(fmt.Sprintf("%s: port %d refused %s", console.Name, console.Port, reason))
	}}
}

func (v *VM) openConsole(declared vmconfig.Console, ports []net.Listener) (*console.Console, error) {
	dir, err := v.options.JournalDir(declared.Name)
	if err != nil {
		return nil, err
	}
	folder := v.dir.Console(declared.Name)
	c, err := console.Open(console.Config{
		Dir: folder, Journal: dir, Retention: journal.DefaultRetention,
		Relay: relay.Config{Drops: !declared.IsSerial(), SeatMoved: func() { notify(v.windows.changed) }},
	})
	if err != nil {
		return nil, err
	}
	err = c.Add(console.Slot{Name: "port", Open: func() (console.Endpoint, error) { return endpoint.Listeners(ports), nil }})
	if err == nil {
		err = c.Add(console.Slot{Name: rundir.Socket(folder), Open: func() (console.Endpoint, error) {
			return endpoint.ListenUnix(rundir.Socket(folder))
		}})
	}
	if err == nil {
		_, err = c.Boot()
	}
	if err != nil {
		c.Abandon()
		return nil, err
	}
	return c, nil
}

// finishConsoles says to the consoles that nothing more will be printed.
func (v *VM) finishConsoles() {
	for _, c := range v.allConsoles() {
		c.Relay().SetAttached(false)
		c.Relay().Finish()
	}
}

func (v *VM) allConsoles() []*console.Console {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.consoles
}

// relayOf finds the relay of the console called name.
func (v *VM) relayOf(name string) (*relay.Relay, error) {
	if v.options.NoRelay {
		return nil, fmt.Errorf("console %q: %w but by QEMU itself (start without --no-relay)", name, ErrNoConsole)
	}
	for i, c := range v.allConsoles() {
		if v.machine.Consoles[i].Name == name {
			return c.Relay(), nil
		}
	}
	return nil, v.noConsole(name)
}

// noConsole returns why there is no relay of the console called name.
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

// Stream returns a console's bytes; see server.OpenStream. The caller closes it.
func (v *VM) Stream(ctx context.Context, request ctl.StreamRequest) (*ctl.Stream, error) {
	r, err := v.relayOf(request.Console)
	if err != nil {
		return nil, err
	}
	return server.OpenStream(ctx, r, request)
}

// Break sends a break on the line of a console.
func (v *VM) Break(ctx context.Context, name string) error {
	at := slices.IndexFunc(v.machine.Consoles, func(c vmconfig.Console) bool { return c.Name == name })
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
	return v.qemu.monitor.Execute(ctx, "chardev-send-break", id, nil)
}

// handlers are what the control socket does.
func (v *VM) handlers() server.Handlers {
	h := server.OfRelays(v.relayOf)
	h.Status, h.Stop, h.AwaitReady = v.Status, v.Stop, v.AwaitReady
	h.Break, h.Exec, h.Size = v.Break, v.Exec, v.Size
	return h
}
