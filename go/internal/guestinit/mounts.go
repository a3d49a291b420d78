package guestinit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// The directories of the initramfs.
const (
	lower   = "/lower"   // the host's root directory
	scratch = "/scratch" // a tmpfs with what the guest writes
	newRoot = "/newroot" // the overlay of both, and all other mounts
	view    = "/view"    // the overlay alone
)

// mount is a file system of the guest's own. A directory of the host with the same path is
// hidden by it.
type mount struct {
	target, fs string
	flags      uintptr
	options    string
}

// The mounts that every guest has.
var needed = []mount{
	{"/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"/sys", "sysfs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"/dev", "devtmpfs", unix.MS_NOSUID, "mode=0755"},
	{"/dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666"},
	{"/dev/shm", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
	{"/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755"},
}

// The mounts that a guest has if its kernel knows the file system.
var optional = []mount{
	{"/dev/mqueue", "mqueue", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"/sys/fs/bpf", "bpf", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, "mode=0700"},
	{"/sys/fs/cgroup", "cgroup2", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"/sys/kernel/debug", "debugfs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"/sys/kernel/security", "securityfs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"/sys/kernel/tracing", "tracefs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
}

// devLinks are the links in /dev that programs expect.
var devLinks = map[string]string{
	"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
}

// enter mounts everything below newRoot, and makes that the root directory.
func enter(spec Spec) error {
	if err := mountOverlay(spec.Root); err != nil {
		return err
	}
	for _, m := range needed {
		if err := m.mount(); err != nil {
			return err
		}
	}
	for _, m := range optional {
		_ = m.mount() // this kernel does not have it
	}
	for name, target := range devLinks {
		if err := os.Symlink(target, filepath.Join(newRoot, "dev", name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	linkRun()
	for _, dir := range spec.Visible {
		if err := show(dir); err != nil {
			return err
		}
	}
	for _, share := range spec.Shares {
		if err := share.mount(filepath.Join(newRoot, share.Target), 0); err != nil {
			return err
		}
	}
	if spec.RuntimeDir != "" {
		if err := os.MkdirAll(filepath.Join(newRoot, spec.RuntimeDir), 0o700); err != nil {
			return err
		}
	}
	return switchRoot()
}

// mountOverlay mounts the host's root directory, and at newRoot and view an overlay of it that
// can be written to.
func mountOverlay(root Share) error {
	for _, dir := range []string{scratch, newRoot, view} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := root.mount(lower, unix.MS_RDONLY); err != nil {
		return err
	}
	// The guest's memory is the only limit.
	if err := unix.Mount("tmpfs", scratch, "tmpfs", 0, "mode=0755,size=100%,nr_inodes=0"); err != nil {
		return fmt.Errorf("mount a tmpfs: %w (the kernel needs CONFIG_TMPFS)", err)
	}
	upper, work := filepath.Join(scratch, "upper"), filepath.Join(scratch, "work")
	for _, dir := range []string{upper, work} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	options := "lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work
	if err := unix.Mount("overlay", newRoot, "overlay", 0, options); err != nil {
		return fmt.Errorf("mount an overlay: %w (the kernel needs CONFIG_OVERLAY_FS)", err)
	}
	if err := unix.Mount(newRoot, view, "", unix.MS_BIND, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	return nil
}

// mount mounts a share at a path of the initramfs, which it creates.
func (s Share) mount(at string, flags uintptr) error {
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(s.Tag, at, s.FS, flags, s.Options); err != nil {
		return fmt.Errorf("mount the host's %s by %s: %w (the kernel needs its driver, built in or as a module that is installed on the host)",
			path.Join("/", s.Target), s.FS, err)
	}
	return nil
}

func (m mount) mount() error {
	at := filepath.Join(newRoot, m.target)
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(m.fs, at, m.fs, m.flags, m.options); err != nil {
		return fmt.Errorf("mount %s: %w", m.target, err)
	}
	return nil
}

// linkRun copies the links in the host's /run. On NixOS, they lead to the system's programs.
func linkRun() {
	entries, err := os.ReadDir(filepath.Join(view, "run"))
	if err != nil {
		return
	}
	for _, entry := range entries {
		if entry.Type()&fs.ModeSymlink == 0 {
			continue
		}
		if target, err := os.Readlink(filepath.Join(view, "run", entry.Name())); err == nil {
			_ = os.Symlink(target, filepath.Join(newRoot, "run", entry.Name()))
		}
	}
}

// show makes a directory of the host visible that a mount of the guest's own hides.
func show(dir string) error {
	if !hidden(dir) {
		return nil
	}
	source, target := filepath.Join(view, dir), filepath.Join(newRoot, dir)
	if info, err := os.Stat(source); err != nil || !info.IsDir() {
		return nil //nolint:nilerr // the host has no such directory
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("show the host's %s: %w", dir, err)
	}
	return nil
}

// hidden reports whether a path of the host is below a mount of the guest's own.
func hidden(dir string) bool {
	for _, m := range needed {
		if dir == m.target || strings.HasPrefix(dir, m.target+"/") {
			return true
		}
	}
	return false
}

// switchRoot makes newRoot the root directory of all processes, as switch_root(8) does.
func switchRoot() error {
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return os.NewSyscallError("chroot", err)
	}
	return os.Chdir("/")
}
