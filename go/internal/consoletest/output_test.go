package consoletest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"microvm-console/internal/ktap"
	"microvm-console/internal/vmconfig"
)

// keep is how much a console of these tests keeps.
const keep = 1 << 20

// A console keeps the newest output, and positions stay those in all output.
func TestOutput(t *testing.T) {
	var all []byte
	o := output{keep: keep}
	for i := range 60 {
		chunk := bytes.Repeat([]byte{byte('a' + i%26)}, 64<<10)
		all = append(all, chunk...)
		o.add(chunk)
		if !bytes.Equal(o.first, all[:beginning]) || o.end() != len(all) || len(o.text) > 2*keep {
			t.Fatalf("after %d bytes: end %d, %d kept", len(all), o.end(), len(o.text))
		}
		for _, at := range []int{max(0, len(all)-keep), len(all) - 1, len(all)} {
			if !bytes.Equal(o.from(at), all[at:]) {
				t.Fatalf("after %d bytes: %d bytes from %d on", len(all), len(o.from(at)), at)
			}
		}
		if !bytes.HasSuffix(all, o.from(0)) {
			t.Fatalf("after %d bytes: another text", len(all))
		}
	}
}

// flood prints more than a console keeps, between two lines.
func flood(w io.Writer) {
	io.WriteString(w, "TAP version 13\r\n1..1\r\nfirst\r\n")
	for range 4 {
		w.Write(bytes.Repeat([]byte("-"), keep/2))
	}
	io.WriteString(w, "\r\nok 1 a\r\nlast\r\nlogin: ")
}

// A check of a console that has printed more than is kept finds what is kept, and its failure says that
// the rest was not searched.
func TestChecksAfterMuchOutput(t *testing.T) {
	console, guest := connected(t)
	console.output.keep = keep
	at := console.Size()
	flood(guest)
	if _, err := console.Expect(limited(t), "line", regexp.MustCompile("(?m)^last")); err != nil {
		t.Fatal(err)
	}
	if _, err := console.Expect(limited(t), "login", regexp.MustCompile(`\A\r\nlogin: \z`)); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("given up"))
	const note = "(only the last 1 MiB of ttyS0 are searched)"
	for _, check := range []vmconfig.Check{{Expect: "first"}, {KTAP: true}} {
		err := suiteOn(console, false, check).declared()[0].Run(ctx)
		if err == nil || !strings.HasSuffix(err.Error(), note) {
			t.Errorf("%+v: %v, want %s", check, err, note)
		}
	}
	if err := suiteOn(console, false, vmconfig.Check{Expect: "last"}).declared()[0].Run(ctx); err != nil {
		t.Error(err)
	}
	if err := console.Find(ctx, "line", at, regexp.MustCompile("first")); err == nil || !strings.HasSuffix(err.Error(), note) {
		t.Error(err)
	}
}

// settled is a writer whose Write returns once all has been read and processed.
type settled struct{ w io.Writer }

func (s settled) Write(data []byte) (int, error) {
	defer synctest.Wait()
	return s.w.Write(data)
}

// A parser that reads along gets all output, also what is not kept any more.
func TestKTAPInMuchOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		console, guest := connected(t)
		console.output.keep = keep
		var parser ktap.Parser
		done := make(chan error, 1)
		go func() { done <- console.feed(limited(t), &parser) }()
		flood(settled{guest})
		if err := <-done; err != nil || ktap.Count(parser.Close(), ktap.Passed) != 1 {
			t.Error(err)
		}
	})
}

// A command whose output is longer than what is kept fails, and the next one is exact.
func TestLongOutputOfACommand(t *testing.T) { synctest.Test(t, testLongOutputOfACommand) }

func testLongOutputOfACommand(t *testing.T) {
	console, guest := connected(t)
	console.output.keep = keep
	ctx, cancel := context.WithCancelCause(limited(t))
	go func() {
		typed := bufio.NewReader(guest)
		typed.ReadString('\n')
		io.WriteString(guest, "<6>\r\n")
		flood(guest)
		io.WriteString(guest, "<7:0>\r\n# ")
		typed.ReadString('\n')
		io.WriteString(guest, "<12>\r\n42\r\n<14:0>\r\n# ")
		typed.ReadString('\n')
		io.WriteString(guest, "<18>\r\n")
		flood(settled{guest})
		cancel(errors.New("given up"))
		typed.ReadByte() // Ctrl-C
	}()
	if _, err := console.Shell(limited(t), "x"); err == nil || err.Error() != `guest: "x" on ttyS0 printed more than 1 MiB` {
		t.Error(err)
	}
	if output, err := console.Shell(limited(t), "y"); err != nil || output != "42\n" {
		t.Errorf("%q, %v", output, err)
	}
	want := `no answer to "z" on ttyS0: given up; last line: "login:" (only the last 1 MiB of ttyS0 are searched)`
	if _, err := console.Shell(ctx, "z"); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
