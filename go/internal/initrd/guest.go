package initrd

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

// guestFiles are the files that every image has, by their paths in the guest. Files that begin with
// #! are executable.
//
//go:embed guest
var guestFiles embed.FS

// guestDirs are the directories that every image has: mount points, the directories that busybox
// --install fills, and those in which programs expect to write.
var guestDirs = []Entry{
	{Path: "bin", Mode: fs.ModeDir | 0o755},
	{Path: "dev", Mode: fs.ModeDir | 0o755},
	{Path: "proc", Mode: fs.ModeDir | 0o555},
	{Path: "root", Mode: fs.ModeDir | 0o700},
	{Path: "run", Mode: fs.ModeDir | 0o755},
	{Path: "sbin", Mode: fs.ModeDir | 0o755},
	{Path: "sys", Mode: fs.ModeDir | 0o555},
	{Path: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
	{Path: "usr/bin", Mode: fs.ModeDir | 0o755},
	{Path: "usr/sbin", Mode: fs.ModeDir | 0o755},
	{Path: "var/log", Mode: fs.ModeDir | 0o755},
}

// addGuest adds the files that every image has, and those that depend on names in the image.
func (t tree) addGuest(img Image) error {
	entries, err := embedded()
	if err != nil {
		return err
	}
	entries = append(entries, guestDirs...)
	entries = append(entries,
		Entry{Path: "etc/hostname", Mode: 0o644, Data: []byte(img.Hostname + "\n")},
		Entry{Path: "etc/inittab", Mode: 0o644, Data: inittab(img)},
		Entry{Path: "var/run", Mode: fs.ModeSymlink | 0o777, Data: []byte("../run")},
	)
	if img.Start != "" {
		entries = append(entries, Entry{Path: "etc/start", Mode: 0o755, Data: []byte("#!/bin/busybox sh\n" + img.Start + "\n")})
	}
	for _, e := range append(entries, services(img)...) {
		if err := t.put(e); err != nil {
			return err
		}
	}
	return nil
}

// embedded returns the entries of guestFiles.
func embedded() ([]Entry, error) {
	var entries []Entry
	err := fs.WalkDir(guestFiles, "guest", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := guestFiles.ReadFile(name)
		e := Entry{Path: strings.TrimPrefix(name, "guest/"), Mode: 0o644, Data: data}
		if bytes.HasPrefix(data, []byte("#!")) {
			e.Mode = 0o755
		}
		entries = append(entries, e)
		return err
	})
	return entries, err
}

// inittab returns the table of busybox init. Its first column is the terminal on which init opens a
// program's standard streams. Init resets the terminal's settings each time; "null" prevents a
// program that is restarted from resetting the terminal of a user on the console. syslogd runs
// because login would otherwise write its messages to /dev/console.
func inittab(img Image) []byte {
	var b bytes.Buffer
	b.WriteString("::sysinit:/etc/rc\n")
	if img.Start != "" {
		b.WriteString("null::once:/etc/run-start\n")
	}
	for _, service := range img.Services {
		fmt.Fprintf(&b, "null::respawn:/etc/service %s\n", service.Name)
	}
	for _, tty := range img.Gettys {
		fmt.Fprintf(&b, "null::respawn:/etc/login-on %s\n", tty)
	}
	b.WriteString("null::respawn:/bin/busybox syslogd -n\n")
	b.WriteString("null::respawn:/etc/power-button\n")
	if img.Agent != "" {
		b.WriteString("null::respawn:/" + agentPath + "\n") // last, since nothing depends on it
	}
	b.WriteString("::ctrlaltdel:/bin/busybox reboot\n")
	b.WriteString("::shutdown:/etc/end\n")
	return b.Bytes()
}
