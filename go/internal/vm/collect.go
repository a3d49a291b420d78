package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"microvm-console/internal/crash"
	"microvm-console/internal/ctl"
	"microvm-console/internal/guest"
	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
	"microvm-console/internal/vmconfig"
)

const (
	// collectLimit bounds a crash bundle, with the guest's memory.
	collectLimit = 5 * time.Minute
	// monitorLimit bounds one request to the monitor for a crash bundle.
	monitorLimit = 30 * time.Second
)

// Collect collects a crash bundle of the running VM; see ctl.CrashRequest. The guest continues
// afterwards, unless the request says otherwise. Concurrent calls run one after the other.
func (v *VM) Collect(ctx context.Context, request ctl.CrashRequest) (ctl.CrashBundle, error) {
	select {
	case <-v.ready:
	default:
		return ctl.CrashBundle{}, errors.New("the VM is still starting")
	}
	v.collecting.Lock()
	defer v.collecting.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, collectLimit, fmt.Errorf("not complete after %v", collectLimit))
	defer cancel()
	status, err := v.qemu.status(ctx)
	if err != nil {
		return ctl.CrashBundle{}, fmt.Errorf("crash bundle: %w", err)
	}
	folder, err := v.crashFolder(request.Output)
	if err != nil {
		return ctl.CrashBundle{}, err
	}
	v.outputs.awaitRead() // so that the journals have what was printed up to now
	source := crash.Source{
		Name: v.machine.Name, RunState: status, Monitor: v.askLong, Consoles: v.crashConsoles(),
		Machine: v.machine, Status: v.Status(), Command: v.Command(),
	}
	if status == crash.Running {
		source.SysRq, source.NoSysRq = v.sysRq(request.Force)
	}
	bundle, err := crash.Collect(ctx, source, request, folder)
	if err == nil {
		v.record.note("crash bundle: " + bundle.Folder)
	}
	return bundle, err
}

// collectFailure collects a crash bundle of a guest that has failed.
func (v *VM) collectFailure(found *guest.Error) {
	select {
	case <-v.ready:
	case <-v.qemu.done():
	}
	v.record.log("collecting a crash bundle of the guest, which has " + found.How())
	_, err := v.Collect(context.Background(), ctl.CrashRequest{Reason: found.How(), Dump: v.options.Dump})
	if err != nil {
		v.record.note(err.Error())
	}
}

// crashFolder returns the path of a new bundle: output, or else one named after the time, beside
// the journals, whose parent it makes.
func (v *VM) crashFolder(output string) (string, error) {
	if output != "" && v.dir.IsService() {
		return "", errors.New("crash bundle: a system service writes only to its own folder (leave out --output)")
	}
	if output != "" {
		return output, nil
	}
	parent, err := v.consoles.journalDir(rundir.Crashes)
	if err == nil {
		err = os.MkdirAll(parent, 0o700)
	}
	if err != nil {
		return "", fmt.Errorf("crash bundle: %w", err)
	}
	name := time.Now().Format("2006-01-02T15-04-05")
	folder := filepath.Join(parent, name)
	for n := 2; exists(folder); n++ {
		folder = filepath.Join(parent, fmt.Sprintf("%s-%d", name, n))
	}
	return folder, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// askLong runs a command of the monitor that may take longer than askLimit.
func (v *VM) askLong(ctx context.Context, command string, arguments, result any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, monitorLimit, errors.New("the monitor does not answer"))
	defer cancel()
	return v.qemu.monitor.Execute(ctx, command, arguments, result)
}

// crashConsoles returns the consoles that have a journal.
func (v *VM) crashConsoles() []crash.Console {
	var consoles []crash.Console
	for i, c := range v.consoles.all() {
		declared, r := v.consoles.declared[i], c.Relay()
		consoles = append(consoles, crash.Console{
			Name: declared.Name, Device: declared.Device,
			Copy: func(w io.Writer) (int64, error) { return copyOutput(w, r, r.BootStart()) },
		})
	}
	return consoles
}

// copyOutput copies what a console has printed from an offset of its stream up to now. It returns
// the number of bytes that are missing; -1 if some are and their number is unknown.
func copyOutput(w io.Writer, r *relay.Relay, from int64) (missing int64, err error) {
	limit, cancel := context.WithTimeout(context.Background(), readLimit)
	defer cancel()
	end, reader := r.Printed(), r.Journal().NewReader(from)
	defer reader.Close()
	unknown := false
	for chunk := make([]byte, 32<<10); reader.Offset() < end; {
		n, err := reader.Read(limit, chunk[:min(int64(len(chunk)), end-reader.Offset())])
		var gap *journal.GapError
		var loss *journal.LossError
		switch {
		case errors.As(err, &gap):
			missing += gap.To - gap.From
		case errors.As(err, &loss):
			missing += loss.Gap.Bytes
			unknown = unknown || loss.Gap.Bytes == 0
		case err != nil:
			return missing, err
		}
		if _, err := w.Write(chunk[:n]); err != nil {
			return missing, err
		}
	}
	if unknown {
		return -1, nil
	}
	return missing, nil
}

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
func (v *VM) sysRq(force bool) (*crash.SysRq, error) {
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
			_, err := copyOutput(w, r, from)
			return err
		},
		Close: typist.Close,
	}, nil
}
