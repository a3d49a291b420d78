package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"microvm-console/internal/crash"
	"microvm-console/internal/ctl"
	"microvm-console/internal/guest"
	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
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
	return v.watcher.collector.collect(ctx, request)
}

// collector collects the crash bundles of a VM.
type collector struct {
	vm   *VM
	dump bool       // see Options
	mu   sync.Mutex // held while a bundle is collected
}

func (c *collector) collect(ctx context.Context, request ctl.CrashRequest) (ctl.CrashBundle, error) {
	v := c.vm
	select {
	case <-v.ready:
	default:
		return ctl.CrashBundle{}, errors.New("the VM is still starting")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, collectLimit, fmt.Errorf("not complete after %v", collectLimit))
	defer cancel()
	status, err := v.qemu.status(ctx)
	if err != nil {
		return ctl.CrashBundle{}, fmt.Errorf("crash bundle: %w", err)
	}
	folder, err := c.folder(request.Output)
	if err != nil {
		return ctl.CrashBundle{}, err
	}
	v.outputs.awaitRead() // so that the journals have what was printed up to now
	source := crash.Source{
		Name: v.machine.Name, RunState: status, Monitor: c.ask, Consoles: c.consoles(),
		Machine: v.machine, Status: v.Status(), Command: v.Command(),
	}
	if status == crash.Running {
		source.SysRq, source.NoSysRq = c.sysRq(request.Force)
	}
	bundle, err := crash.Collect(ctx, source, request, folder)
	if err == nil {
		v.record.note("crash bundle: " + bundle.Folder)
	}
	return bundle, err
}

// failed collects a crash bundle of a guest that has failed, before QEMU is ended.
func (c *collector) failed(found *guest.Error) {
	v := c.vm
	select {
	case <-v.ready:
	case <-v.qemu.done():
	}
	v.record.log("collecting a crash bundle of the guest, which has " + found.How())
	_, err := c.collect(context.Background(), ctl.CrashRequest{Reason: found.How(), Dump: c.dump})
	if err != nil {
		v.record.note(err.Error())
	}
}

// folder returns the path of a new bundle: output, or else one named after the time, beside
// the journals, whose parent it makes.
func (c *collector) folder(output string) (string, error) {
	v := c.vm
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

// ask runs a command of the monitor that may take longer than askLimit.
func (c *collector) ask(ctx context.Context, command string, arguments, result any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, monitorLimit, errors.New("the monitor does not answer"))
	defer cancel()
	return c.vm.qemu.monitor.Execute(ctx, command, arguments, result)
}

// consoles returns the consoles that have a journal.
func (c *collector) consoles() []crash.Console {
	var consoles []crash.Console
	for i, opened := range c.vm.consoles.all() {
		declared, r := c.vm.consoles.declared[i], opened.Relay()
		consoles = append(consoles, crash.Console{
			Name: declared.Name, Device: declared.Device,
			Copy: func(w io.Writer, missing func(int64)) error { return copyOutput(w, r, r.BootStart(), missing) },
		})
	}
	return consoles
}

// copyOutput copies what a console has printed from an offset of its stream up to now. Where bytes are
// missing, it calls missing with their number, or -1 if that is unknown.
func copyOutput(w io.Writer, r *relay.Relay, from int64, missing func(bytes int64)) error {
	limit, cancel := context.WithTimeout(context.Background(), readLimit)
	defer cancel()
	end, reader := r.Printed(), r.Journal().NewReader(from)
	defer reader.Close()
	for chunk := make([]byte, 32<<10); reader.Offset() < end; {
		n, err := reader.Read(limit, chunk[:min(int64(len(chunk)), end-reader.Offset())])
		switch {
		case journal.Missing(err):
			_, bytes, _ := journal.Gone(err)
			missing(bytes)
		case err != nil:
			return err
		}
		if _, err := w.Write(chunk[:n]); err != nil {
			return err
		}
	}
	return nil
}
