package guestagent_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"microvm-console/internal/guestagent"
)

// The client works with qemu-ga. The requests change nothing on this host.
func TestQEMUGuestAgent(t *testing.T) {
	ctx, client := stock(t)
	info, err := client.Info(ctx)
	if err != nil || info.Version == "" || !info.Supports(guestagent.CommandExec) {
		t.Fatalf("%v, %+v", err, info)
	}
	if info.Supports(guestagent.CommandExecOutput) || info.Supports(guestagent.CommandSetConsoleSize) {
		t.Error("qemu-ga lists commands of microvm-agent")
	}
	if err := client.SetConsoleSize(ctx, "hvc0", 24, 80); err == nil {
		t.Error("qemu-ga runs a command of microvm-agent")
	}
	if err := client.Ping(ctx); err != nil {
		t.Error(err)
	}
	input := bytes.Repeat([]byte("\x00\xFFline\n"), 100<<10)
	pid, err := client.Exec(ctx, guestagent.ExecRequest{
		Path: "sh", Args: []string{"-c", "cat; echo $X >&2; exit 7"}, Env: []string{"X=y", "PATH=" + os.Getenv("PATH")}, Input: input, Capture: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	var status guestagent.ExecStatus
	for !status.Exited {
		if status, err = client.ExecStatus(ctx, pid); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // guest-exec-status does not wait
	}
	if !bytes.Equal(status.Out, input) || string(status.Err) != "y\n" || status.ExitCode != 7 {
		t.Errorf("%d bytes, %q, status %d", len(status.Out), status.Err, status.ExitCode)
	}
	// A request without an answer does not affect the next one.
	short, cancel := context.WithTimeout(ctx, time.Nanosecond)
	defer cancel()
	if err := client.Ping(short); err == nil {
		t.Error("no error for a request without time")
	}
	if err := client.Ping(ctx); err != nil {
		t.Error(err)
	}
}

// stock returns a client of a qemu-ga that runs until the end of the test.
func stock(t *testing.T) (context.Context, *guestagent.Client) {
	t.Helper()
	program, err := exec.LookPath("qemu-ga")
	if err != nil {
		t.Skip("no qemu-ga (install qemu-guest-agent)")
	}
	dir, err := os.MkdirTemp("", "agent") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "socket")
	agent := exec.Command(program, "-m", "unix-listen", "-p", socket, "-t", dir, "-f", filepath.Join(dir, "pid"))
	var output bytes.Buffer
	agent.Stdout, agent.Stderr = &output, &output
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = agent.Process.Kill()
		_ = agent.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	var conn net.Conn
	for conn == nil {
		if conn, err = net.Dial("unix", socket); err != nil && ctx.Err() != nil {
			t.Fatalf("%v: %s", err, output.String())
		}
		time.Sleep(time.Millisecond) // qemu-ga does not report that it listens
	}
	client := guestagent.New(conn)
	ended := make(chan error, 1)
	go func() { ended <- client.Run() }()
	t.Cleanup(func() {
		client.Close()
		<-ended
	})
	return ctx, client
}
