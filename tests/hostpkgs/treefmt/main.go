// Treefmt formats the files of a tree as its treefmt.toml says, for hosts whose package
// set has no treefmt. It knows the part of the format that this project uses, and skips a
// formatter that is not installed.
//
//	treefmt [--ci] [FOLDER]
//
// It formats the tree that FOLDER (default: the working directory) is part of. With --ci,
// a file that changes is an error.
package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

const configName = "treefmt.toml"

// config is treefmt.toml.
type config struct {
	OnUnmatched string               `toml:"on-unmatched"` // for treefmt's own messages
	Formatters  map[string]formatter `toml:"formatter"`
}

// formatter is a command that rewrites the files that it gets as arguments.
type formatter struct {
	Command  string
	Options  []string
	Includes []string // patterns of paths; * matches a slash too
	Priority int      // the lowest runs first
}

func main() {
	ci := flag.Bool("ci", false, "fail if a file changes")
	flag.Parse()
	if err := run(cmp.Or(flag.Arg(0), "."), *ci); err != nil {
		fmt.Fprintf(os.Stderr, "treefmt: %v\n", err)
		os.Exit(1)
	}
}

// run formats the tree that dir is part of.
func run(dir string, ci bool) error {
	root, err := treeRoot(dir)
	if err != nil {
		return err
	}
	var c config
	meta, err := toml.DecodeFile(filepath.Join(root, configName), &c)
	if err != nil {
		return err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return fmt.Errorf("%s: %v: not supported here", configName, unknown)
	}
	files, err := list(root)
	if err != nil {
		return err
	}
	before := contents(root, files)
	names := slices.SortedFunc(maps.Keys(c.Formatters), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.Formatters[a].Priority, c.Formatters[b].Priority), cmp.Compare(a, b))
	})
	var errs []error
	for _, name := range names {
		if err := c.Formatters[name].format(name, root, files); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	for i, after := range contents(root, files) {
		if !bytes.Equal(before[i], after) {
			fmt.Println("formatted:", files[i])
			if ci {
				errs = append(errs, fmt.Errorf("%s: not formatted (run nix fmt)", files[i]))
			}
		}
	}
	return errors.Join(errs...)
}

// treeRoot returns the innermost folder with a treefmt.toml that dir is part of.
func treeRoot(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, configName)); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no %s here or in a folder above", configName)
		}
		dir = parent
	}
}

// list returns the files of the tree, relative to its root: those that git does not
// ignore, or all if the tree is not a repository.
func list(root string) (files []string, err error) {
	git := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	git.Dir = root
	output, err := git.Output()
	if err == nil {
		for name := range strings.SplitSeq(string(output), "\x00") {
			if info, err := os.Lstat(filepath.Join(root, name)); name != "" && err == nil && info.Mode().IsRegular() {
				files = append(files, name)
			}
		}
		return files, nil
	}
	err = fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

// contents returns the content of each file; nil for one that cannot be read.
func contents(root string, files []string) [][]byte {
	read := make([][]byte, len(files))
	for i, name := range files {
		read[i], _ = os.ReadFile(filepath.Join(root, name))
	}
	return read
}

// format runs the formatter on those of the files that it includes.
func (f formatter) format(name, root string, files []string) error {
	if _, err := exec.LookPath(f.Command); err != nil {
		fmt.Printf("skipped: %s: %s is not installed\n", name, f.Command)
		return nil
	}
	var patterns []string
	for _, include := range f.Includes {
		patterns = append(patterns, strings.ReplaceAll(regexp.QuoteMeta(include), `\*`, ".*"))
	}
	included, err := regexp.Compile("^(" + strings.Join(patterns, "|") + ")$")
	if err != nil {
		return err
	}
	arguments := slices.Clone(f.Options)
	for _, file := range files {
		if included.MatchString(file) {
			arguments = append(arguments, file)
		}
	}
	if len(arguments) == len(f.Options) {
		return nil
	}
	command := exec.Command(f.Command, arguments...)
	command.Dir = root
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	return command.Run()
}
