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

// maxModuleBytes is the maximum size of an uncompressed module. The largest one of a distribution's
// kernel has about 20 MB.
const maxModuleBytes = 64 << 20

// addModules adds the modules, uncompressed, and /etc/modules, which lists their paths in load order.
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

// modulesOf returns the modules of an image in load order. An image without a modulesDir has none.
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

// entry returns the module at file, a path in the tree.
func (t *moduleTree) entry(file string) (Entry, error) {
	packed, err := os.ReadFile(filepath.Join(t.dir, file))
	if err != nil {
		return Entry{}, err
	}
	base, suffix, _ := strings.Cut(path.Base(file), ".ko")
	data, err := unpack(packed, suffix, maxModuleBytes)
	if err != nil {
		return Entry{}, &ImageError{err}
	}
	plain := path.Join("lib/modules", t.version, path.Dir(file), base+".ko")
	return Entry{Path: plain, Mode: 0o644, Data: data}, nil
}

// unpack decompresses a module according to the suffix of its file. It returns an error if the
// result is longer than limit bytes or is not an ELF file.
func unpack(packed []byte, suffix string, limit int64) ([]byte, error) {
	r, err := unpacker(bytes.NewReader(packed), suffix)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(data)) > limit:
		return nil, fmt.Errorf("decompressed to more than %d bytes", limit)
	case !bytes.HasPrefix(data, []byte("\x7fELF")):
		return nil, errors.New("not an ELF file")
	}
	return data, nil
}

// unpacker returns a reader that decompresses r. The caller closes it, which does not close r.
func unpacker(r io.Reader, suffix string) (io.ReadCloser, error) {
	switch suffix {
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
	return nil, fmt.Errorf("unknown suffix %q", ".ko"+suffix)
}
