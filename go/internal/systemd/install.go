package systemd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"microvm-console/internal/atomicfile"

	"github.com/hashicorp/go-multierror"
)

// wants is the folder, next to the units, of the links that systemctl enable makes.
const wants = "default.target.wants"

// Changes are the paths of unit files by what Install has done with them.
type Changes struct {
	Written, Replaced, Unchanged, Removed []string
}

// Install writes units, at least one, all of the same Maker, to dir. It writes files that are
// missing or differ, each atomically. It removes other unit files of the Maker for whose names
// stale returns true, with the link of systemctl enable. If a file of the same name was not
// written by the Maker, Install changes nothing, and the error names the file.
func Install(dir string, units []Unit, stale func(name string) bool) (Changes, error) {
	var changes Changes
	var errs *multierror.Error
	texts := map[string]string{}
	for _, unit := range units {
		path := filepath.Join(dir, unit.Name)
		texts[path] = unit.Text()
		errs = multierror.Append(errs, unit.Validate(), changes.add(path, unit))
	}
	if err := errs.ErrorOrNil(); err != nil {
		return Changes{}, err
	}
	done := Changes{Unchanged: changes.Unchanged}
	var err error
	if done.Removed, err = removeOthers(dir, texts, units[0], stale); err != nil {
		return done, err
	}
	if done.Written, err = writeAll(changes.Written, texts); err != nil {
		return done, err
	}
	done.Replaced, err = writeAll(changes.Replaced, texts)
	return done, err
}

// writeAll writes the files at paths, and returns the paths that it has written.
func writeAll(paths []string, texts map[string]string) (written []string, err error) {
	for _, path := range paths {
		if err := write(path, texts[path]); err != nil {
			return written, err
		}
		written = append(written, path)
	}
	return written, nil
}

// add adds path to the list of what is to be done so that the file there is unit.
func (c *Changes) add(path string, unit Unit) error {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		c.Written = append(c.Written, path)
		return nil
	}
	if err != nil {
		return err
	}
	old, err := os.ReadFile(path)
	switch {
	case err == nil && string(old) == unit.Text():
		c.Unchanged = append(c.Unchanged, path)
	case isInstalled(path, unit):
		c.Replaced = append(c.Replaced, path)
	default:
		return fmt.Errorf("unit %s: not written by %s (move it away)", path, unit.Maker)
	}
	return nil
}

// isInstalled reports whether the Maker of unit has written the file at path. It is false for
// links, which Nix modules make.
func isInstalled(path string, unit Unit) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	text, err := os.ReadFile(path)
	return err == nil && bytes.HasPrefix(text, []byte(unit.marker()+"\n"))
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().Type() == fs.ModeSymlink
}

// removeOthers removes the units in dir that the Maker of unit has written, are stale, and are not
// in texts.
func removeOthers(dir string, texts map[string]string, unit Unit, stale func(name string) bool) (removed []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		name := entry.Name()
		path := filepath.Join(dir, name)
		if _, wanted := texts[path]; wanted || !stale(name) || !isInstalled(path, unit) {
			continue
		}
		if enabled := filepath.Join(dir, wants, name); isLink(enabled) {
			if err := os.Remove(enabled); err != nil {
				return removed, err
			}
		}
		if err := os.Remove(path); err != nil {
			return removed, err
		}
		removed = append(removed, path)
	}
	return removed, nil
}

// write writes text to the file at path.
func write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	err := atomicfile.Write(path, 0o644, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	if err != nil {
		return fmt.Errorf("unit %s: %w", path, err)
	}
	return nil
}
