package process

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// environment lists the variables that a helper program needs to find its files and to
// write its messages.
var environment = []string{"PATH", "HOME", "TMPDIR", "LANG", "XDG_RUNTIME_DIR"}

// SmallEnvironment returns only those variables of this process's environment, for
// Command.Env. Other variables may contain keys and tokens, which must not be passed to a
// program that may be taken over by what it runs.
func SmallEnvironment() []string {
	small := []string{} // not nil, which would mean the whole environment
	for _, name := range environment {
		if value, ok := os.LookupEnv(name); ok {
			small = append(small, name+"="+value)
		}
	}
	return small
}

// closeInherited sets FD_CLOEXEC on all descriptors of this process but the standard
// ones. Go sets it on the files that it opens; this is for descriptors that this process
// has inherited.
func closeInherited() error {
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("descriptors: %w", err)
	}
	for _, descriptor := range descriptors {
		fd, err := strconv.Atoi(descriptor.Name())
		if err == nil && fd > 2 {
			unix.CloseOnExec(fd) // fails only if it is closed already
		}
	}
	return nil
}
