package kmodules

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

// Read returns the content of the module at file, a path in the tree, decompressed. Its error names
// the file, and is an *Error if the file is not a module.
func (t *Tree) Read(file string) ([]byte, error) {
	full := filepath.Join(t.Dir, file)
	packed, err := os.ReadFile(full)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", full, err)
	}
	_, suffix, _ := strings.Cut(path.Base(file), ".ko")
	data, err := Unpack(packed, suffix, maxModuleBytes)
	if err != nil {
		return nil, errorf("module %s: %w", full, err)
	}
	return data, nil
}

// Plain returns the path file of a module without the suffix of a compression.
func Plain(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return path.Join(path.Dir(file), name+".ko")
}

// Unpack decompresses a module according to the suffix of its file after ".ko": "", ".gz", ".xz" or
// ".zst". It returns an error if the result is longer than limit bytes or is not an ELF file.
func Unpack(packed []byte, suffix string, limit int64) ([]byte, error) {
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
