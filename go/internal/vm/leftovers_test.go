package vm

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"microvm-console/internal/ctl"
)

// A port is left behind if this process listens on it, but not if another process does, which
// took it after the end of the VM.
func TestLeftoversOfPorts(t *testing.T) {
	m := machine(t)
	v, ended := run(t, m)
	<-v.Ready()
	if _, err := v.Stop(t.Context(), ctl.StopRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + strconv.Itoa(m.Consoles[0].Port)
	ours, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Leftovers(); err == nil || !strings.Contains(err.Error(), "left behind: listen "+address) {
		t.Errorf("our own listener: %v", err)
	}
	file, err := ours.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sleep", "1000")
	other.ExtraFiles = []*os.File{file}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		other.Process.Kill()
		other.Wait()
	})
	file.Close()
	ours.Close()
	if err := v.Leftovers(); err != nil {
		t.Errorf("another process's listener: %v", err)
	}
}
