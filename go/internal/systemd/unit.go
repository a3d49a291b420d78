package systemd

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
)

// Marker is the line by which a unit file of ours is known: what has it may be
// replaced and removed.
const Marker = "# Made by qemu-relay units; a change here is lost with its next run."

// Unit is the user service of one channel's relay.
type Unit struct {
	// Channel is the channel's name.
	Channel string
	// Program is the absolute path of qemu-relay.
	Program string
	// Config is the absolute path of the settings file; "" lets the relay
	// look for one when it starts.
	Config string
}

// Name is the unit's name, and that of its file.
func (u Unit) Name() string { return "qemu-" + u.Channel + "-relay.service" }

// Validate tells whether systemd can run the program: it looks for an absolute
// path and refuses some characters in it, whatever their quoting.
func (u Unit) Validate() error {
	if !filepath.IsAbs(u.Program) {
		return fmt.Errorf("program: %q is no absolute path", u.Program)
	}
	if strings.ContainsFunc(u.Program, func(r rune) bool {
		return strings.ContainsRune(`'"\`, r) || unicode.IsControl(r)
	}) {
		return fmt.Errorf("program: %q has characters that systemd does not take (quotes, backslashes, control characters)", u.Program)
	}
	return nil
}

// Text is the unit file. It has no option that would need a user namespace:
// in one the relay would have another /tmp, and could not tell which process
// has opened a FIFO.
func (u Unit) Text() string {
	command := []string{u.Program, "serve"}
	if u.Config != "" {
		command = append(command, "--config", u.Config)
	}
	return fmt.Sprintf(unitText, Marker, u.Channel, commandLine(append(command, u.Channel)))
}

// Status 2 is a wrong configuration, which another start does not mend; without
// GOTRACEBACK=crash a panic of Go's would give the same status. LimitCORE=0, as a core
// would hold what was typed. MemoryMax and TasksMax are far above what a relay of many
// clients takes (about 12 kB each, and a thread for each that waits for a disk). The link
// to a terminal is in RuntimeDirectory=, which is removed when a relay was killed, too.
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

// commandLine writes words so that systemd reads them as they are; see
// "COMMAND LINES" in systemd.service(5).
func commandLine(words []string) string {
	var line []string
	for _, word := range words {
		line = append(line, quoted(word))
	}
	text := strings.Join(line, " ")
	if strings.Contains(text, "$") {
		return ":" + text // no variables in this line
	}
	return text
}

// quoted is a word of a unit file: specifiers undone, quoted where need be.
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
