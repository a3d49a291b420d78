package initrd

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/cavaliergopher/cpio"
)

// Write writes entries, in their order (that of Entries: a folder before what
// it holds), as a cpio archive in the "newc" form
// (Documentation/driver-api/early-userspace/buffer-format.rst of Linux).
//
// The library leaves time, owner and device at zero and numbers the inodes in
// the order of the entries, all of which we want. It cannot write device nodes,
// which no image of ours needs: /dev is a devtmpfs, and the console that init
// starts with comes from the archive inside the kernel (usr/default_cpio_list),
// unpacked before this one.
//
// The library also loses some errors of w. The buffer in between keeps the
// first one, and returns it at the end.
func Write(w io.Writer, entries []Entry) error {
	buffer := bufio.NewWriterSize(w, 64<<10)
	archive := cpio.NewWriter(buffer)
	for _, e := range entries {
		if err := writeEntry(archive, e); err != nil {
			return fmt.Errorf("archive: %s: %w", e.Path, err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	if err := buffer.Flush(); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

func writeEntry(archive *cpio.Writer, e Entry) error {
	if int64(len(e.Data)) > math.MaxUint32 {
		return fmt.Errorf("%d bytes do not fit a cpio archive", len(e.Data))
	}
	kind, links := archiveType(e.Mode)
	header := &cpio.Header{
		Name:  e.Path,
		Mode:  kind | permissions(e.Mode),
		Links: links,
		Size:  int64(len(e.Data)),
	}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	if _, err := archive.Write(e.Data); err != nil {
		return err
	}
	return archive.Flush()
}

// archiveType returns the type bits and the number of links of an entry. Two
// links for a folder is what cpio(1) writes for an empty one; the kernel makes
// its own count. A file with more than one link would make the kernel look for
// the others.
func archiveType(mode fs.FileMode) (cpio.FileMode, int) {
	switch mode.Type() {
	case fs.ModeDir:
		return cpio.TypeDir, 2
	case fs.ModeSymlink:
		return cpio.TypeSymlink, 1
	}
	return cpio.TypeReg, 1
}

// permissions returns the permission bits in the numbers of stat(2).
func permissions(mode fs.FileMode) cpio.FileMode {
	bits := cpio.FileMode(mode.Perm())
	if mode&fs.ModeSticky != 0 {
		bits |= cpio.ModeSticky
	}
	return bits
}
