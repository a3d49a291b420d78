// Package initrd builds a guest image: the initramfs that the kernel unpacks
// and whose /init it starts. It holds a static busybox, the kernel modules a
// console needs, and a handful of small files (guest/, embedded) that bring up
// a login on each console and end the guest when the power button is pressed.
//
// Its invariants:
//
//   - The same inputs give the same bytes, whoever builds them, when and where:
//     entries are sorted, owned by root, dated 1970, numbered from 1.
//   - Nothing is executed while building, so that any machine can build an
//     image for any other.
//   - Nothing in the guest's boot waits for a time to pass.
//   - The archive is not compressed: QEMU loads it in one piece, and what an
//     emulated CPU does not have to unpack it need not wait for.
package initrd

import "io"

// Build writes the image as a cpio archive. An error in what img names is told
// before the first byte is written.
func Build(w io.Writer, img Image) error {
	entries, err := Entries(img)
	if err != nil {
		return err
	}
	return Write(w, entries)
}

// Entries returns what Build writes, sorted by path. The error is an ImageError
// where img is at fault, and an I/O error otherwise.
func Entries(img Image) ([]Entry, error) {
	if err := img.Validate(); err != nil {
		return nil, err
	}
	t := tree{}
	steps := []func(Image) error{t.addGuest, t.addBusybox, t.addAgent, t.addModules, t.addFiles}
	for _, step := range steps {
		if err := step(img); err != nil {
			return nil, err
		}
	}
	return t.sorted(), nil
}
