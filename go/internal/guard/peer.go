package guard

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// errUnknownPeer is returned if the kernel does not list the peer of a connection with
// its owner.
var errUnknownPeer = errors.New("guard: the owner of the peer is unknown")

// PeerGone reports whether no process of this host holds the other end of a connection.
// It returns false if that cannot be determined. Because the kernel's table may change
// while it is read, a single result of true is not reliable.
func PeerGone(conn net.Conn) bool {
	_, err := peerUID(conn)
	return errors.Is(err, errUnknownPeer)
}

// peerUID returns the user ID of the process of this host that holds the other end of a
// connection, from /proc/net/tcp (proc_net_tcp in the kernel's documentation).
//
// A peer that has gone is not listed, or is listed with uid 0 and inode 0 while its bytes
// can still be read. In both cases peerUID returns errUnknownPeer.
func peerUID(conn net.Conn) (int, error) {
	peer, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return 0, err
	}
	here, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return 0, err
	}
	unknown := errors.New("guard: the kernel's table of sockets cannot be read")
	for table, format := range map[string]func(netip.AddrPort) string{
		"/proc/net/tcp":  format4,
		"/proc/net/tcp6": format6,
	} {
		pair := format(peer) + " " + format(here)
		file, err := os.Open(table)
		if err != nil {
			continue // a kernel without IPv6
		}
		unknown = errUnknownPeer
		uid, err := lookUp(bufio.NewScanner(file), pair)
		file.Close()
		if err == nil {
			return uid, nil
		}
	}
	return 0, unknown
}

// lookUp returns the uid of the socket whose local and remote addresses are pair.
func lookUp(lines *bufio.Scanner, pair string) (int, error) {
	for lines.Scan() {
		// sl, local_address, rem_address, st, queues, timer, retransmits, uid, timeout, inode
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[1]+" "+fields[2] != pair || fields[9] == "0" {
			continue
		}
		return strconv.Atoi(fields[7])
	}
	return 0, errUnknownPeer
}

// format4 returns an IPv4 address in the format of /proc/net/tcp, in host byte order, or
// "" for an IPv6 address.
func format4(address netip.AddrPort) string {
	ip := address.Addr().Unmap()
	if !ip.Is4() {
		return ""
	}
	bytes := ip.As4()
	return words(bytes[:]) + fmt.Sprintf(":%04X", address.Port())
}

// format6 returns an address in the format of /proc/net/tcp6. It includes IPv4 addresses,
// because a client may connect to one through an IPv6 socket.
func format6(address netip.AddrPort) string {
	bytes := address.Addr().As16()
	return words(bytes[:]) + fmt.Sprintf(":%04X", address.Port())
}

// words formats each group of four bytes as a little-endian number.
func words(address []byte) string {
	var text strings.Builder
	for ; len(address) > 0; address = address[4:] {
		word := []byte{address[3], address[2], address[1], address[0]}
		text.WriteString(strings.ToUpper(hex.EncodeToString(word)))
	}
	return text.String()
}
