package tests

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// machine stands for a QEMU on several channels, as run-qemu starts it: a printer
// on each, which holds the channel's seat.
type machine struct {
	t       *testing.T
	names   []string
	on      []*printer
	printed map[string][]int64 // by channel, how many bytes each boot has printed
}

// printer is the process of one channel, and what its launcher keeps.
type printer struct {
	name string
	run  *exec.Cmd
	out  *os.File // the FIFO, open as run-qemu has it: it outlives the printer
}

func newMachine(t *testing.T, names ...string) *machine {
	vm := &machine{t: t, names: names, printed: map[string][]int64{}}
	t.Cleanup(func() { vm.kill() })
	return vm
}

// total is what a channel has printed in the boots that have ended.
func (vm *machine) total(name string) (bytes int64) {
	for _, boot := range vm.printed[name] {
		bytes += boot
	}
	return bytes
}

// boot starts one on all channels: each prints so many bytes.
func (vm *machine) boot(relay *served, bytes func(name string) int64, rate int, ends bool) error {
	for _, name := range vm.names {
		p := &printer{name: name}
		vm.on = append(vm.on, p)
		order := printed{channelPath(name, "vm.out"), name, len(vm.printed[name]), bytes(name), rate, ends}
		if err := p.start(relay, order); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// start takes the seat, has a boot marked, and starts the printer in the seat.
func (p *printer) start(relay *served, order printed) error {
	seat, err := takeSeat(p.name)
	if err != nil {
		return err
	}
	defer seat.Close()
	if err := markBoot(relay, p.name); err != nil {
		return err
	}
	if p.out, err = os.OpenFile(order.fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0); err != nil {
		return err
	}
	p.run = exec.Command("/proc/self/exe")
	p.run.Env = append(os.Environ(), printerVariable+"="+order.String())
	p.run.ExtraFiles = []*os.File{seat}
	p.run.Stderr = os.Stderr
	return p.run.Start()
}

// takeSeat takes a channel's seat, which is free.
func takeSeat(name string) (*os.File, error) {
	seat, err := os.OpenFile(channelPath(name, "vm.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for late := time.Now().Add(waitLimit); ; time.Sleep(time.Millisecond) {
		err := syscall.Flock(int(seat.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return seat, nil
		}
		if time.Now().After(late) { // a relay looks for an instant whether it is taken
			return nil, errors.Join(fmt.Errorf("%s: %w", seat.Name(), err), seat.Close())
		}
	}
}

// markBoot asks the relay for a boot, until one answers. Where one is killed
// meanwhile, it may have marked a boot of which nothing is printed.
func markBoot(relay *served, name string) error {
	for {
		up := relay.await(context.Background())
		response, err := asking(name).Post("http://channel/boot", "", nil)
		if err != nil && up.Err() != nil {
			continue
		}
		if err != nil {
			return err
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		switch {
		case response.StatusCode == 200:
			return nil
		case err == nil:
			return fmt.Errorf("boot: %s: %s", response.Status, text)
		case up.Err() == nil:
			return err
		}
	}
}

// kill kills it, and is await then.
func (vm *machine) kill() error {
	for _, p := range vm.on {
		if p.run != nil && p.run.Process != nil {
			p.run.Process.Kill()
		}
	}
	return vm.await()
}

// await waits until it has ended and the relay has all, and takes note how much
// that is.
func (vm *machine) await() error {
	var errs []error
	for _, p := range vm.on {
		bytes, err := p.end()
		errs = append(errs, err)
		vm.printed[p.name] = append(vm.printed[p.name], bytes)
	}
	vm.on = nil
	return errors.Join(errs...)
}

// end waits for the printer's end, and for all that it has written to be taken;
// and returns how many bytes that is, as the kernel has counted them.
func (p *printer) end() (bytes int64, err error) {
	if p.run == nil || p.run.Process == nil {
		return 0, nil
	}
	for late := time.Now().Add(waitLimit); alive(p.run.Process.Pid); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			return 0, fmt.Errorf("%s: the printer does not end", p.name)
		}
	}
	if bytes, err = written(p.run.Process.Pid); err != nil {
		return 0, err
	}
	p.run.Wait()
	defer p.out.Close()
	for late := time.Now().Add(waitLimit); unread(p.out) != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			return bytes, fmt.Errorf("%s: %d bytes are not taken", p.name, unread(p.out))
		}
	}
	return bytes, nil
}

// unread is how many bytes are in a FIFO.
func unread(fifo *os.File) (bytes int32) {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fifo.Fd(), syscall.TIOCINQ, uintptr(unsafe.Pointer(&bytes)))
	if errno != 0 {
		return -1
	}
	return bytes
}

// restarts kills it at random moments, while a relay is killed or not, and starts
// it again: once for each time that the relay was killed so often.
func (vm *machine) restarts(relay *served, every int, killed <-chan struct{}, boot func() error) error {
	random := rand.New(rand.NewPCG(tortureSeed, 2))
	for n := 1; ; n++ {
		if _, more := <-killed; !more {
			return nil
		}
		if n%every > 0 {
			continue
		}
		time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
		relay.await(context.Background())
		if err := errors.Join(vm.kill(), boot()); err != nil {
			return err
		}
	}
}
