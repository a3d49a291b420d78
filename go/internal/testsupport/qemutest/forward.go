package qemutest

import (
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// forward is a forwarded port of the user network. It is opened, and nothing answers on it.
type forward struct {
	protocol, guest string
	host            string
	socket          io.Closer
}

var forwardWord = regexp.MustCompile(`hostfwd=(tcp|udp):(127\.0\.0\.1:[0-9]+)-:([0-9]+)`)

// forward opens the ports of the user network.
func (f *fake) forward() {
	for _, word := range forwardWord.FindAllStringSubmatch(strings.Join(f.values("-netdev"), "\n"), -1) {
		opened := forward{protocol: word[1], guest: word[3]}
		var address net.Addr
		var err error
		if opened.protocol == "udp" {
			var socket net.PacketConn
			if socket, err = net.ListenPacket("udp", word[2]); err == nil {
				opened.socket, address = socket, socket.LocalAddr()
			}
		} else {
			var listener net.Listener
			if listener, err = net.Listen("tcp", word[2]); err == nil {
				opened.socket, address = listener, listener.Addr()
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "fake:", err)
			unix.Exit(1)
		}
		_, opened.host, _ = net.SplitHostPort(address.String()) // an address of the net package is valid
		f.forwards = append(f.forwards, opened)
	}
}

// usernet returns the answer to the human monitor's "info usernet", as JSON.
func (f *fake) usernet() string {
	text := "Hub -1 (network0):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n"
	for i, opened := range f.forwards {
		text += fmt.Sprintf("  %s[HOST_FORWARD] %3d       127.0.0.1 %5s       10.0.2.15 %5s     0     0\r\n",
			strings.ToUpper(opened.protocol), i, opened.host, opened.guest)
	}
	return strconv.Quote(text)
}
