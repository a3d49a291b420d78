package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"microvm-console/internal/ctl"
	"microvm-console/internal/rundir"
)

// relayed is a persistent relay, and a printer that stands for QEMU and outlives it.
type relayed struct {
	*daemon
	stream  *followed
	ctl     string
	printer *setup
}

// start starts the relay and returns once its endpoints are there: ctl is the last.
func (r *relayed) start() error {
	_ = os.Remove(r.ctl) // that of a killed relay
	return errors.Join(r.daemon.start(), r.printer.await(r.ctl))
}

// stopPrinting returns how many bytes were printed in all.
func (r *relayed) stopPrinting() (int64, error) {
	if err := r.printer.begin(); err != nil { // any line ends it
		return 0, err
	}
	return strconv.ParseInt(<-r.printer.says, 10, 64)
}

// guestVM is a VM of the demo. Its guest prints records on both consoles.
type guestVM struct {
	*daemon
	name    string
	client  ctl.Client
	streams []*followed // of ttyS0 and hvc0
}

// guestPrints prints records on both terminals until /tmp/stop is there, and then
// writes how many those were. -opost: a line ends with a line feed alone.
const guestPrints = `cat >/tmp/print <<'END'
i=0
while [ ! -e /tmp/stop ]; do
	n=0
	while [ $n -lt 8 ]; do printf '#%015x%s\n' $i PAD; i=$((i+1)); n=$((n+1)); done
	sleep 0.1
done
echo $i >/tmp/printed.$1
END
dmesg -n 1
for d in ttyS0 hvc0; do
	stty -F /dev/$d -opost
	setsid sh /tmp/print $d </dev/null >/dev/$d 2>/dev/null &
done`

const guestStops = `touch /tmp/stop
for d in ttyS0 hvc0; do while [ ! -s /tmp/printed.$d ]; do sleep 0.1; done; cat /tmp/printed.$d; done`

// boot starts the VM, waits for both logins, and has the guest print.
func (v *guestVM) boot(ctx context.Context, s *soak) error {
	if err := v.start(); err != nil {
		return err
	}
	var status ctl.Status
	err := until(ctx, v.name+" is ready", func() (ready bool) {
		var err error
		status, err = v.client.Status(ctx)
		return err == nil && status.State == ctl.Ready && status.Agent
	})
	if err != nil {
		return err
	}
	for _, console := range status.Consoles {
		if (<-login(ctx, fmt.Sprintf("127.0.0.1:%d", console.Port))).IsZero() {
			return fmt.Errorf("%s: no login on %s", v.name, console.Device)
		}
	}
	pad := strings.Repeat(".", recordBytes-headBytes-1)
	_, err = v.exec(ctx, strings.Replace(guestPrints, "PAD", pad, 1))
	return err
}

// exec runs a script in the guest.
func (v *guestVM) exec(ctx context.Context, script string) (string, error) {
	output, err := exec.CommandContext(ctx, v.program("microvm-exec"), "--name", v.name, "--", "sh", "-c", script).Output()
	if err != nil {
		err = fmt.Errorf("microvm-exec %s: %w", v.name, err)
	}
	return string(output), err
}

// stopPrinting has the guest end its lines, and waits until all of them have come.
func (v *guestVM) stopPrinting(ctx context.Context) error {
	output, err := v.exec(ctx, guestStops)
	if err != nil {
		return err
	}
	printed := strings.Fields(output)
	if len(printed) != len(v.streams) {
		return fmt.Errorf("%s: printed %q", v.name, output)
	}
	for i, stream := range v.streams {
		records, err := strconv.ParseInt(printed[i], 10, 64)
		if err == nil {
			err = stream.settle(ctx, records*recordBytes)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// shutdown ends the VM in good order.
func (v *guestVM) shutdown(ctx context.Context, s *soak) error {
	if err := v.stopPrinting(ctx); err != nil {
		return err
	}
	v.expectEnd()
	output, err := exec.CommandContext(ctx, v.program("microvm-shutdown"), "--name", v.name).CombinedOutput()
	if err != nil {
		return fmt.Errorf("microvm-shutdown %s: %w: %s", v.name, err, output)
	}
	if code := v.wait(); code != 0 {
		s.fault("%s: microvm-run ended with status %d", v.name, code)
	}
	return nil
}

// prepare starts everything, and the printers.
func (s *soak) prepare(ctx context.Context) error {
	settings := filepath.Join(s.work, "settings.json")
	ports := map[string]any{"monitor": map[string]any{}}
	for _, name := range []string{"serial", "debugcon"} {
		port, err := freePort()
		if err != nil {
			return err
		}
		ports[name] = map[string]any{"tcp": port}
	}
	text, err := json.Marshal(map[string]any{"directory": s.work, "retentionMiB": 16, "channels": ports})
	if err == nil {
		err = os.WriteFile(settings, text, 0o600)
	}
	if err != nil {
		return err
	}
	for _, name := range []string{"serial", "monitor", "debugcon"} {
		if err := s.addRelay(name, settings); err != nil {
			return err
		}
	}
	for _, name := range []string{"soak-a", "soak-b", "soak-c"} {
		vm := &guestVM{name: name, client: ctl.Client{Path: rundir.Of(name).Ctl()}}
		vm.daemon = s.daemon("microvm-run "+name, "microvm-run", "--name", name, "--accel", "tcg", "--auto-ports")
		for _, console := range []string{"serial", "console"} {
			vm.streams = append(vm.streams, &followed{name: name + " " + console, client: vm.client, console: console, boots: true, fault: s.fault})
		}
		s.vms, s.streams = append(s.vms, vm), append(s.streams, vm.streams...)
		if err := vm.boot(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// addRelay starts a relay, and its printer.
func (s *soak) addRelay(name, settings string) error {
	channel := rundir.OfChannel(name)
	dir := filepath.Join(s.work, "printer-"+name)
	r := &relayed{ctl: channel.Ctl(), printer: &setup{dir: dir, channel: filepath.Join(channel.Path(), "vm")}}
	r.daemon = s.daemon("qemu-relay "+name, "qemu-relay", "serve", "--config", settings, name)
	r.stream = &followed{name: name, client: ctl.Client{Path: r.ctl}, fault: s.fault}
	s.relays, s.streams = append(s.relays, r), append(s.streams, r.stream)
	err := r.start()
	if err == nil {
		err = r.printer.startGuest(candidate{plug: "fifo"}, guestSteady, 0)
	}
	if err == nil {
		err = r.printer.begin()
	}
	return err
}
