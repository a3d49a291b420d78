package relay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// fakeQEMU replaces a QEMU that run-qemu has started on several channels. It is a printer on
// each of them, which holds the VM lock of the channel.
type fakeQEMU struct {
	t       *testing.T
	names   []string
	on      []*printer
	printed map[string][]int64 // bytes that each boot has printed, by channel
}

func newFakeQEMU(t *testing.T, names ...string) *fakeQEMU {
	vm := &fakeQEMU{t: t, names: names, printed: map[string][]int64{}}
	t.Cleanup(func() { vm.kill() })
	return vm
}

// total returns the number of bytes that a channel has printed in the boots that have ended.
func (vm *fakeQEMU) total(name string) (bytes int64) {
	for _, boot := range vm.printed[name] {
		bytes += boot
	}
	return bytes
}

// boot starts a printer on each channel; bytes returns how many bytes it prints.
func (vm *fakeQEMU) boot(relay *relayProcess, bytes func(name string) int64, rate int, ends bool) error {
	for _, name := range vm.names {
		p := &printer{t: vm.t, name: name}
		vm.on = append(vm.on, p)
		order := printJob{privatePath(vm.t, name, "vm.out"), name, len(vm.printed[name]), bytes(name), rate, ends}
		if err := p.start(relay, order); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// kill kills the printers and waits for their end.
func (vm *fakeQEMU) kill() error {
	for _, p := range vm.on {
		if p.run != nil && p.run.Process != nil {
			p.run.Process.Kill()
		}
	}
	return vm.await()
}

// await waits until the printers have ended and the relay has read everything. It records how
// much they have printed.
func (vm *fakeQEMU) await() error {
	var errs []error
	for _, p := range vm.on {
		bytes, err := p.end()
		errs = append(errs, err)
		vm.printed[p.name] = append(vm.printed[p.name], bytes)
	}
	vm.on = nil
	return errors.Join(errs...)
}

// restarts kills the printers at a random moment and boots again, once for every `every` values
// of killed, which has one value for each time that the relay was killed.
func (vm *fakeQEMU) restarts(relay *relayProcess, every int, killed <-chan struct{}, boot func() error) error {
	random := rand.New(rand.NewPCG(tortureSeed, 2))
	for n := 1; ; n++ {
		if _, more := <-killed; !more {
			return nil
		}
		if n%every > 0 {
			continue
		}
		time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
		relay.awaitUp(context.Background())
		if err := errors.Join(vm.kill(), boot()); err != nil {
			return err
		}
	}
}
