package relay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

// qmpOf returns the path of a QMP socket in dir, and the arguments of QEMU for it.
func qmpOf(dir string) (path string, args []string) {
	path = filepath.Join(dir, "qmp")
	return path, []string{"-qmp", "unix:" + path + ",server=on,wait=off"}
}

// qmpConn is a connection to a QEMU's monitor.
type qmpConn struct {
	net.Conn
	lines *bufio.Scanner
}

// dialQMP connects as soon as QEMU listens.
func dialQMP(t *testing.T, path string) *qmpConn {
	t.Helper()
	for late := time.Now().Add(harness.WaitLimit); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("unix", path)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			c := &qmpConn{conn, bufio.NewScanner(conn)}
			if err := c.execute("qmp_capabilities"); err != nil {
				t.Fatal(err)
			}
			return c
		}
		if time.Now().After(late) {
			t.Fatal(err)
		}
	}
}

// execute sends a command and waits for its answer.
func (c *qmpConn) execute(command string) error {
	c.SetDeadline(time.Now().Add(harness.WaitLimit))
	if _, err := fmt.Fprintf(c, "{\"execute\": %q}\n", command); err != nil {
		return err
	}
	for c.lines.Scan() {
		switch line := c.lines.Bytes(); {
		case bytes.HasPrefix(line, []byte(`{"return"`)):
			return nil
		case bytes.HasPrefix(line, []byte(`{"error"`)):
			return fmt.Errorf("%s: %s", command, line)
		}
	}
	return errors.Join(fmt.Errorf("%s: no answer", command), c.lines.Err())
}
