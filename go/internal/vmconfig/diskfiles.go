package vmconfig

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/strictjson"
)

// CheckDisks checks the files of disks with a path. It returns a *multierror.Error with a mistake
// for each one that is missing, cannot be opened, or has another format. Unlike CheckFiles, it is
// for the host that starts the machine only.
func (m Machine) CheckDisks() error {
	var errs *multierror.Error
	for i, disk := range m.Disks {
		if disk.Path == "" {
			continue
		}
		if err := disk.checkFile(); err != nil {
			field := fmt.Sprintf("disks[%d].path", i)
			if _, ok := errors.AsType[*formatError](err); ok {
				field = fmt.Sprintf("disks[%d].format", i)
			}
			errs = multierror.Append(errs, strictjson.Mistakef(field, "%w", err))
		}
	}
	return errs.ErrorOrNil()
}

// checkFile checks the file or block device at d.Path.
func (d Disk) checkFile() error {
	info, err := os.Stat(d.Path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w (create the file, or set sizeMiB instead of path for a new disk)", err)
	}
	if err != nil {
		return err
	}
	isBlock := info.Mode()&os.ModeDevice != 0 && info.Mode()&os.ModeCharDevice == 0
	if !info.Mode().IsRegular() && !isBlock {
		return fmt.Errorf("%s is neither a regular file nor a block device", d.Path)
	}
	mode, remedy := os.O_RDONLY, "allow this user to read it"
	if d.Writable() {
		mode, remedy = os.O_RDWR, "allow this user to write to it, or set readOnly or snapshot"
	}
	file, err := os.OpenFile(d.Path, mode, 0)
	if err != nil {
		return fmt.Errorf("%w (%s)", err, remedy)
	}
	defer file.Close()
	return d.checkFormat(file)
}

// formatError is a disk whose content is not of its format.
type formatError struct{ text string }

func (e *formatError) Error() string { return e.text }

// checkFormat returns a *formatError if the content of the disk is not of its format.
func (d Disk) checkFormat(file io.ReaderAt) error {
	head := make([]byte, len(qcow2Magic))
	if _, err := file.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if text := wrongFormat(d.Format, head); text != "" {
		return &formatError{d.Path + " " + text}
	}
	return nil
}

// wrongFormat returns what is wrong with a format, such as "qcow2", or "" for the default one, of a
// file that begins with head; "" if it is right.
func wrongFormat(format string, head []byte) string {
	isQcow2 := has(head, 0, qcow2Magic)
	switch {
	case isQcow2 && format == "": // with "raw", a guest may have written that
		return `begins as a qcow2 image (set format to "qcow2", or to "raw" if the guest has written that)`
	case !isQcow2 && format == "qcow2":
		return `is not a qcow2 image (set format to "raw", or convert it with qemu-img)`
	}
	return ""
}
