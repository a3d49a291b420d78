package qemutest

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
)

// keeps reports whether the arguments keep a guest that restarts, powers off or panics paused.
func (f *fake) keeps() bool {
	return slices.Contains(f.values("-action"), "panic=pause,reboot=shutdown,shutdown=pause")
}

// keep reports a restart or a power-off of the guest, and pauses it as keeps says.
func (f *fake) keep(reason string) {
	f.status = "shutdown"
	f.send(fmt.Sprintf(`{"event": "SHUTDOWN", "data": {"guest": true, "reason": %q}}`, reason) + "\n" + `{"event": "STOP"}`)
}

// crashAnswer returns the answer to a command that a crash bundle needs, as JSON, and for any other
// command the run state. protocol is that of a memory dump.
func (f *fake) crashAnswer(command, protocol string) string {
	switch command {
	case "human-monitor-command": // "info registers -a"
		return `"\r\nCPU#0\r\nRIP=ffffffff81000000\r\n"`
	case "query-version":
		return `{"qemu": {"major": 9, "minor": 8, "micro": 7}}`
	case "dump-guest-memory":
		return f.dump(protocol)
	case "query-dump":
		return fmt.Sprintf(`{"status": %q, "completed": 5, "total": 5}`, cmp.Or(f.words["fake.dump"], "completed"))
	}
	return fmt.Sprintf(`{"status": %q}`, f.status)
}

// dump writes a memory dump to the file in protocol, and returns the answer as JSON.
func (f *fake) dump(protocol string) string {
	path, _ := strings.CutPrefix(protocol, "file:")
	if err := os.WriteFile(path, []byte("\x7fELF\n"), 0o400); err != nil {
		panic(err)
	}
	return "{}"
}
