package vm

import (
	"context"
	"errors"

	"microvm-console/internal/ctl"
	"microvm-console/internal/ctl/server"
	"microvm-console/internal/qemu"
)

// handlers returns the handlers of the control socket.
func (v *VM) handlers() server.Handlers {
	h := server.OfRelays(v.consoles.relay)
	h.Status, h.Stop, h.AwaitReady = v.Status, v.Stop, v.AwaitReady
	h.Break, h.Exec, h.Size, h.Crash = v.Break, v.Exec, v.Size, v.Collect
	return h
}

// Stream returns a stream of a console's output; see server.OpenStream. The caller closes it.
func (v *VM) Stream(ctx context.Context, request ctl.StreamRequest) (*ctl.Stream, error) {
	r, err := v.consoles.relay(request.Console)
	if err != nil {
		return nil, err
	}
	return server.OpenStream(ctx, r, request)
}

// Break sends a serial break to the guest on a console.
func (v *VM) Break(ctx context.Context, name string) error {
	at, err := v.consoles.find(name)
	if err != nil {
		return err
	}
	id := map[string]string{"id": qemu.ChardevID(v.consoles.declared[at])}
	select {
	case <-v.ready:
		return v.qemu.monitor.Execute(ctx, "chardev-send-break", id, nil)
	default:
		return errors.New("the VM is still starting")
	}
}
