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
	directory := place(t)
	config := Config{Name: "serial", Settings: in(directory)}
	service, stop := run(t, config)
	attached := func(want bool) func() bool {
		return func() bool { return service.Status().Consoles[0].Relay.Attached == want }
	}
	if _, err := service.Boot(); err == nil || !strings.Contains(err.Error(), "no process holds the VM's lock") {
		t.Errorf("a boot without a lease: %v", err)
	}
	lease, err := Attach(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if lease.Carried() || lease.Boot != 1 || lease.Relay.PID != os.Getpid() {
		t.Errorf("%+v", lease)
	}
	await(t, "the lease is not seen", attached(true))
	if _, err := Attach(t.Context(), config); !errors.Is(err, rundir.ErrVMAttached) {
		t.Errorf("a second VM: %v", err)
	}
	// A QEMU inherits the lease: it is free when that has gone, not before.
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
	orders, quiet := context.WithCancel(t.Context())
	obeyed := make(chan string, 1)
	obeying := make(chan struct{})
	go func() {
		defer close(obeying)
		lease.Orders(orders, func(order string) { obeyed <- order })
	}()
	await(t, "the launcher does not listen", func() bool {
		return ctl.Client{Path: rundir.OfChannel("serial").Ctl()}.Break(t.Context(), "") == nil
	})
	if order := <-obeyed; order != ctl.OrderBreak {
		t.Errorf("ordered %q", order)
	}
	quiet()
	<-obeying
	if err := lease.Leave(); err != nil {
		t.Error(err)
	}
	if _, err := Attach(t.Context(), config); !errors.Is(err, rundir.ErrVMAttached) {
		t.Errorf("a second VM beside a QEMU: %v", err)
	}
	if boot := newestBoot(t); boot.Number != 1 || !boot.Ended.IsZero() {
		t.Errorf("with a QEMU: %+v", boot)
	}
	in.Close()
	qemu.Wait()
	await(t, "the end of QEMU is not seen", attached(false))
	if boot := newestBoot(t); boot.Number != 1 || boot.How != "QEMU ended" || boot.Ended.IsZero() {
		t.Errorf("without a QEMU: %+v", boot)
	}
	stop()
	// Without a service the launcher carries the relay.
	lease, err = Attach(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if !lease.Carried() || lease.Boot != 2 {
		t.Errorf("%+v", lease)
	}
	if err := lease.Leave(); err != nil {
		t.Error(err)
	}
	if rundir.OfChannel("serial").Running() || rundir.OfChannel("serial").HasVM() {
		t.Error("the channel is still taken")
	}
	if boot := newestBoot(t); boot.Number != 2 || boot.How != ended {
		t.Errorf("a relay that is carried: %+v", boot)
	}
}

// newestBoot returns the newest boot of the serial channel.
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

// A boot goes on while its relay is exchanged for another one, and ends with its QEMU; what is
// known better of the end stays.
func TestBootOutlivesItsRelay(t *testing.T) {
	config := Config{Name: "serial", Settings: in(place(t))}
	service, stop := run(t, config)
	service.scan(ended) // also if Run has not scanned yet: no QEMU is there
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
	await(t, "the boot is not seen", func() bool { return size(t) == 7 && newestBoot(t).Number == 1 })
	stop()
	service, stop = run(t, config)
	attached := func() bool { return service.Status().Consoles[0].Relay.Attached }
	await(t, "the QEMU is not seen", attached)
	if boot := newestBoot(t); boot.Number != 1 || !boot.Ended.IsZero() {
		t.Errorf("a relay later: %+v", boot)
	}
	end()
	await(t, "the end is not seen", func() bool { return newestBoot(t).How == "QEMU ended" })
	end = qemu()
	await(t, "the next boot is not seen", func() bool { return size(t) == 14 && newestBoot(t).Number == 2 && attached() })
	service.console.Relay().EndBoot("powered off")
	end()
	await(t, "the end is not seen", func() bool { return !attached() })
	if boot := newestBoot(t); boot.Number != 2 || boot.How != "powered off" {
		t.Errorf("%+v", boot)
	}
	end = qemu()
	await(t, "the third boot is not seen", func() bool { return size(t) == 21 && newestBoot(t).Number == 3 })
	stop()
	end()
	run(t, config)
	await(t, "the end is not seen", func() bool { return newestBoot(t).How == endedUnseen })
}

// A QEMU that was started by hand on the VM side is attached.
func TestQEMUByHand(t *testing.T) {
	lines := make(chan string, 10)
	config := Config{Name: "serial", Settings: in(place(t)), Log: func(line string) { lines <- line }}
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
	await(t, "it is not seen", func() bool { return service.Status().Consoles[0].Relay.Attached })
	if _, err := Attach(t.Context(), config); err == nil || !strings.Contains(err.Error(), "is attached (pid "+strconv.Itoa(byHand.Process.Pid)) {
		t.Errorf("a launcher beside it: %v", err)
	}
	in.Close()
	byHand.Wait()
	await(t, "its end is not seen", func() bool { return !service.Status().Consoles[0].Relay.Attached })
	lease, err := Attach(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	lease.Leave()
	for _, want := range []string{
		"serial: a QEMU that was started by hand has come", "serial: the QEMU has gone",
		"serial: a QEMU has come", "serial: the QEMU has gone",
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

// A launcher that comes as the service ends waits for the next relay, or runs one itself.
func TestLauncherAsTheServiceEnds(t *testing.T) {
	config := Config{Name: "serial", Settings: in(place(t))}
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

// Whenever the channel is scanned for QEMUs, a boot that was marked is the only one of its
// machine.
func TestBootDuringScans(t *testing.T) {
	c, _ := run(t, Config{Name: "serial", Settings: in(place(t))})
	out := machine(t) // of this process: no QEMU by hand
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
		await(t, "the lease is taken", func() (free bool) {
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
			await(t, "it is not taken", func() bool { return c.console.Relay().Unread() == 0 })
		}
		if number := c.console.Relay().Status().Boot; number != boot {
			t.Fatalf("boot %d has become %d", boot, number)
		}
		lease.Close()
	}
	close(stop)
	<-stopped
}
