package consoletest

import (
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// connected returns a Console and the guest's end of it.
func connected(t testing.TB) (*Console, net.Conn) {
	t.Helper()
	host, guest := net.Pipe()
	console := newConsole("ttyS0", host)
	done := make(chan struct{})
	go func() {
		defer close(done)
		console.Run()
	}()
	t.Cleanup(func() {
		console.Close()
		guest.Close()
		<-done
	})
	return console, guest
}

// limited returns a context that ends a test that hangs.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// withShell returns a Console with a shell of this host at the guest's end.
func withShell(t *testing.T) *Console {
	t.Helper()
	console, guest := connected(t)
	shell := exec.Command("sh")
	shell.Stdin, shell.Stdout = guest, guest
	shell.WaitDelay = time.Second
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		guest.Close()
		shell.Process.Kill()
		shell.Wait()
	})
	return console
}

func TestShellReturnsWhatTheGuestComputes(t *testing.T) {
	console := withShell(t)
	for _, test := range []struct{ command, output, fails string }{
		{"echo $((6*7))", "42\n", ""},
		{"printf 'no end of line'", "no end of line", ""},
		{"true", "", ""},
		{"echo one; echo two", "one\ntwo\n", ""},
		{"echo oops; exit 3", "oops\n", "status 3: oops"},
		{"echo 'it is'", "it is\n", ""},
		{"true # and nothing else", "", ""},
		{"false &", "", ""},
		{"cd /; pwd", "/\n", ""},
	} {
		output, err := console.Shell(limited(t), test.command)
		if output != test.output {
			t.Errorf("%s: printed %q, want %q", test.command, output, test.output)
		}
		if failed := err != nil; failed != (test.fails != "") || failed && !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: %v, want %q", test.command, err, test.fails)
		}
	}
}

// A terminal echoes what is typed even if no program reads it.
func TestEchoIsNoAnswer(t *testing.T) {
	console, guest := connected(t)
	echoed := make(chan struct{})
	go func() {
		buffer := make([]byte, 1024)
		n, _ := guest.Read(buffer)
		guest.Write(buffer[:n])
		close(echoed)
		guest.Read(buffer) // Ctrl-C
	}()
	ctx, cancel := context.WithCancelCause(limited(t))
	go func() {
		<-echoed
		cancel(errors.New("given up"))
	}()
	if output, err := console.Shell(ctx, "true"); err == nil {
		t.Errorf("the echo %q was taken for an answer", output)
	}
}

// The error of a command that does not end has its last line, without the numbers around its
// output, and without the echo.
func TestCommandDoesNotEnd(t *testing.T) {
	for _, test := range []struct{ command, printed, want string }{
		{"sleep 60", "<6>\n", `no answer to "sleep 60" on ttyS0: given up; it printed nothing`},
		{"echo a; sleep 60", "a\n", `no answer to "echo a; sleep 60" on ttyS0: given up; last line: "a"`},
	} {
		t.Run(test.command, func(t *testing.T) {
			console := withShell(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				_ = console.Find(limited(t), "output", 0, regexp.MustCompile(regexp.QuoteMeta(test.printed)))
				cancel(errors.New("given up"))
			}()
			if _, err := console.Shell(ctx, test.command); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	console, guest := connected(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := make(chan string, 1)
	go func() {
		buffer := make([]byte, 1024)
		n, _ := guest.Read(buffer)
		guest.Write(buffer[:n])
		cancel(errors.New("given up"))
		n, _ = guest.Read(buffer)
		interrupted <- string(buffer[:n])
	}()
	want := `no answer to "true" on ttyS0: given up; no shell has started it`
	if _, err := console.Shell(ctx, "true"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if typed := <-interrupted; typed != "\x03" {
		t.Errorf("%q was typed after it, want Ctrl-C", typed)
	}
}

func TestLogin(t *testing.T) {
	console, guest := connected(t)
	go func() {
		io.WriteString(guest, "[    1.0] booting\r\ndemo login: ")
		buffer := make([]byte, 1024)
		n, _ := guest.Read(buffer) // the user's name
		io.WriteString(guest, strings.TrimSpace(string(buffer[:n]))+"\r\nroot@demo:~# ")
		guest.Read(buffer) // Shell's first line
		io.WriteString(guest, "<6>\r\n<7:0>\r\nroot@demo:~# ")
	}()
	if err := console.Login(limited(t)); err != nil {
		t.Error(err)
	}
}

func TestExpectReturnsTheLastLine(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "no number: given up; it printed nothing"},
		{"lines", "one\r\ntwo\r\n", `no number: given up; last line: "two"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			console, guest := connected(t)
			io.WriteString(guest, test.text) // returns when it has been read
			ctx, cancel := context.WithCancelCause(t.Context())
			if test.text != "" {
				console.Expect(limited(t), "two", regexp.MustCompile("two"))
			}
			cancel(errors.New("given up"))
			_, err := console.Expect(ctx, "number", regexp.MustCompile("three"))
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestExpectContinuesAfterTheLastMatch(t *testing.T) {
	console, guest := connected(t)
	go func() {
		for _, part := range []string{"wor", "d word", " wo", "rd"} {
			io.WriteString(guest, part)
		}
		guest.Close()
	}()
	for i := range 3 {
		if _, err := console.Expect(limited(t), "word", regexp.MustCompile("word")); err != nil {
			t.Fatalf("match %d: %v", i+1, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("given up"))
	if _, err := console.Expect(ctx, "word", regexp.MustCompile("word")); err == nil {
		t.Error("a fourth word was found")
	}
}
