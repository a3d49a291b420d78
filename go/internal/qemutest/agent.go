package qemutest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"regexp"
)

var agentWord = regexp.MustCompile(`virtserialport,id=([^,]*),chardev=agent0,`)

// agent is the guest's agent: it speaks as much of its protocol as a stop needs.
func (f *fake) agent() {
	for _, chardev := range f.values("-chardev") {
		if !bytes.HasPrefix([]byte(chardev), []byte("socket,id=agent0,")) {
			continue
		}
		conn, err := net.FileConn(inherited(chardev))
		if err != nil {
			panic(err)
		}
		for _, device := range f.values("-device") {
			if port := agentWord.FindStringSubmatch(device); port != nil {
				f.send(fmt.Sprintf(`{"event": "VSERPORT_CHANGE", "data": {"id": %q, "open": true}}`, port[1]))
			}
		}
		f.answer(conn)
	}
}

// answer answers the requests that come on conn.
func (f *fake) answer(conn net.Conn) {
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		var request struct {
			Execute   string
			Arguments struct{ ID int64 }
		}
		if json.Unmarshal(bytes.TrimLeft(lines.Bytes(), "\xff"), &request) != nil {
			continue
		}
		switch request.Execute {
		case "guest-sync-delimited":
			fmt.Fprintf(conn, "\xff{\"return\": %d}\n", request.Arguments.ID)
		case "guest-ping":
			fmt.Fprintln(conn, `{"return": {}}`)
		case "guest-shutdown":
			if f.words["fake.agent"] != "deaf" {
				f.end(true, "guest-shutdown")
			}
		default:
			fmt.Fprintf(conn, "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command %s has not been found\"}}\n", request.Execute)
		}
	}
}
