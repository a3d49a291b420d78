package process

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// environment are the variables that a program needs which has no business of its own
// with the user: to find its files and to write its messages.
var environment = []string{"PATH", "HOME", "TMPDIR", "LANG", "XDG_RUNTIME_DIR"}

// SmallEnvironment returns those few variables of this process's environment, for a
// Command: what else is there, keys and tokens among it, is not for a program that may
// be taken over by what it runs.
func SmallEnvironment() []string {
	small := []string{} // not nil: that would be the whole environment
	for _, name := range environment {
		if value, ok := os.LookupEnv(name); ok {
			small = append(small, name+"="+value)
		}
	}
	return small
}

// keepDescriptors marks all descriptors of this process but the standard ones as to be
// closed in what it starts (FD_CLOEXEC). Go does so with all that it opens; this is for
// those that this process has inherited.
func keepDescriptors() error {
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("descriptors: %w", err)
	}
	for _, descriptor := range descriptors {
		fd, err := strconv.Atoi(descriptor.Name())
		if err == nil && fd > 2 {
			unix.CloseOnExec(fd) // one that is closed by now needs it no more
		}
	}
	return nil
}
