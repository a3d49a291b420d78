package vm

import (
	"context"
	"errors"
	"fmt"
	"io"

	"microvm-console/internal/crash"
	"microvm-console/internal/relay"
	"microvm-console/internal/vmconfig"
)

// sysRqConsole returns the index of the console on which Linux accepts SysRq keys: the first UART,
// after a break, or else the first virtio console, after Ctrl-O.
func sysRqConsole(consoles []vmconfig.Console) int {
	found := -1
	for i, c := range consoles {
		switch {
		case c.IsSerial():
			return i
		case c.IsVirtio() && found < 0:
			found = i
		}
	}
	return found
}

// ctrlO precedes a SysRq key on a virtio console (drivers/tty/hvc/hvc_console.c in Linux).
const ctrlO = 0x0f

// sysRq returns what types SysRq keys. It takes the writer's seat of the console, since a byte of
// another client between a break and the key would be taken for the key; with force even from
// another client.
func (c *collector) sysRq(force bool) (*crash.SysRq, error) {
	v := c.vm
	at, opened := sysRqConsole(v.consoles.declared), v.consoles.all()
	if at < 0 || at >= len(opened) {
		return nil, errors.New("no console with a relay takes SysRq keys")
	}
	declared, r := v.consoles.declared[at], opened[at].Relay()
	info := relay.TypistInfo{Name: "microvm-crash", Seat: relay.TakeSeat, Through: "microvm-crash"}
	if force {
		info.Seat = relay.ForceSeat
	}
	typist, err := r.Typist(info)
	if err != nil {
		return nil, fmt.Errorf("%s: %w (take it with --force)", declared.Name, err)
	}
	return &crash.SysRq{
		Type: func(ctx context.Context, key byte) error {
			if r.InputUnread() > 0 {
				return fmt.Errorf("%s: the guest does not read what was typed", declared.Name)
			}
			if declared.IsVirtio() {
				_, err := typist.Write([]byte{ctrlO, key})
				return err
			}
			if err := v.Break(ctx, declared.Name); err != nil {
				return err
			}
			_, err := typist.Write([]byte{key})
			return err
		},
		Printed: r.Printed,
		Copy: func(w io.Writer, from int64) error {
			return copyOutput(w, r, from, func(int64) {}) // a problem of the console's own file
		},
		Close: typist.Close,
	}, nil
}
