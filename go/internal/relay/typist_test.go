package relay

import (
	"io"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"microvm-console/internal/descriptor"
	"microvm-console/internal/journal"
)

// Input from a client without a seat reaches the guest once the holder has not typed for
// seatIdle. The holder is notified once, until it types again.
func TestIdleHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := idleRelay(t)
		holder := typist(t, r, TypistInfo{Name: "holder", Seat: TakeSeat})
		fifo := typist(t, r, TypistInfo{Through: "/tmp/test.in"})
		for _, step := range []struct {
			after   time.Duration
			by      *Typist
			types   string
			reaches string
			others  string
		}{
			{0, fifo, "at once", "", ""},
			{seatIdle - 1, fifo, "too early", "", ""},
			{1, fifo, "\x1b[24;80R", "", ""}, // a terminal's answer is not typing
			{0, fifo, "1", "1", "/tmp/test.in"},
			{time.Second, fifo, "2", "2", ""},
			{0, holder, "\x1b[24;80R", "\x1b[24;80R", ""}, // nor does it reset the idle time
			{0, fifo, "3", "3", ""},
			{0, holder, "4", "4", ""},
			{seatIdle - 1, fifo, "too early", "", ""},
			{1, fifo, "5", "5", "/tmp/test.in"},
		} {
			time.Sleep(step.after)
			if n, err := io.WriteString(step.by, step.types); n != len(step.types) || err != nil {
				t.Fatalf("%q: %d bytes, %v", step.types, n, err)
			}
			if got := reached(t, r); got != step.reaches {
				t.Errorf("%q: the guest got %q, want %q", step.types, got, step.reaches)
			}
			others := ""
			select {
			case others = <-holder.Others():
			default:
			}
			if others != step.others {
				t.Errorf("%q: the holder is notified of %q, want %q", step.types, others, step.others)
			}
		}
	})
}

// A client that wants the seat gets it only by force, no matter how long its holder is
// idle.
func TestIdleHolderKeepsTheSeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := idleRelay(t)
		typist(t, r, TypistInfo{Name: "holder", Seat: TakeSeat})
		time.Sleep(time.Hour)
		if _, err := r.Typist(TypistInfo{Name: "second", Seat: TakeSeat}); err == nil {
			t.Error("a second client has the seat")
		}
		forced := typist(t, r, TypistInfo{Name: "third", Seat: ForceSeat})
		fifo := typist(t, r, TypistInfo{Through: "/tmp/test.in"})
		io.WriteString(fifo, "x") // the new holder is not idle yet
		if got := reached(t, r); got != "" {
			t.Errorf("the guest got %q", got)
		}
		time.Sleep(seatIdle)
		io.WriteString(fifo, "y")
		if got := reached(t, r); got != "y" {
			t.Errorf("the guest got %q", got)
		}
		if through := <-forced.Others(); through != "/tmp/test.in" {
			t.Errorf("the holder is notified of %q", through)
		}
	})
}

// idleRelay returns a relay that does not run, so input stays in its FIFO.
func idleRelay(t *testing.T) *Relay {
	t.Helper()
	dir := t.TempDir()
	stream, err := journal.Open(filepath.Join(dir, "journal"), journal.DefaultRetention)
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(Config{Dir: dir, Journal: stream})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Abandon)
	return r
}

func typist(t *testing.T, r *Relay, info TypistInfo) *Typist {
	t.Helper()
	typist, err := r.Typist(info)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(typist.Close)
	return typist
}

// reached returns what the guest would read now.
func reached(t *testing.T, r *Relay) string {
	t.Helper()
	data := make([]byte, inputWhole)
	n, err := r.in.fifo.Read(data[:descriptor.Unread(r.in.fifo)])
	if err != nil {
		t.Fatal(err)
	}
	return string(data[:n])
}
