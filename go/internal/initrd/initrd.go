// Package initrd builds a guest image: an initramfs, which the kernel unpacks and whose /init it
// starts. The image has a static busybox, the kernel modules that consoles need, and a few small
// files (the embedded directory guest) that start a login on each console and end the guest when
// the power button is pressed.
//
// Invariants:
//
//   - The build is reproducible: entries are sorted, owned by root, dated 1970, and numbered
//     from 1.
//   - The build does not execute any program, so that a host can build images for other
//     architectures.
//   - The guest's boot does not sleep.
//   - The archive is not compressed, since decompression is slow on an emulated processor.
package initrd

import "io"

// Build writes the image to w as a cpio archive. Errors in img and in the files that it names are
// returned before anything is written.
func Build(w io.Writer, img Image) error {
	entries, err := Entries(img)
	if err != nil {
		return err
	}
	return Write(w, entries)
}

// Entries returns the entries that Build writes, sorted by path. Its error is an *ImageError if img
// has a mistake, else an I/O error.
func Entries(img Image) ([]Entry, error) {
	if err := img.Validate(); err != nil {
		return nil, err
	}
	t := tree{}
	steps := []func(Image) error{t.addGuest, t.addBusybox, t.addAgent, t.addModules, t.addPackages, t.addFiles}
	for _, step := range steps {
		if err := step(img); err != nil {
			return nil, err
		}
	}
	return t.sorted(), nil
}
