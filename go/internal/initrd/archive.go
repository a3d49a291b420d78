package initrd

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/cavaliergopher/cpio"
)

// Write writes entries as a cpio archive in the "newc" format
// (Documentation/driver-api/early-userspace/buffer-format.rst in Linux). A directory must come
// before its content, as in the result of Entries.
//
// The cpio library sets time, owner and device to zero and numbers the inodes in the order of the
// entries, as a reproducible image needs. It cannot write device nodes. The image needs none:
// /dev is a devtmpfs, and the console of init comes from the archive in the kernel
// (usr/default_cpio_list), which is unpacked first.
//
// The library loses some errors of w. The buffer keeps the first one, and Flush returns it.
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
		return fmt.Errorf("%d bytes do not fit into a cpio archive", len(e.Data))
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

// archiveType returns the type bits and the number of links of an entry. Like cpio(1), it returns
// two links for a directory; the kernel ignores that number. For a file with more than one link
// the kernel would look for the others.
func archiveType(mode fs.FileMode) (cpio.FileMode, int) {
	switch mode.Type() {
	case fs.ModeDir:
		return cpio.TypeDir, 2
	case fs.ModeSymlink:
		return cpio.TypeSymlink, 1
	}
	return cpio.TypeReg, 1
}

// permissions returns the permission bits as in stat(2).
func permissions(mode fs.FileMode) cpio.FileMode {
	bits := cpio.FileMode(mode.Perm())
	if mode&fs.ModeSticky != 0 {
		bits |= cpio.ModeSticky
	}
	return bits
}
