package kmodules

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// readSoft reads the soft dependencies of modules from modules.softdep, and the modules that their
// names stand for from modules.alias. Both files may be absent. A file system gets its checksum by
// such a dependency: "crc32c" is an alias of each module with that algorithm.
func (t *Tree) readSoft() error {
	softdep, err := t.table("modules.softdep")
	if err != nil {
		return err
	}
	words := parseSoft(softdep)
	if len(words) == 0 {
		return nil
	}
	alias, err := t.table("modules.alias")
	if err != nil {
		return err
	}
	aliases := parseAliases(alias)
	t.soft = map[string][]string{}
	for module, wanted := range words {
		for _, word := range wanted {
			for _, name := range append(aliases[word], Name(word)) {
				if file := t.paths[name]; file != "" && !slices.Contains(t.soft[module], file) {
					t.soft[module] = append(t.soft[module], file)
				}
			}
		}
	}
	return nil
}

// table returns the content of a table of the tree; nil if it is absent.
func (t *Tree) table(name string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(t.Dir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("modulesDir: %w", err)
	}
	return data, nil
}

// parseSoft parses lines "softdep MODULE pre: WORD... post: WORD..." (modprobe.d(5)). It returns
// the words after pre: of each module.
func parseSoft(table []byte) map[string][]string {
	words := map[string][]string{}
	for lines := bufio.NewScanner(bytes.NewReader(table)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 || fields[0] != "softdep" {
			continue
		}
		module, pre := Name(fields[1]), false
		for _, word := range fields[2:] {
			switch {
			case strings.HasSuffix(word, ":"):
				pre = word == "pre:"
			case pre:
				words[module] = append(words[module], word)
			}
		}
	}
	return words
}

// parseAliases parses lines "alias ALIAS MODULE" (modprobe.d(5)). It returns the names of the
// modules of each alias.
func parseAliases(table []byte) map[string][]string {
	aliases := map[string][]string{}
	for lines := bufio.NewScanner(bytes.NewReader(table)); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 && fields[0] == "alias" {
			aliases[fields[1]] = append(aliases[fields[1]], Name(fields[2]))
		}
	}
	return aliases
}
