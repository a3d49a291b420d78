package initrd

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// maxModuleBytes is the size up to which a module is unpacked. The largest in a
// distribution's kernel has about 20 MB.
const maxModuleBytes = 64 << 20

// addModules adds the modules, plain, and /etc/modules, which lists their paths
// in load order.
func (t tree) addModules(img Image) error {
	var list bytes.Buffer
	modules, err := modulesOf(img)
	if err != nil {
		return err
	}
	for _, e := range modules {
		if err := t.put(e); err != nil {
			return err
		}
		fmt.Fprintf(&list, "/%s\n", e.Path)
	}
	return t.put(Entry{Path: "etc/modules", Mode: 0o644, Data: list.Bytes()})
}

// modulesOf returns the modules of an image in load order; an image without a
// modulesDir has none.
func modulesOf(img Image) ([]Entry, error) {
	if img.ModulesDir == "" {
		return nil, nil
	}
	tree, err := openModules(img.ModulesDir)
	if err != nil {
		return nil, err
	}
	order, err := tree.loadOrder(img.Modules, img.OptionalModules)
	if err != nil {
		return nil, err
	}
	var modules []Entry
	for _, file := range order {
		e, err := tree.entry(file)
		if err != nil {
			return nil, fmt.Errorf("module %s: %w", filepath.Join(tree.dir, file), err)
		}
		modules = append(modules, e)
	}
	return modules, nil
}

// entry reads the module at file, a path in the tree.
func (t *moduleTree) entry(file string) (Entry, error) {
	packed, err := os.ReadFile(filepath.Join(t.dir, file))
	if err != nil {
		return Entry{}, err
	}
	base, ending, _ := strings.Cut(path.Base(file), ".ko")
	data, err := unpack(packed, ending, maxModuleBytes)
	if err != nil {
		return Entry{}, &ImageError{err}
	}
	plain := path.Join("lib/modules", t.version, path.Dir(file), base+".ko")
	return Entry{Path: plain, Mode: 0o644, Data: data}, nil
}

// unpack decompresses a module that was packed as its ending says, refuses more
// than limit bytes, and checks that the result can be a module at all.
func unpack(packed []byte, ending string, limit int64) ([]byte, error) {
	r, err := unpacker(bytes.NewReader(packed), ending)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(data)) > limit:
		return nil, fmt.Errorf("unpacks to more than %d bytes", limit)
	case !bytes.HasPrefix(data, []byte("\x7fELF")):
		return nil, errors.New("not an ELF object")
	}
	return data, nil
}

// unpacker returns a reader of what r holds packed. Closing it frees what it
// holds; r stays the caller's.
func unpacker(r io.Reader, ending string) (io.ReadCloser, error) {
	switch ending {
	case "":
		return io.NopCloser(r), nil
	case ".gz":
		return gzip.NewReader(r)
	case ".xz":
		x, err := xz.NewReader(r)
		return io.NopCloser(x), err
	case ".zst":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxModuleBytes))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return nil, fmt.Errorf("unknown ending %q", ".ko"+ending)
}
