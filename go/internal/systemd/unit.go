package systemd

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
)

// Marker is the first line of the unit files that Install writes. A file with this line may
// be replaced and removed.
const Marker = "# Made by qemu-relay units; a change here is lost with its next run."

// Unit is the user service of the relay of one channel.
type Unit struct {
	// Channel is the channel's name.
	Channel string
	// Program is the absolute path of qemu-relay.
	Program string
	// Config is the absolute path of the settings file. If it is "", the relay searches
	// for one when it starts.
	Config string
}

// Name returns the name of the unit and of its file.
func (u Unit) Name() string { return "qemu-" + u.Channel + "-relay.service" }

// Validate returns an error if systemd would refuse the program: its path is not absolute,
// or has characters that systemd refuses even if they are quoted.
func (u Unit) Validate() error {
	if !filepath.IsAbs(u.Program) {
		return fmt.Errorf("program: %q is not an absolute path", u.Program)
	}
	if strings.ContainsFunc(u.Program, func(r rune) bool {
		return strings.ContainsRune(`'"\`, r) || unicode.IsControl(r)
	}) {
		return fmt.Errorf("program: %q has characters that systemd refuses (quotes, backslashes, control characters)", u.Program)
	}
	return nil
}

// Text returns the unit file. It has no option that needs a user namespace: with one the
// relay could not see which process has opened a FIFO, and might have another /tmp.
func (u Unit) Text() string {
	command := []string{u.Program, "serve"}
	if u.Config != "" {
		command = append(command, "--config", u.Config)
	}
	return fmt.Sprintf(unitText, Marker, u.Channel, commandLine(append(command, u.Channel)))
}

// Status 2 is a wrong configuration, which a restart does not repair. Without
// GOTRACEBACK=crash a Go panic would give the same status. LimitCORE=0 because a core dump
// would contain what was typed. MemoryMax and TasksMax are far above the needs of a relay
// with many clients (about 12 kB for each, and a thread for each one that waits for a disk).
// The link to the pseudoterminal is in RuntimeDirectory=, which systemd removes even after
// the relay was killed.
const unitText = `%[1]s
[Unit]
Description=Relay of QEMU's %[2]s channel
Documentation=man:qemu-relay(1)
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=%[3]s
Environment=GOTRACEBACK=crash
Restart=always
RestartSec=200ms
RestartPreventExitStatus=2
WatchdogSec=30s
FileDescriptorStoreMax=16
RuntimeDirectory=qemu-%[2]s-relay
RuntimeDirectoryMode=0700
LimitCORE=0
MemoryMax=1G
TasksMax=1024
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=default.target
`

// commandLine returns the line that systemd reads as words; see "COMMAND LINES" in
// systemd.service(5).
func commandLine(words []string) string {
	var line []string
	for _, word := range words {
		line = append(line, quoted(word))
	}
	text := strings.Join(line, " ")
	if strings.Contains(text, "$") {
		return ":" + text // disables the expansion of variables
	}
	return text
}

// quoted returns a word for a unit file, with specifiers escaped, in quotes if needed.
func quoted(word string) string {
	word = strings.ReplaceAll(word, "%", "%%")
	plain := func(r rune) bool {
		return r > unicode.MaxASCII || unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/._-+%@:,=$", r)
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	var text strings.Builder
	text.WriteByte('"')
	for _, char := range []byte(word) {
		switch {
		case char == '"' || char == '\\':
			text.WriteByte('\\')
			text.WriteByte(char)
		case char < ' ' || char == 0x7f:
			fmt.Fprintf(&text, `\x%02x`, char)
		default:
			text.WriteByte(char)
		}
	}
	text.WriteByte('"')
	return text.String()
}
