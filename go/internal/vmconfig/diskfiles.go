package vmconfig

import (
	"bytes"
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

// qcow2Magic is the beginning of a qcow2 file (docs/interop/qcow2.txt in QEMU).
var qcow2Magic = []byte("QFI\xfb")

// checkFormat returns a *formatError if the content of the disk is not of its format.
func (d Disk) checkFormat(file io.ReaderAt) error {
	head := make([]byte, len(qcow2Magic))
	if _, err := file.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	isQcow2 := bytes.Equal(head, qcow2Magic)
	switch {
	case isQcow2 && d.Format == "": // with "raw", a guest may have written that
		return &formatError{fmt.Sprintf(`%s begins as a qcow2 image (set format to "qcow2", or to "raw" if the guest has written that)`, d.Path)}
	case !isQcow2 && d.ImageFormat() == "qcow2":
		return &formatError{fmt.Sprintf(`%s is not a qcow2 image (set format to "raw", or convert it with qemu-img)`, d.Path)}
	}
	return nil
}
