package loopback

import (
	"fmt"
	"strings"
	"testing"
)

// The listener on a port is found among any other lines, and is not found if the table
// does not have it.
func FuzzListenerInode(f *testing.F) {
	f.Add("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n", uint16(4440), uint32(2468))
	f.Add("   0: 0100007F:1158 00000000:0000 01 00000000:00000000 00:00000000 00000000  1000        0 7 1 0\n", uint16(4440), uint32(1))
	f.Fuzz(func(t *testing.T, others string, port uint16, inode uint32) {
		suffix := fmt.Sprintf(":%04X", port)
		if len(others) > 1<<15 { // such a long line is not the kernel's
			return
		}
		if got := listenerInode(strings.NewReader(others), waiting["tcp"], int(port)); got != "" {
			if !strings.Contains(others, suffix) || !strings.Contains(others, got) {
				t.Errorf("found %q in %q", got, others)
			}
			return
		}
		line := fmt.Sprintf("\n   9: 0100007F%s 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 %d 1 0\n", suffix, inode)
		if got := listenerInode(strings.NewReader(others+line), waiting["tcp"], int(port)); got != fmt.Sprint(inode) {
			t.Errorf("found %q, want %d, in %q", got, inode, others)
		}
	})
}
