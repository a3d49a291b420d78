package relay

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"microvm-console/tests/internal/harness"
)

// printer is a process that prints on one channel, and what its launcher keeps.
type printer struct {
	t    *testing.T
	name string
	run  *exec.Cmd
	out  *os.File // the FIFO, open as run-qemu has it: it outlives the printer
}

// start takes the lock of the VM, marks a boot, and starts the printer, which inherits the lock.
func (p *printer) start(relay *relayProcess, order printJob) error {
	lock, err := lockChannel(p.t, p.name)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := markBoot(relay, p.name); err != nil {
		return err
	}
	if p.out, err = os.OpenFile(order.fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0); err != nil {
		return err
	}
	p.run = harness.NewCommand(p.t, "/proc/self/exe")
	p.run.Env = append(p.run.Env, printerVariable+"="+order.String())
	p.run.ExtraFiles = []*os.File{lock}
	p.run.Stderr = os.Stderr
	return p.run.Start()
}

// end waits for the end of the printer, and until the relay has taken all that it has
// written. It returns how many bytes that is, as the kernel has counted them.
func (p *printer) end() (bytes int64, err error) {
	if p.run == nil || p.run.Process == nil {
		return 0, nil
	}
	for late := time.Now().Add(harness.WaitLimit); harness.Alive(p.run.Process.Pid); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			return 0, fmt.Errorf("%s: the printer does not end", p.name)
		}
	}
	if bytes, err = bytesWritten(p.run.Process.Pid); err != nil {
		return 0, err
	}
	p.run.Wait()
	defer p.out.Close()
	for late := time.Now().Add(harness.WaitLimit); bytesInFIFO(p.out) != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			return bytes, fmt.Errorf("%s: %d bytes are not taken", p.name, bytesInFIFO(p.out))
		}
	}
	return bytes, nil
}

// bytesInFIFO returns how many bytes are in a FIFO; -1 if that fails.
func bytesInFIFO(fifo *os.File) (bytes int32) {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fifo.Fd(), syscall.TIOCINQ, uintptr(unsafe.Pointer(&bytes)))
	if errno != 0 {
		return -1
	}
	return bytes
}

// printAndWait runs a printer to its end.
func printAndWait(t *testing.T, order printJob) {
	t.Helper()
	if err := <-startPrinting(t, order); err != nil {
		t.Fatal(err)
	}
}

// startPrinting starts a printer. The channel receives how it ended.
func startPrinting(t *testing.T, order printJob) <-chan error {
	ended := make(chan error, 1)
	p := printer{t: t, name: order.name, run: harness.NewCommand(t, "/proc/self/exe")}
	p.run.Env = append(p.run.Env, printerVariable+"="+order.String())
	var err error
	if p.out, err = os.OpenFile(order.fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0); err == nil {
		err = p.run.Start()
	}
	if err != nil {
		ended <- err
		return ended
	}
	go func() {
		n, err := p.end()
		if err == nil && n != order.bytes {
			err = fmt.Errorf("the printer has printed %d of %d bytes", n, order.bytes)
		}
		ended <- err
	}()
	return ended
}
