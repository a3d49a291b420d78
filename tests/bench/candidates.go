package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// limit is the name of the reference: the guest without a program in between.
const limit = "limit"

// The names of our candidates.
const (
	oursUnix = "qemu-relay, Unix socket"
	oursTCP  = "qemu-relay, TCP"
	oldUnix  = "qemu-relay of --before, Unix socket"
)

// candidates has all candidates, in the order of the tables.
var candidates = []candidate{
	{name: limit, command: "a FIFO for each client, written by the guest itself", plug: "fifo"},
	{name: oursUnix, command: "qemu-relay serve, journal on disk, 256 MiB kept", plug: "fifo", ours: true, start: startOurs("unix")},
	{name: oursTCP, command: "qemu-relay serve, journal on disk, 256 MiB kept", plug: "fifo", ours: true, start: startOurs("tcp")},
	{name: oldUnix, command: "the same, of an older build", plug: "fifo", ours: true, before: true, start: startOurs("unix")},
	{name: "socat, FIFO pair", command: "socat -u -b 65536 PIPE:vm.out PIPE:pub.out, and back for .in", program: "socat", plug: "fifo", clients: 1, start: startSocatPair},
	{name: "socat, Unix socket", command: "socat -b 65536 UNIX-LISTEN:sock,fork OPEN:vm.out!!OPEN:vm.in", program: "socat", plug: "fifo", clients: 1, start: startSocatSocket},
	{name: "ser2net", command: "tcp and unix with readbuf=65536, chardelay off, max-connections", program: "ser2net", plug: "unix", start: startSer2net},
	{name: "conserver, no log", command: "console of type uds", program: "conserver", plug: "unix", start: startConserver("")},
	{name: "conserver, log", command: "console of type uds, with a logfile", program: "conserver", plug: "unix", start: startConserver("log.serial")},
}

// startOurs starts qemu-relay; network is the network of the clients.
func startOurs(network string) func(s *setup, idle int) error {
	return func(s *setup, idle int) error {
		port, err := freePort()
		if err != nil {
			return err
		}
		channels := map[string]any{"serial": map[string]any{"tcp": port}}
		names := []string{"serial"}
		for i := range idle {
			names = append(names, fmt.Sprintf("idle%d", i))
			channels[names[i+1]] = map[string]any{}
		}
		// More than the default, so that the bytes of a client that lags on a busy machine
		// are kept. Less than the stream, because fresh memory costs the kernel more time
		// than everything that is measured.
		settings, err := json.Marshal(map[string]any{"directory": s.dir, "retentionMiB": 256, "channels": channels})
		if err != nil {
			return err
		}
		path := filepath.Join(s.dir, "settings.json")
		if err := os.WriteFile(path, settings, 0o600); err != nil {
			return err
		}
		os.Remove(s.channel + ".in") // qemu-relay creates its own FIFOs
		os.Remove(s.channel + ".out")
		s.channel = filepath.Join(s.dir, "qemu-relay", "serial", "vm")
		serve := exec.Command(s.relay, append([]string{"serve", "--config", path}, names...)...)
		serve.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+s.dir, "XDG_STATE_HOME="+filepath.Join(s.dir, "state"))
		if err := s.launch(serve); err != nil {
			return err
		}
		s.dial = dialer("unix", filepath.Join(s.dir, "qemu-serial.sock"))
		if network == "tcp" {
			s.dial = dialer("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		}
		return s.await(filepath.Join(s.dir, "qemu-relay", "serial", "ctl")) // qemu-relay creates it last
	}
}

func startSocatPair(s *setup, idle int) error {
	s.public = filepath.Join(s.dir, "pub")
	for i := range idle + 1 {
		channel, err := s.another(i)
		if err != nil {
			return err
		}
		public := channel + "pub"
		if i == 0 {
			public = s.public
		}
		err = errors.Join(unix.Mkfifo(public+".out", 0o600), unix.Mkfifo(public+".in", 0o600),
			s.run("socat", "-u", "-b", "65536", "PIPE:"+channel+".out", "PIPE:"+public+".out"),
			s.run("socat", "-u", "-b", "65536", "PIPE:"+public+".in", "PIPE:"+channel+".in"))
		if err != nil {
			return err
		}
	}
	return nil
}

func startSocatSocket(s *setup, idle int) error {
	for i := range idle + 1 {
		channel, err := s.another(i)
		if err != nil {
			return err
		}
		err = s.run("socat", "-b", "65536", "UNIX-LISTEN:"+channel+".sock,fork,backlog=128",
			"OPEN:"+channel+".out,rdonly!!OPEN:"+channel+".in,wronly")
		if err != nil {
			return err
		}
	}
	s.dial = dialer("unix", s.channel+".sock")
	return nil
}

// another returns the path of channel number i; 0 is the guest's.
func (s *setup) another(i int) (string, error) {
	if i == 0 {
		return s.channel, nil
	}
	channel := fmt.Sprintf("%s-%d", s.channel, i)
	return channel, errors.Join(unix.Mkfifo(channel+".out", 0o600), unix.Mkfifo(channel+".in", 0o600))
}

func startSer2net(s *setup, idle int) error {
	const connection = `connection: &c%d
  accepter: tcp(readbuf=65536,nodelay),localhost,%d
  connector: unix(readbuf=65536),%s
  options:
    max-connections: 128
    dev-to-net-bufsize: 65536
    chardelay: false
`
	var config strings.Builder
	for i := range idle + 1 {
		port, err := freePort()
		if err != nil {
			return err
		}
		if i == 0 {
			s.dial = dialer("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		}
		fmt.Fprintf(&config, connection, i, port, s.channel)
	}
	path := filepath.Join(s.dir, "ser2net.yaml")
	if err := os.WriteFile(path, []byte(config.String()), 0o600); err != nil {
		return err
	}
	return s.run("ser2net", "-n", "-c", path)
}

// dialer returns a function that connects to an address.
func dialer(network, address string) func() (net.Conn, error) {
	return func() (net.Conn, error) { return net.DialTimeout(network, address, startLimit) }
}

// freePort returns a free port on localhost.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
