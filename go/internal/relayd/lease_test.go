package relayd

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/journal"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
)

func TestLease(t *testing.T) {
	directory := testFolders(t)
	config := Config{Name: "serial", Settings: in(directory)}
	service, stop := run(t, config)
	attached := func(want bool) func() bool {
		return func() bool { return service.Status().Consoles[0].Relay.Attached == want }
	}
	if _, err := service.Boot(); err == nil || !strings.Contains(err.Error(), "no process holds the VM lock") {
		t.Errorf("a boot without a lease: %v", err)
	}
	lease, err := Attach(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if lease.InProcess() || lease.Boot != 1 || lease.Relay.PID != os.Getpid() {
		t.Errorf("%+v", lease)
	}
	await(t, "the VM to attach", attached(true))
	if _, err := Attach(t.Context(), config); !errors.Is(err, rundir.ErrVMAttached) {
		t.Errorf("a second VM: %v", err)
	}
	// QEMU inherits the lock, which is free only when QEMU has ended.
	qemu := exec.Command("bash", "-c", "echo; read")
	lock, err := lease.Lock()
	if err != nil {
		t.Fatal(err)
	}
	qemu.ExtraFiles = []*os.File{lock}
	in, err := qemu.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := qemu.Start(); err != nil {
		t.Fatal(err)
	}
	lock.Close()
	listening, stopListening := context.WithCancel(t.Context())
	received := make(chan string, 1)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		lease.Orders(listening, func(order string) { received <- order })
	}()
	await(t, "the launcher to listen", func() bool {
		return ctl.Client{Path: rundir.OfChannel("serial").Ctl()}.Break(t.Context(), "") == nil
	})
	if order := <-received; order != ctl.OrderBreak {
		t.Errorf("received %q", order)
	}
	stopListening()
	<-stopped
	if err := lease.Leave(); err != nil {
		t.Error(err)
	}
	if _, err := Attach(t.Context(), config); !errors.Is(err, rundir.ErrVMAttached) {
		t.Errorf("a second VM while QEMU runs: %v", err)
	}
	if boot := newestBoot(t); boot.Number != 1 || !boot.Ended.IsZero() {
		t.Errorf("with a QEMU: %+v", boot)
	}
	in.Close()
	qemu.Wait()
	await(t, "QEMU to detach", attached(false))
	if boot := newestBoot(t); boot.Number != 1 || boot.How != "QEMU ended" || boot.Ended.IsZero() {
		t.Errorf("without a QEMU: %+v", boot)
	}
	stop()
	// Without a service, the relay runs in the launcher.
	lease, err = Attach(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if !lease.InProcess() || lease.Boot != 2 {
		t.Errorf("%+v", lease)
	}
	if err := lease.Leave(); err != nil {
		t.Error(err)
	}
	if rundir.OfChannel("serial").Running() || rundir.OfChannel("serial").HasVM() {
		t.Error("the channel is still locked")
	}
	if boot := newestBoot(t); boot.Number != 2 || boot.How != ended {
		t.Errorf("a relay in the launcher: %+v", boot)
	}
}

// A relay that holds its lock but does not answer is named, with the time limit.
func TestAttachToASilentRelay(t *testing.T) {
	config := Config{Name: "serial", Settings: in(testFolders(t))}
	lock, err := rundir.OfChannel("serial").Acquire()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	const limit = 50 * time.Millisecond
	_, err = attach(t.Context(), config, limit)
	want := `channel "serial": the relay did not answer within 50ms (try again; qemu-relay status shows it)`
	if !errors.Is(err, context.DeadlineExceeded) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if rundir.OfChannel("serial").HasVM() {
		t.Error("the channel is still locked")
	}
}

// newestBoot returns the newest boot of the channel "serial".
func newestBoot(t *testing.T) journal.Boot {
	t.Helper()
	dir, err := rundir.OfChannel("serial").Journal()
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := journal.TakeSnapshot(dir)
	if err != nil {
		t.Fatal(err)
	}
	boot, err := snapshot.Boot(0)
	if err != nil {
		t.Fatal(err)
	}
	return boot
}

// A boot continues when its relay is replaced, and ends with its QEMU. A better exit
// cause is not overwritten.
func TestBootOutlivesItsRelay(t *testing.T) {
	config := Config{Name: "serial", Settings: in(testFolders(t))}
	service, stop := run(t, config)
	service.scan(ended) // in case Run has not scanned yet: no QEMU is attached
	qemu := func() (end func()) {
		command := exec.Command("bash", "-c", `exec 3<>"$1"; echo booted >&3; read`, "-", relay.VMPath(rundir.OfChannel("serial").Path())+".out")
		in, err := command.StdinPipe()
		if err == nil {
			err = command.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			in.Close()
			command.Wait()
		}
	}
	end := qemu()
	await(t, "the first boot", func() bool { return size(t) == 7 && newestBoot(t).Number == 1 })
	stop()
	service, stop = run(t, config)
	attached := func() bool { return service.Status().Consoles[0].Relay.Attached }
	await(t, "QEMU to attach", attached)
	if boot := newestBoot(t); boot.Number != 1 || !boot.Ended.IsZero() {
		t.Errorf("after a restart of the relay: %+v", boot)
	}
	end()
	await(t, "the exit cause", func() bool { return newestBoot(t).How == "QEMU ended" })
	end = qemu()
	await(t, "the second boot", func() bool { return size(t) == 14 && newestBoot(t).Number == 2 && attached() })
	service.console.Relay().EndBoot("powered off")
	end()
	await(t, "QEMU to detach", func() bool { return !attached() })
	if boot := newestBoot(t); boot.Number != 2 || boot.How != "powered off" {
		t.Errorf("%+v", boot)
	}
	end = qemu()
	await(t, "the third boot", func() bool { return size(t) == 21 && newestBoot(t).Number == 3 })
	stop()
	end()
	run(t, config)
	await(t, "the exit cause", func() bool { return newestBoot(t).How == endedUnseen })
}

// A QEMU that was started by hand on the VM side is attached.
func TestQEMUByHand(t *testing.T) {
	lines := make(chan string, 10)
	config := Config{Name: "serial", Settings: in(testFolders(t)), Log: func(line string) { lines <- line }}
	service, _ := run(t, config)
	config.Log = nil
	byHand := exec.Command("bash", "-c", `exec 3<>"$1"; echo ready; read`, "-", service.vmOut())
	in, err := byHand.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := byHand.StdoutPipe()
	if err == nil {
		err = byHand.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	await(t, "QEMU to attach", func() bool { return service.Status().Consoles[0].Relay.Attached })
	if _, err := Attach(t.Context(), config); err == nil || !strings.Contains(err.Error(), "is attached (pid "+strconv.Itoa(byHand.Process.Pid)) {
		t.Errorf("a launcher while it runs: %v", err)
	}
	in.Close()
	byHand.Wait()
	await(t, "QEMU to detach", func() bool { return !service.Status().Consoles[0].Relay.Attached })
	lease, err := Attach(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	lease.Leave()
	for _, want := range []string{
		"serial: QEMU attached (started by hand)", "serial: QEMU detached",
		"serial: QEMU attached", "serial: QEMU detached",
	} {
		select {
		case line := <-lines:
			if line != want {
				t.Errorf("logged %q, want %q", line, want)
			}
		case <-time.After(hangLimit):
			t.Fatalf("not logged: %q", want)
		}
	}
}

// A launcher that attaches while the service ends waits for the next relay, or runs one
// itself.
func TestAttachWhileTheServiceEnds(t *testing.T) {
	config := Config{Name: "serial", Settings: in(testFolders(t))}
	for range 20 {
		_, stop := run(t, config)
		ending := make(chan struct{})
		go func() {
			defer close(ending)
			stop()
		}()
		lease, err := Attach(t.Context(), config)
		if err != nil {
			t.Error(err)
		} else if err := lease.Leave(); err != nil {
			t.Error(err)
		}
		<-ending
	}
}

// Scans for QEMUs during a boot do not begin another boot.
func TestBootDuringScans(t *testing.T) {
	c, _ := run(t, Config{Name: "serial", Settings: in(testFolders(t))})
	out := machine(t) // opened by this process, so not a QEMU started by hand
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				c.scan(ended)
			}
		}
	}()
	const boots = 200
	for boot := 1; boot <= boots; boot++ {
		var lease *rundir.Lock
		await(t, "the VM lock", func() (free bool) {
			var err error
			lease, err = c.dir.AcquireVM()
			return err == nil
		})
		if number, err := c.Boot(); err != nil || number != boot {
			t.Fatalf("boot %d has number %d, %v", boot, number, err)
		}
		for range 3 {
			if _, err := out.WriteString("a line\n"); err != nil {
				t.Fatal(err)
			}
			await(t, "the line in the journal", func() bool { return c.console.Relay().Unread() == 0 })
		}
		if number := c.console.Relay().Status().Boot; number != boot {
			t.Fatalf("boot %d has become %d", boot, number)
		}
		lease.Close()
	}
	close(stop)
	<-stopped
}
