package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"microvm-console/internal/ctl"
	"microvm-console/internal/rundir"
)

// prepare starts the VMs, the relays and the printers.
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
		if err := s.addRelay(ctx, name, settings); err != nil {
			return err
		}
	}
	for _, name := range []string{"soak-a", "soak-b", "soak-c"} {
		vm := &guestVM{name: name, client: ctl.Client{Path: rundir.Of(name).Ctl()}}
		vm.daemon = s.daemon("microvm-run "+name, "microvm-run", "--name", name, "--accel", "tcg", "--auto-ports")
		for _, console := range []string{"serial", "console"} {
			stream := &followed{name: name + " " + console, client: vm.client, console: console, boots: true, fault: s.fault}
			vm.streams = append(vm.streams, stream)
			s.follow(ctx, stream)
		}
		s.vms = append(s.vms, vm)
		if err := vm.boot(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// addRelay starts a relay and its printer.
func (s *soak) addRelay(ctx context.Context, name, settings string) error {
	channel := rundir.OfChannel(name)
	dir := filepath.Join(s.work, "printer-"+name)
	r := &relayed{ctl: channel.Ctl(), printer: &setup{dir: dir, channel: filepath.Join(channel.Path(), "vm")}}
	r.daemon = s.daemon("qemu-relay "+name, "qemu-relay", "serve", "--config", settings, name)
	r.stream = &followed{name: name, client: ctl.Client{Path: r.ctl}, fault: s.fault}
	s.relays = append(s.relays, r)
	s.follow(ctx, r.stream)
	err := r.start()
	if err == nil {
		err = r.printer.startGuest(candidate{plug: "fifo"}, guestSteady, 0)
	}
	if err == nil {
		err = r.printer.begin()
	}
	return err
}

// follow adds a stream and reads it until ctx ends.
func (s *soak) follow(ctx context.Context, stream *followed) {
	s.streams = append(s.streams, stream)
	s.background.Go(func() { stream.follow(ctx) })
}
