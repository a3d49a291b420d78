package harness

import (
	"path/filepath"
	"strings"
	"testing"
)

// Section returns the text of a document of the checkout under a heading.
func Section(t *testing.T, document, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(ReadFile(t, filepath.Join(Root, document)), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no %q", document, heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	return rest
}

// Block returns the first block of a language in a text.
func Block(t *testing.T, text, language string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "\n```"+language+"\n")
	code, _, closed := strings.Cut(rest, "\n```")
	if !found || !closed {
		t.Fatalf("no %s block in:\n%s", language, text)
	}
	return code + "\n"
}

// BashBlocks returns the blocks of a document that are marked as bash.
func BashBlocks(t *testing.T, document string) []string {
	t.Helper()
	return BashBlocksOf(ReadFile(t, filepath.Join(Root, document)))
}

// BashBlocksOf returns the blocks of a text that are marked as bash.
func BashBlocksOf(text string) []string {
	var blocks []string
	for i, part := range strings.Split(text, "\n```") {
		if block, ok := strings.CutPrefix(part, "bash\n"); ok && i%2 == 1 {
			blocks = append(blocks, block)
		}
	}
	return blocks
}

// RunBlocks runs blocks of bash in a folder, one after the other, and returns what they print. It
// waits for the processes that a block starts in the background, which must end by themselves.
func RunBlocks(t *testing.T, folder string, blocks []string) string {
	t.Helper()
	var output strings.Builder
	for _, block := range blocks {
		t.Logf("%s", block)
		output.WriteString(Must(t, folder, "bash", "-euo", "pipefail", "-c", block+"\nwait\n"))
	}
	return output.String()
}

// InOrder checks that output has the texts, in their order.
func InOrder(t *testing.T, output string, texts ...string) {
	t.Helper()
	rest := output
	for _, text := range texts {
		_, after, found := strings.Cut(rest, text)
		if !found {
			t.Errorf("no %q in the rest of the output:\n%s", text, output)
			return
		}
		rest = after
	}
}

// Row is a row of a table in a document, cell by cell.
type Row []string

// Code returns the texts of a cell's code spans.
func (r Row) Code(cell int) []string {
	var spans []string
	for i, part := range strings.Split(r[cell], "`") {
		if i%2 == 1 {
			spans = append(spans, part)
		}
	}
	return spans
}

// TableRows returns the rows of the table in a document whose first column has the
// heading.
func TableRows(t *testing.T, document, heading string) []Row {
	t.Helper()
	var rows []Row
	inside := false
	for line := range strings.Lines(ReadFile(t, filepath.Join(Root, document))) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "| "+heading+" |"):
			inside = true
		case !strings.HasPrefix(line, "|"):
			inside = false
		case inside && !strings.HasPrefix(line, "|---"):
			cells := strings.Split(strings.Trim(line, "|"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no table %q", document, heading)
	}
	return rows
}
