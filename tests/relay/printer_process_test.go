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

// printer is a process that prints on one channel, with the files that its launcher keeps open.
type printer struct {
	t    *testing.T
	name string
	run  *exec.Cmd
	out  *os.File // the FIFO, which run-qemu keeps open too; it outlives the printer
}

// start acquires the VM lock, marks a boot, and starts the printer, which inherits the lock.
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

// end waits for the end of the printer, and until the relay has read all its output. It returns
// the number of bytes that the printer has written, which the kernel has counted.
func (p *printer) end() (bytes int64, err error) {
	if p.run == nil || p.run.Process == nil {
		return 0, nil
	}
	for late := time.Now().Add(harness.WaitLimit); harness.Alive(p.run.Process.Pid); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			return 0, fmt.Errorf("%s: the printer has not ended", p.name)
		}
	}
	if bytes, err = bytesWritten(p.run.Process.Pid); err != nil {
		return 0, err
	}
	p.run.Wait()
	defer p.out.Close()
	for late := time.Now().Add(harness.WaitLimit); bytesInFIFO(p.out) != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			return bytes, fmt.Errorf("%s: the relay has not read %d bytes", p.name, bytesInFIFO(p.out))
		}
	}
	return bytes, nil
}

// bytesInFIFO returns the number of bytes in a FIFO, or -1 if that fails.
func bytesInFIFO(fifo *os.File) (bytes int32) {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fifo.Fd(), syscall.TIOCINQ, uintptr(unsafe.Pointer(&bytes)))
	if errno != 0 {
		return -1
	}
	return bytes
}

// printAndWait runs a printer until its end.
func printAndWait(t *testing.T, order printJob) {
	t.Helper()
	if err := <-startPrinting(t, order); err != nil {
		t.Fatal(err)
	}
}

// startPrinting starts a printer. The channel receives the error of the printer, or nil.
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
