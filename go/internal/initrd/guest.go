package initrd

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

// guestFiles are the guest's own files, by their path in the guest. One that
// starts with #! is a program.
//
//go:embed guest
var guestFiles embed.FS

// guestFolders exist from the start: mount points, what busybox --install
// fills, and where programs expect to write.
var guestFolders = []Entry{
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

// addGuest adds the files that every image has, and those made from names in
// the image.
func (t tree) addGuest(img Image) error {
	entries, err := embedded()
	if err != nil {
		return err
	}
	entries = append(entries, guestFolders...)
	entries = append(entries,
		Entry{Path: "etc/hostname", Mode: 0o644, Data: []byte(img.Hostname + "\n")},
		Entry{Path: "etc/inittab", Mode: 0o644, Data: inittab(img)},
		Entry{Path: "var/run", Mode: fs.ModeSymlink | 0o777, Data: []byte("../run")},
	)
	if img.Start != "" {
		entries = append(entries, Entry{Path: "etc/start", Mode: 0o755, Data: []byte("#!/bin/busybox sh\n" + img.Start + "\n")})
	}
	for _, e := range entries {
		if err := t.put(e); err != nil {
			return err
		}
	}
	return nil
}

// embedded returns the guest's own files.
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

// inittab returns busybox init's table. Its first column is the terminal on
// which init opens a program's standard streams and which it resets to sane
// settings each time: "null" keeps a program that is started again and again
// from resetting the terminal of somebody who works on the console. syslogd is
// there because login, where nobody takes its notes, writes them to /dev/console.
func inittab(img Image) []byte {
	var b bytes.Buffer
	b.WriteString("::sysinit:/etc/rc\n")
	if img.Start != "" {
		b.WriteString("null::once:/etc/run-start\n")
	}
	for _, tty := range img.Gettys {
		fmt.Fprintf(&b, "null::respawn:/etc/login-on %s\n", tty)
	}
	b.WriteString("null::respawn:/bin/busybox syslogd -n\n")
	b.WriteString("null::respawn:/etc/power-button\n")
	if img.Agent != "" {
		b.WriteString("null::respawn:/" + agentPath + "\n") // the last to start: nobody waits for it
	}
	b.WriteString("::ctrlaltdel:/bin/busybox reboot\n")
	b.WriteString("::shutdown:/etc/end\n")
	return b.Bytes()
}
