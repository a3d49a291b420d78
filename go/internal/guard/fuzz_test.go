package guard

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// kernelAddress returns an address in the kernel's format: %08X for each word and %04X
// for the port (net/ipv4/tcp_ipv4.c and net/ipv6/tcp_ipv6.c).
func kernelAddress(address netip.AddrPort) (text string) {
	bytes := address.Addr().AsSlice()
	for at := 0; at < len(bytes); at += 4 {
		text += fmt.Sprintf("%08X", binary.NativeEndian.Uint32(bytes[at:]))
	}
	return text + fmt.Sprintf(":%04X", address.Port())
}

// The owner of a connection's peer is found among any other lines. A connection that is
// not listed, or is listed without an inode, has no owner.
func FuzzLookUp(f *testing.F) {
	f.Add("  sl  local_address rem_address   st\n", []byte("\x7f\x00\x00\x01"), uint16(4440), uint16(52311), uint32(1000), uint32(7))
	f.Add("   0: x 1 2 3 4 5 6 7 8 9\n", []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"), uint16(1), uint16(65535), uint32(0), uint32(0))
	f.Fuzz(func(t *testing.T, others string, ip []byte, port, from uint16, uid, inode uint32) {
		address, ok := netip.AddrFromSlice(ip)
		if !ok || len(others) > 1<<15 { // such a long line is not the kernel's
			return
		}
		format := format6
		if address.Is4() {
			format = format4
		}
		peer, here := netip.AddrPortFrom(address, from), netip.AddrPortFrom(address, port)
		pair := format(peer) + " " + format(here)
		if want := kernelAddress(peer) + " " + kernelAddress(here); pair != want {
			t.Errorf("%v and %v formatted as %q, want %q", peer, here, pair, want)
		}
		if got, err := lookUp(bufio.NewScanner(strings.NewReader(others)), pair); err == nil {
			if !strings.Contains(others, format(peer)) {
				t.Errorf("uid %d in %q", got, others)
			}
			return
		}
		line := fmt.Sprintf("\n   9: %s 01 00000000:00000000 00:00000000 00000000 %5d        0 %d 1 0\n", pair, uid, inode)
		got, err := lookUp(bufio.NewScanner(strings.NewReader(others+line)), pair)
		if (err == nil) != (inode != 0) || err == nil && got != int(uid) {
			t.Errorf("uid %d, %v, want %d with inode %d, after %q", got, err, uid, inode, others)
		}
	})
}
