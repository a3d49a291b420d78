package qemutest

import (
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

// dump writes a memory dump to the file in protocol, and returns the answer as JSON.
func (f *fake) dump(protocol string) string {
	path, _ := strings.CutPrefix(protocol, "file:")
	if err := os.WriteFile(path, []byte("\x7fELF\n"), 0o400); err != nil {
		panic(err)
	}
	return "{}"
}
