package qemutest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"

	"microvm-console/internal/guestagent"
	"microvm-console/internal/guestagent/server"
)

var agentWord = regexp.MustCompile(`virtserialport,id=([^,]*),chardev=agent0,`)

// agent runs the guest's agent. Its commands run on this host.
func (f *fake) agent() {
	for _, chardev := range f.values("-chardev") {
		if !strings.HasPrefix(chardev, "socket,id=agent0,") {
			continue
		}
		conn, err := net.FileConn(inherited(chardev))
		if err != nil {
			panic(err)
		}
		f.reportPort(true)
		s := server.New("fake", func(guestagent.ShutdownMode) error {
			if f.words["fake.agent"] != "deaf" {
				f.end(true, "guest-shutdown")
			}
			return nil
		})
		var stream io.ReadWriter = conn
		switch f.words["fake.agent"] {
		case "stock":
			stream = stock{conn}
		case "freezes":
			stream = freezes{conn, f}
		case "hostile":
			stream = hostile{conn}
		case "sizes":
			stream = sizes{conn, f}
		}
		if err := s.Serve(context.Background(), stream); err != nil {
			panic(err)
		}
	}
}

// reportPort sends the event that the guest has opened or closed the agent's port.
func (f *fake) reportPort(open bool) {
	for _, device := range f.values("-device") {
		if port := agentWord.FindStringSubmatch(device); port != nil {
			f.send(fmt.Sprintf(`{"event": "VSERPORT_CHANGE", "data": {"id": %q, "open": %t}}`, port[1], open))
		}
	}
}

// stock is the connection of an agent that does not list the commands of microvm-agent.
type stock struct{ net.Conn }

func (s stock) Write(data []byte) (int, error) {
	_, err := s.Conn.Write(bytes.ReplaceAll(data, []byte(`"microvm-`), []byte(`"absent-`)))
	return len(data), err
}

// sizes is the connection of an agent that prints requested sizes on the first console instead
// of setting them.
type sizes struct {
	net.Conn
	fake *fake
}

func (s sizes) Read(data []byte) (int, error) {
	n, err := s.Conn.Read(data)
	var request struct {
		Execute   string
		Arguments guestagent.ConsoleSizeArgs
	}
	if json.Unmarshal(data[:n], &request) == nil && request.Execute == guestagent.CommandSetConsoleSize {
		fmt.Fprintf(s.fake.first, "%s %dx%d\n", request.Arguments.Device, request.Arguments.Columns, request.Arguments.Rows)
		// A ping has the same answer, and changes no terminal of this host.
		n = copy(data, `{"execute":"guest-ping"}`+"\n")
	}
	return n, err
}

// freezes is the connection of an agent that receives nothing after a break.
type freezes struct {
	net.Conn
	fake *fake
}

func (c freezes) Read(data []byte) (int, error) {
	n, err := c.Conn.Read(data)
	if c.fake.frozen.Load() {
		select {}
	}
	return n, err
}

// hostile is the connection of an agent that refuses a shutdown and commands with an error that
// contains control sequences.
type hostile struct{ net.Conn }

func (h hostile) Read(data []byte) (int, error) {
	n, err := h.Conn.Read(data)
	var request struct{ Execute string }
	if json.Unmarshal(data[:n], &request) != nil {
		return n, err
	}
	switch request.Execute {
	case guestagent.CommandShutdown, guestagent.CommandExec:
		n = copy(data, `{"execute":"\u001b]52;c;ZXZpbA==\u0007\r\nforged\u009b2J\u202e"}`+"\n")
	}
	return n, err
}
