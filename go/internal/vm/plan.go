package vm

import (
	"context"
	"fmt"

	"microvm-console/internal/accel"
	"microvm-console/internal/features"
	"microvm-console/internal/qemu"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
	"microvm-console/internal/state"
	"microvm-console/internal/vmconfig"
)

// Plan decides what vm.json leaves open, for this host. choice is the accelerator in host, and
// why it was chosen.
func Plan(ctx context.Context, m vmconfig.Machine) (host qemu.Host, choice accel.Choice, err error) {
	boot, err := m.Boot()
	if err != nil {
		return qemu.Host{}, accel.Choice{}, err
	}
	choice, err = accel.Choose(ctx, m, boot)
	if err != nil {
		return qemu.Host{}, accel.Choice{}, err
	}
	host = qemu.Host{
		Accel: choice.Accel, Type: qemu.Type(m, boot, choice.Accel), Boot: boot, ShareSocket: rundir.Of(m.Name).ShareSocket,
	}
	if host.Features, err = features.Of(ctx, m.QEMU); err != nil {
		return qemu.Host{}, accel.Choice{}, err
	}
	if host.Accel == "tcg" && host.Type == "microvm" {
		host.TSCKHz = accel.TSCKHz()
	}
	return host, choice, nil
}

// Pipe returns a function that returns the path of a console's pipe in the VM's directory.
func Pipe(dir rundir.Machine) func(vmconfig.Console) string {
	return func(console vmconfig.Console) string { return relay.VMPath(dir.Console(console.Name)) }
}

// plan is Plan for this VM. It also opens the VM's ports and consoles.
func (v *VM) plan(ctx context.Context) (qemu.Host, error) {
	if err := v.machine.CheckDevices(); err != nil {
		return qemu.Host{}, err
	}
	if err := v.qemu.reserveForwards(&v.machine, v.autoPorts); err != nil {
		return qemu.Host{}, err
	}
	withDrivers, err := v.machine.ChooseDrivers()
	if err != nil {
		return qemu.Host{}, err
	}
	v.machine = withDrivers
	ports, listeners, err := openPorts(v.machine.Consoles, v.autoPorts)
	if err != nil {
		return qemu.Host{}, err
	}
	v.machine.Consoles = ports
	v.record.setConsoles(ports)
	if v.consoles.noRelay {
		closePorts(listeners) // QEMU opens the ports itself
		v.record.log("--no-relay: QEMU serves the ports to every user and web page of this host; nothing is recorded")
	} else if err := v.consoles.open(ports, listeners); err != nil {
		return qemu.Host{}, err
	}
	if err := v.record.become(state.Starting); err != nil {
		return qemu.Host{}, err
	}
	host, choice, err := Plan(ctx, v.machine)
	if err != nil {
		return qemu.Host{}, err
	}
	if !v.consoles.noRelay {
		host.Pipe = Pipe(v.dir)
	}
	if host.OwnDisk, err = v.disks.prepare(ctx, v.record.log); err != nil {
		return qemu.Host{}, err
	}
	if err := v.writeInitrd(host.Type); err != nil {
		return qemu.Host{}, err
	}
	v.record.log(choice.Summary(host.Type))
	v.record.detail("accelerator: " + choice.Reason)
	if v.machine.Sandbox && !host.Features.Sandbox {
		v.record.note(fmt.Sprintf("QEMU runs without a sandbox: %s is built without seccomp", v.machine.QEMU))
	}
	v.record.set(func(m *state.Machine) { m.Accel, m.Machine = host.Accel, host.Type })
	return host, nil
}

// writeInitrd makes the guest's initramfs, if Options.WriteInitrd is set.
func (v *VM) writeInitrd(machineType string) error {
	if v.initrd == nil {
		return nil
	}
	v.machine.Initrd = v.dir.Initrd()
	if err := v.initrd(v.machine.Initrd, v.machine, machineType); err != nil {
		return fmt.Errorf("initrd: %w", err)
	}
	return nil
}
