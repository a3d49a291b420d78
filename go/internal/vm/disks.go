package vm

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"microvm-console/internal/diskfile"
	"microvm-console/internal/openers"
	"microvm-console/internal/rundir"
	"microvm-console/internal/vmconfig"
)

// disks are the disks of a VM.
type disks struct {
	all     []vmconfig.Disk
	image   string // the path of the VM's image; "" if it has none
	dir     rundir.Machine
	scratch string // see Options.ScratchDir
}

func newDisks(m vmconfig.Machine, scratch string) *disks {
	d := &disks{all: m.Disks, dir: rundir.Of(m.Name), scratch: scratch}
	if m.Image != nil {
		d.image = m.Image.Path
	}
	return d
}

// OwnDisks returns a function that returns the path of the file of each of the machine's own disks.
// The files may not exist yet.
func OwnDisks(m vmconfig.Machine) (func(vmconfig.Disk) string, error) {
	return newDisks(m, "").files()
}

// files is OwnDisks.
func (d *disks) files() (func(vmconfig.Disk) string, error) {
	paths := map[string]string{}
	for _, disk := range d.all {
		if disk.Path != "" {
			continue
		}
		path, err := filepath.Join(d.scratch, rundir.DiskFile(disk.Name)), error(nil)
		if d.scratch == "" {
			path, err = d.dir.Disk(disk.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("disk %q: %w", disk.Name, err)
		}
		paths[disk.Name] = path
	}
	return func(disk vmconfig.Disk) string { return paths[disk.Name] }, nil
}

// prepare makes those of the VM's own disks that do not exist. It logs each file that is kept.
func (d *disks) prepare(ctx context.Context, log func(line string)) (func(vmconfig.Disk) string, error) {
	file, err := d.files()
	if err != nil {
		return nil, err
	}
	for _, disk := range d.all {
		if disk.Path != "" {
			continue
		}
		made, err := diskfile.File{Path: file(disk), SizeMiB: disk.SizeMiB, FS: disk.FS}.Prepare(ctx)
		if err != nil {
			return nil, fmt.Errorf("disk %q: %w", disk.Name, err)
		}
		if made && d.scratch == "" {
			log(fmt.Sprintf("disk %s: made %s", disk.Name, file(disk)))
		}
	}
	return file, nil
}

// removeScratch removes the files in the scratch directory.
func (d *disks) removeScratch() {
	for _, disk := range d.all {
		if d.scratch != "" && disk.Path == "" {
			_ = os.Remove(filepath.Join(d.scratch, rundir.DiskFile(disk.Name))) // it may not exist
		}
	}
}

// inUse returns ": " and which process uses the image or a disk with a path, for the error of a QEMU
// that has not started; "" if none is in use. QEMU locks its disks.
func (d *disks) inUse() string {
	if user := userOf(d.image); user != "" {
		return fmt.Sprintf(": image: %s is in use by %s (end that process, or copy the file)", d.image, user)
	}
	for _, disk := range d.all {
		if user := userOf(disk.Path); user != "" {
			return fmt.Sprintf(": disk %q: %s is in use by %s (end that process; VMs share only disks that all of them read)",
				disk.Name, disk.Path, user)
		}
	}
	return ""
}

// userOf returns another process that has a file open; "" if there is none or path is "".
func userOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	for _, opener := range openers.Of(info) {
		if opener.PID == os.Getpid() {
			continue
		}
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", opener.PID)) // the process may have ended
		return fmt.Sprintf("pid %d, %q", opener.PID, bytes.TrimSpace(comm))
	}
	return ""
}
