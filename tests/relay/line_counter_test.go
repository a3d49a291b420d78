package relay

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// lineCounter counts the missing, repeated and misplaced lines in the output of printers on a
// channel, boot after boot. A boot ends when its printer is killed, mostly within a line.
type lineCounter struct {
	name    string
	printed []int64 // bytes of each boot

	boot, number                        int // of the next line
	lines, missing, repeated, misplaced int
}

// read counts the lines of a text.
func (c *lineCounter) read(text io.Reader) error {
	from := bufio.NewReaderSize(text, 1<<20)
	line := make([]byte, lineBytes)
	for {
		c.skip()
		want := lineBytes
		if c.boot < len(c.printed) {
			want = int(min(lineBytes, c.printed[c.boot]-int64(c.number)*lineBytes))
		}
		n, err := io.ReadFull(from, line[:want])
		if n == 0 && err == io.EOF {
			return nil
		}
		if err != nil && err != io.ErrUnexpectedEOF {
			return err
		}
		c.line(line[:n])
	}
}

// skip advances to the next boot that has bytes left.
func (c *lineCounter) skip() {
	for c.boot < len(c.printed) && int64(c.number)*lineBytes >= c.printed[c.boot] {
		c.boot, c.number = c.boot+1, 0
	}
}

// line counts a line, or a part of a line if the boot ends in it.
func (c *lineCounter) line(line []byte) {
	c.lines++
	want := appendLine(nil, c.name, c.boot, c.number)
	if string(line) == string(want[:len(line)]) {
		c.number++
		return
	}
	boot, number, ok := parseLine(line, c.name)
	switch {
	case !ok || boot > c.boot:
		c.misplaced++
	case boot < c.boot || number < c.number:
		c.repeated++
	default:
		c.missing += number - c.number
		c.number = number + 1
	}
}

// end counts the lines that are missing at the end.
func (c *lineCounter) end() {
	for c.skip(); c.boot < len(c.printed); c.skip() {
		c.missing++
		c.number++
	}
}

// checkJournal reports an error unless the journal of a channel has the output of its printers,
// with a mark at the start of each boot. printed has the number of bytes of each boot.
func checkJournal(t *testing.T, name string, printed []int64) {
	t.Helper()
	files, err := listSegments(journalDir(t, name))
	if err != nil {
		t.Fatal(err)
	}
	var got, want []int64 // the offsets of the boots that are not empty
	total := int64(0)
	for _, bytes := range printed {
		if bytes > 0 {
			want = append(want, total)
		}
		total += bytes
	}
	var texts []io.Reader
	end, boot := int64(0), -1
	for _, segment := range files {
		if segment.start != end {
			t.Errorf("%s: %s: the segment before it ends at %d", name, filepath.Base(segment.path), end)
		}
		if segment.boot != boot && segment.size > 0 {
			got, boot = append(got, segment.start), segment.boot
		}
		end = segment.start + segment.size
		file, err := os.Open(segment.path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		texts = append(texts, file)
	}
	count := lineCounter{name: name, printed: printed}
	if err := count.read(io.MultiReader(texts...)); err != nil {
		t.Error(err)
	}
	count.end()
	t.Logf("%s, the journal: %d lines, missing %d, repeated %d, misplaced %d", name, count.lines, count.missing, count.repeated, count.misplaced)
	if count.missing+count.repeated+count.misplaced > 0 || end != total {
		t.Errorf("%s: %d bytes kept, %d printed", name, end, total)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: the boots begin at %d, want %d", name, got, want)
	}
}
