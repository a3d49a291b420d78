package guestinit

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// loadModules loads kernel modules, whose files it removes. A module that cannot be loaded is
// only reported: what needs it fails later.
func loadModules(files []string) {
	for _, file := range files {
		if err := loadModule(file); err != nil {
			fmt.Fprintf(os.Stderr, "microvm-agent: module %s: %v\n", file, err)
		}
	}
}

func loadModule(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.FinitModule(int(file.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return os.Remove(name) // frees its memory
}

// setUp sets what programs inherit: the environment, the host name, the loopback interface, and
// the working directory.
func setUp(spec Spec) error {
	os.Clearenv()
	for _, variable := range spec.Env {
		name, value, _ := strings.Cut(string(variable), "=")
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("environment variable %q: %w", name, err)
		}
	}
	if err := unix.Sethostname([]byte(spec.Hostname)); err != nil {
		return os.NewSyscallError("sethostname", err)
	}
	_ = loopbackUp() // a kernel may have no network
	if err := os.Chdir(spec.Dir); err != nil {
		return fmt.Errorf("working directory: %w", err)
	}
	return nil
}

// loopbackUp enables the loopback interface; see netdevice(7).
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}
