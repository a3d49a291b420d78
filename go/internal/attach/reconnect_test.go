package attach

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Across a break the output is what the guest printed: missing 0, repeated 0.
func TestReconnect(t *testing.T) {
	for _, row := range []struct {
		name string
		cut  func(*testing.T, *owner) *owner
		log  string
	}{
		{"the connection breaks", func(_ *testing.T, o *owner) *owner { o.breakOff(); return o },
			"connect-serial: connection to demo lost\nconnect-serial: connected again\n"},
		{"a new owner", func(t *testing.T, o *owner) *owner { o.stop(); return own(t, o.guest) },
			"connect-serial: connection to demo lost\nconnect-serial: connected again\n"},
		{"bytes are dropped meanwhile", func(_ *testing.T, o *owner) *owner {
			o.guest.change(func() { o.gap = 5 })
			o.breakOff()
			return o
		},
			"connect-serial: 5 bytes are missing here\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			guest, owner := machine(t, "")
			p := startPipe(t, Options{})
			want := strings.Repeat("0123456789\n", 20000)
			for i := range 3 {
				guest.print(want[i*len(want)/3 : (i+1)*len(want)/3])
				p.await(fmt.Sprintf("part %d", i), func() bool { return len(p.out.text) >= i*len(want)/3+1 })
				if i == 1 {
					owner = row.cut(t, owner)
				}
			}
			guest.end()
			if err := result(t, p.ended); err != nil {
				t.Error(err)
			}
			if got := p.output(); got != want {
				t.Errorf("%d bytes came, want %d: %s", len(got), len(want), cmp.Diff(want, got))
			}
			if diff := cmp.Diff(row.log, p.log.String()); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

// If the journal was removed, the output continues with the new one from its start.
func TestReconnectFreshJournal(t *testing.T) {
	guest, owner := machine(t, "the old journal\n")
	p := startPipe(t, Options{})
	p.await("the old journal", func() bool { return len(p.out.text) > 0 })
	owner.stop()
	guest.change(func() { guest.text, guest.ended = []byte("new\n"), true })
	own(t, guest)
	if err := result(t, p.ended); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff("the old journal\nnew\n", p.output()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
