package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// startConserver starts a conserver with one console, and with idle ones, which are connected to
// a socket without data.
func startConserver(log string) func(s *setup, idle int) error {
	return func(s *setup, idle int) error {
		if log != "" {
			log = filepath.Join(s.dir, filepath.Base(log))
		}
		var config strings.Builder
		fmt.Fprintf(&config, "config * { sslrequired no; logfile %q; unifiedlog \"\"; }\n", filepath.Join(s.dir, "server.log"))
		fmt.Fprintf(&config, "default * { master 127.0.0.1; rw *; logfile %q; }\naccess * { trusted 127.0.0.1; }\n", log)
		fmt.Fprintf(&config, "console serial { type uds; uds %s; }\n", s.channel)
		for i := range idle {
			path := fmt.Sprintf("%s.idle%d", s.channel, i)
			listener, err := net.Listen("unix", path)
			if err != nil {
				return err
			}
			s.idleGuests = append(s.idleGuests, listener)
			fmt.Fprintf(&config, "console idle%d { type uds; uds %s; }\n", i, path)
		}
		path, passwords := filepath.Join(s.dir, "conserver.cf"), filepath.Join(s.dir, "passwords")
		for file, text := range map[string]string{path: config.String(), passwords: "*any*:\n"} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				return err
			}
		}
		port, err := freePort()
		if err != nil {
			return err
		}
		base, err := freePort()
		if err != nil {
			return err
		}
		err = s.run("conserver", "-C", path, "-P", passwords, "-M", "127.0.0.1", "-m", "128",
			"-p", fmt.Sprint(port), "-b", fmt.Sprint(base))
		if err != nil {
			return err
		}
		s.dial = func() (net.Conn, error) { return dialConserver(port) }
		return nil
	}
}

// dialConserver attaches to the console as the program console does: it requests the port of the
// console's process, and requests the whole output there.
func dialConserver(port int) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), startLimit)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	answer, err := converse(conn, "", "ok\r\n", "login bench\r\n", "ok\r\n", "call serial\r\n", "\r\n")
	if err != nil {
		return nil, err
	}
	console, err := net.DialTimeout("tcp", "127.0.0.1:"+strings.TrimSpace(answer), startLimit)
	if err != nil {
		return nil, err
	}
	_, err = converse(console, "", "ok\r\n", "login bench\r\n", "ok\r\n", "call serial\r\n", "]\r\n", "\x05c;", "]\r\n")
	if err != nil {
		console.Close()
		return nil, err
	}
	return console, nil
}

// converse alternately sends a text and waits for an answer that contains the next one. It
// returns the last answer.
func converse(conn net.Conn, turns ...string) (string, error) {
	if err := conn.SetDeadline(time.Now().Add(startLimit)); err != nil {
		return "", err
	}
	var answer strings.Builder
	for i, turn := range turns {
		if i%2 == 0 {
			if _, err := io.WriteString(conn, turn); err != nil {
				return "", err
			}
			continue
		}
		answer.Reset()
		for one := make([]byte, 1); !strings.HasSuffix(answer.String(), turn); answer.Write(one) {
			if _, err := io.ReadFull(conn, one); err != nil {
				return "", fmt.Errorf("conserver: answered %q, want %q: %w", answer.String(), turn, err)
			}
		}
	}
	return answer.String(), conn.SetDeadline(time.Time{})
}
