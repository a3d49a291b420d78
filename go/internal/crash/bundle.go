package crash

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/plaintext"
)

// errMissing is the problem of a journal that lacks an unknown number of bytes.
var errMissing = errors.New("bytes are missing")

// indexName is the file that describes a bundle.
const indexName = "index.json"

// bundle is a bundle that is being collected, in a temporary folder beside its own.
type bundle struct {
	folder string // the bundle's
	dir    string // the temporary one; "" once the bundle is finished
	index  ctl.CrashBundle
}

// create returns an empty bundle, which becomes folder. The caller calls finish or discard.
func create(folder string) (*bundle, error) {
	if _, err := os.Lstat(folder); err == nil {
		return nil, fmt.Errorf("crash bundle: %s exists (choose another folder)", folder)
	}
	parent := filepath.Dir(folder)
	dir, err := os.MkdirTemp(parent, "."+filepath.Base(folder)+"-*") // mode 0700
	if err != nil {
		return nil, fmt.Errorf("crash bundle: %w", err)
	}
	return &bundle{folder: folder, dir: dir, index: ctl.CrashBundle{Time: time.Now(), Files: []ctl.CrashFile{}}}, nil
}

// problem records that a part is missing or incomplete.
func (b *bundle) problem(part string, err error) {
	b.index.Problems = append(b.index.Problems, plaintext.Line(part+": "+err.Error()))
}

// path returns the path of a file while the bundle is being collected.
func (b *bundle) path(name string) string { return filepath.Join(b.dir, name) }

// add adds a file with what write writes. A file whose write fails stays, incomplete, and is a
// problem.
func (b *bundle) add(name, about string, write func(io.Writer) error) {
	file, err := os.OpenFile(b.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = errors.Join(write(file), file.Close())
	}
	if err != nil {
		b.problem(name, err)
	}
	b.list(name, about)
}

// list lists a file in the index, if it exists.
func (b *bundle) list(name, about string) {
	if info, err := os.Stat(b.path(name)); err == nil {
		b.index.Files = append(b.index.Files, ctl.CrashFile{Name: name, About: about, Bytes: info.Size()})
	}
}

// finish writes the index and gives the folder its name. It returns the description of the bundle.
func (b *bundle) finish() (ctl.CrashBundle, error) {
	file, err := os.OpenFile(b.path(indexName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return ctl.CrashBundle{}, fmt.Errorf("crash bundle: %w", err)
	}
	if err := errors.Join(asJSON(b.index)(file), file.Close()); err != nil {
		return ctl.CrashBundle{}, fmt.Errorf("crash bundle: %w", err)
	}
	if err := os.Rename(b.dir, b.folder); err != nil {
		return ctl.CrashBundle{}, fmt.Errorf("crash bundle: %w", err)
	}
	b.dir, b.index.Folder = "", b.folder
	return b.index, nil
}

// discard removes a bundle that is not finished.
func (b *bundle) discard() {
	if b.dir != "" {
		_ = os.RemoveAll(b.dir) // the cause of the failure is the error that counts
	}
}
