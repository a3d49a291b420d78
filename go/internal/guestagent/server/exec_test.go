package server_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"microvm-console/internal/guestagent"
	"microvm-console/internal/guestagent/server"
)

// result runs a command and returns its status.
func result(ctx context.Context, t *testing.T, client *guestagent.Client, r guestagent.ExecRequest) guestagent.ExecStatus {
	t.Helper()
	pid, err := client.Exec(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	for {
		status, err := client.ExecStatus(ctx, pid)
		if err != nil {
			t.Fatal(err)
		}
		if status.Exited {
			if _, err := client.ExecStatus(ctx, pid); err == nil {
				t.Error("the command was not forgotten")
			}
			return status
		}
		time.Sleep(time.Millisecond) // guest-exec-status does not wait
	}
}

// shell returns a request that runs a script.
func shell(script string) guestagent.ExecRequest {
	return guestagent.ExecRequest{Path: "sh", Args: []string{"-c", script}, Capture: true}
}

func TestExec(t *testing.T) {
	t.Setenv("AGENT_TEST", "inherited")
	tests := []struct {
		name    string
		request guestagent.ExecRequest
		want    guestagent.ExecStatus
	}{
		{"both streams and a status", shell("echo out; echo err >&2; exit 3"), guestagent.ExecStatus{Exited: true, ExitCode: 3, Out: []byte("out\n"), Err: []byte("err\n")}},
		{"a signal", shell("kill -9 $$"), guestagent.ExecStatus{Exited: true, Signal: 9}},
		{"arguments", guestagent.ExecRequest{Path: "printf", Args: []string{"%s|", "a b", "", "ä"}, Capture: true}, guestagent.ExecStatus{Exited: true, Out: []byte("a b||ä|")}},
		{"input", guestagent.ExecRequest{Path: "cat", Input: []byte("\x00\xff\n"), Capture: true}, guestagent.ExecStatus{Exited: true, Out: []byte("\x00\xff\n")}},
		{"no input", guestagent.ExecRequest{Path: "cat", Capture: true}, guestagent.ExecStatus{Exited: true}},
		{"the agent's environment", shell("echo $AGENT_TEST; pwd"), guestagent.ExecStatus{Exited: true, Out: []byte("inherited\n/\n")}},
		{"without capture", guestagent.ExecRequest{Path: "echo", Args: []string{"x"}}, guestagent.ExecStatus{Exited: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, client, _ := connected(t)
			if diff := cmp.Diff(test.want, result(ctx, t, client, test.request)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExecWithAnEnvironment(t *testing.T) {
	t.Setenv("AGENT_TEST", "inherited")
	ctx, client, _ := connected(t)
	request := shell(`echo "$X/$AGENT_TEST"`)
	request.Path, request.Env = "/bin/sh", []string{"X=a b"}
	if got := result(ctx, t, client, request); string(got.Out) != "a b/\n" {
		t.Errorf("got %q", got.Out)
	}
}

// The values of capture-output since QEMU 8.0.
func TestCaptureModes(t *testing.T) {
	for mode, want := range map[string]string{
		`"none"`: "-", `"stdout"`: "-o", `"stderr"`: "-e", `"separated"`: "-oe", `"merged"`: "-both", "true": "-oe", "false": "-",
	} {
		request := `{"execute":"guest-exec","arguments":{"path":"sh","arg":["-c","echo o; echo e >&2"],"capture-output":` + mode + "}}\n"
		conn := newRaw(t)
		conn.send(request)
		var started struct{ Return guestagent.ExecStarted }
		conn.receive(&started)
		got := "-"
		for status := (struct{ Return guestagent.ExecStatus }{}); !status.Return.Exited; {
			conn.send(`{"execute":"guest-exec-status","arguments":{"pid":` + itoa(started.Return.PID) + "}}\n")
			conn.receive(&status)
			got = "-"
			switch {
			case bytes.Equal(status.Return.Out, []byte("o\ne\n")):
				got += "both"
			case len(status.Return.Out) > 0:
				got += "o"
			}
			if len(status.Return.Err) > 0 {
				got += "e"
			}
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", mode, got, want)
		}
	}
}

func TestExecOfAMissingProgram(t *testing.T) {
	ctx, client, _ := connected(t)
	for path, want := range map[string]string{
		"no-such-program": "no such file",
		"/no/program":     "no such file",
		"/etc/passwd":     unix.EACCES.Error(),
	} {
		_, err := client.Exec(ctx, guestagent.ExecRequest{Path: path})
		if began := fmt.Sprintf("guest-exec: guest: start %q: ", path); err == nil || !strings.HasPrefix(err.Error(), began) || !strings.HasSuffix(err.Error(), ": "+want) {
			t.Errorf("got %v, want %s…: %s", err, began, want)
		}
	}
}

// Input and output of the maximum length, and one byte more.
func TestExecLimits(t *testing.T) {
	ctx, client, _ := connected(t)
	input := bytes.Repeat([]byte{0xA5}, guestagent.MaxInput)
	if got := result(ctx, t, client, guestagent.ExecRequest{Path: "cat", Input: input, Capture: true}); !bytes.Equal(got.Out, input) {
		t.Errorf("%d bytes came back", len(got.Out))
	}
	if _, err := client.Exec(ctx, guestagent.ExecRequest{Path: "cat", Input: append(input, 0)}); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("got %v", err)
	}
	got := result(ctx, t, client, shell("head -c 16777217 /dev/zero; echo e >&2"))
	if len(got.Out)+len(got.Err) != 16<<20 || !got.OutTruncated || len(got.Err) > 2 {
		t.Errorf("%d and %d bytes, truncated: %t", len(got.Out), len(got.Err), got.OutTruncated)
	}
	// The budget is available again.
	if got := result(ctx, t, client, shell("echo small")); got.OutTruncated || string(got.Out) != "small\n" {
		t.Errorf("%q, truncated: %t", got.Out, got.OutTruncated)
	}
}

func TestTooManyCommands(t *testing.T) {
	ctx, client, _ := connected(t)
	sleeper := guestagent.ExecRequest{Path: "sleep", Args: []string{"1000"}}
	var pids []int
	defer func() {
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}()
	for range 64 {
		pid, err := client.Exec(ctx, sleeper)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	if _, err := client.Exec(ctx, sleeper); err == nil || !strings.Contains(err.Error(), "too many commands: 64 are running") {
		t.Errorf("got %v", err)
	}
	if err := unix.Kill(pids[10], unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for {
		pid, err := client.Exec(ctx, sleeper) // takes the place of the one that has ended
		if err == nil {
			pids = append(pids, pid)
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := client.ExecStatus(ctx, pids[10]); err == nil {
		t.Error("the command that ended was not forgotten")
	}
}

// A command that has ended does not stay a zombie, even if its status is not requested.
func TestNoZombies(t *testing.T) {
	ctx, client, _ := connected(t)
	pid, err := client.Exec(ctx, guestagent.ExecRequest{Path: "true"})
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat("/proc/" + itoa(pid)); os.IsNotExist(err) {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("pid %d is still there", pid)
		}
		time.Sleep(time.Millisecond)
	}
}

// Commands run in the directory of SetDir, and the server waits for them until they have ended.
func TestDirAndWaits(t *testing.T) {
	s, dir := server.New("1.2.3", nil), t.TempDir()
	s.SetDir(dir)
	ctx, client := serve(t, s)
	if got := result(ctx, t, client, shell("pwd")); string(got.Out) != dir+"\n" {
		t.Errorf("got %q, want %s", got.Out, dir)
	}
	pid, err := client.Exec(ctx, guestagent.ExecRequest{Path: "sleep", Args: []string{"1000"}})
	if err != nil {
		t.Fatal(err)
	}
	if !s.Waits(pid) || s.Waits(os.Getpid()) {
		t.Error("Waits does not report the command alone")
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for s.Waits(pid) {
		if ctx.Err() != nil {
			t.Fatal("the server still waits for a command that has ended")
		}
		time.Sleep(time.Millisecond)
	}
}
