package cmdline_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// program is the program demo in a process of its own.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], args...)
	command.Env = append(os.Environ(), "CMDLINE_TEST=demo", "GORACE=atexit_sleep_ms=0")
	return command
}

// The first signal cancels a program's context, and a second one ends a program that does
// not return.
func TestSignals(t *testing.T) {
	for _, signal := range []unix.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP} {
		for _, stubborn := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, stubborn %t", signal, stubborn), func(t *testing.T) {
				args, want := []string{"--stay"}, syscall.WaitStatus(0)
				if stubborn {
					args, want = append(args, "--count", "1"), syscall.WaitStatus(signal)
				}
				command := program(t, args...)
				stdout, err := command.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := command.Start(); err != nil {
					t.Fatal(err)
				}
				printed := bufio.NewReader(stdout)
				for _, want := range []string{"running\n", "ending\n"} {
					if word, err := printed.ReadString('\n'); word != want {
						t.Fatalf("printed %q, want %q (%v)", word, want, err)
					}
					if want == "running\n" {
						command.Process.Signal(signal)
					}
				}
				ended := make(chan struct{})
				go func() {
					command.Wait()
					close(ended)
				}()
				giveUp := time.After(time.Minute)
				for stubborn { // the program may still catch the second one
					command.Process.Signal(signal)
					select {
					case <-ended:
						stubborn = false
					case <-time.After(10 * time.Millisecond):
					case <-giveUp:
						t.Fatal("a second signal does not end it")
					}
				}
				<-ended
				if state := command.ProcessState; state.Sys() != want {
					t.Errorf("%v, want the wait status %#x", state, want)
				}
			})
		}
	}
}
