package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// documents returns the Markdown files of the checkout, as paths from its root.
func documents(t *testing.T) []string {
	t.Helper()
	command := exec.Command("git", "-C", harness.Root, "ls-files", "--cached", "--others", "--exclude-standard", "*.md")
	listed, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(string(listed))
	if len(names) < 10 {
		t.Fatalf("only %d documents: %q", len(names), names)
	}
	return names
}

// textLines returns the lines of a document, without those inside of code blocks.
func textLines(t *testing.T, name string) map[int]string {
	t.Helper()
	lines := map[int]string{}
	inside := false
	number := 0
	for line := range strings.Lines(harness.ReadFile(t, filepath.Join(harness.Root, name))) {
		number++
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			inside = !inside
		} else if !inside {
			lines[number] = line
		}
	}
	return lines
}

// cellEnd matches what ends a cell on GitHub: each bar that is not escaped, also one inside a
// code span.
var cellEnd = regexp.MustCompile(`(^|[^\\])\|`)

// Every row of a table has as many cells as the table has columns. GitHub drops the
// cells beyond that.
func TestTablesRender(t *testing.T) {
	t.Parallel()
	tables := 0
	for _, name := range documents(t) {
		lines := textLines(t, name)
		for number, line := range lines {
			if !strings.HasPrefix(line, "|") || strings.HasPrefix(lines[number-1], "|") {
				continue
			}
			tables++
			if !strings.HasPrefix(lines[number+1], "|--") {
				t.Errorf("%s:%d: a table without a line of dashes below its headings", name, number)
			}
			columns := len(cellEnd.FindAllString(line, -1))
			for row := number; strings.HasPrefix(lines[row], "|"); row++ {
				if cells := len(cellEnd.FindAllString(lines[row], -1)); cells != columns {
					t.Errorf("%s:%d: %d cells in a table of %d columns (write \\| for a bar in a cell)", name, row, cells-1, columns-1)
				}
			}
		}
	}
	if tables < 20 {
		t.Errorf("only %d tables", tables)
	}
}

var (
	codeSpan = regexp.MustCompile("`[^`]*`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	unslug   = regexp.MustCompile(`[^\p{L}\p{N}\p{M}_ -]`)
)

// anchors returns the names that GitHub gives to the headings of a document.
func anchors(t *testing.T, name string) []string {
	t.Helper()
	var names []string
	for _, line := range textLines(t, name) {
		if heading := strings.TrimLeft(line, "#"); heading != line && strings.HasPrefix(heading, " ") {
			slug := unslug.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			names = append(names, strings.ReplaceAll(slug, " ", "-"))
		}
	}
	return names
}

// Every relative link of a document leads to a file of the checkout, and to a heading in it
// if it names one.
func TestLinks(t *testing.T) {
	t.Parallel()
	links := 0
	for _, name := range documents(t) {
		for number, line := range textLines(t, name) {
			for _, match := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(line, "code"), -1) {
				if strings.Contains(match[1], "://") || strings.HasPrefix(match[1], "mailto:") {
					continue
				}
				links++
				path, anchor, named := strings.Cut(match[1], "#")
				target := name
				if path != "" {
					target = filepath.Join(filepath.Dir(name), path)
				}
				if _, err := os.Stat(filepath.Join(harness.Root, target)); err != nil {
					t.Errorf("%s:%d: %s does not exist", name, number, match[1])
				} else if named && !slices.Contains(anchors(t, target), anchor) {
					t.Errorf("%s:%d: %s has no heading #%s", name, number, target, anchor)
				}
			}
		}
	}
	if links < 50 {
		t.Errorf("only %d links", links)
	}
}

// Every document below docs is linked from the index of its folder.
func TestIndexes(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"docs", "docs/performance", "docs/decisions"} {
		index := harness.ReadFile(t, filepath.Join(harness.Root, folder, "README.md"))
		for _, name := range documents(t) {
			if filepath.Dir(name) == folder && filepath.Base(name) != "README.md" && !strings.Contains(index, "]("+filepath.Base(name)) {
				t.Errorf("%s/README.md does not link %s", folder, filepath.Base(name))
			}
		}
	}
}
