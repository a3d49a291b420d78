package server

import (
	"bufio"
	"context"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// osInfoReply is the answer to guest-get-osinfo. Any field may be empty.
type osInfoReply struct {
	ID            string `json:"id,omitempty"`          // see os-release(5): "debian"
	Name          string `json:"name,omitempty"`        // "Debian GNU/Linux"
	PrettyName    string `json:"pretty-name,omitempty"` // "Debian GNU/Linux 12 (bookworm)"
	Version       string `json:"version,omitempty"`     // "12 (bookworm)"
	VersionID     string `json:"version-id,omitempty"`  // "12"
	KernelRelease string `json:"kernel-release,omitempty"`
	KernelVersion string `json:"kernel-version,omitempty"`
	Machine       string `json:"machine,omitempty"` // see uname(2): "x86_64"
}

// osInfo returns the values of uname(2) and of os-release(5), which a guest may lack.
func (s *Server) osInfo(context.Context, none) (any, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, err
	}
	release := osRelease("/etc/os-release", "/usr/lib/os-release")
	return osInfoReply{
		ID:            release["ID"],
		Name:          release["NAME"],
		PrettyName:    release["PRETTY_NAME"],
		Version:       release["VERSION"],
		VersionID:     release["VERSION_ID"],
		KernelRelease: unix.ByteSliceToString(name.Release[:]),
		KernelVersion: unix.ByteSliceToString(name.Version[:]),
		Machine:       unix.ByteSliceToString(name.Machine[:]),
	}, nil
}

// osRelease returns the assignments in the first of files that exists.
func osRelease(files ...string) map[string]string {
	for _, path := range files {
		file, err := os.Open(path)
		if err != nil {
			continue
		}
		defer file.Close()
		return assignments(bufio.NewScanner(file))
	}
	return nil
}

// assignments parses lines NAME=value. The value may be quoted as in a shell.
func assignments(lines *bufio.Scanner) map[string]string {
	values := map[string]string{}
	for lines.Scan() {
		name, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if ok && !strings.HasPrefix(name, "#") {
			values[name] = unquoted(value)
		}
	}
	return values
}

// unquoted returns a value without its quotes, as far as os-release(5) defines them.
func unquoted(value string) string {
	if len(value) >= 2 && strings.ContainsAny(value[:1], `"'`) && value[0] == value[len(value)-1] {
		value = value[1 : len(value)-1]
	}
	return strings.NewReplacer(`\"`, `"`, `\$`, `$`, "\\`", "`", `\\`, `\`).Replace(value)
}
