package relay

import (
	"slices"
	"strings"
	"testing"
)

func TestCounter(t *testing.T) {
	t.Parallel()
	const half = lineBytes / 2
	printed := []int64{2*lineBytes + half, 0, 2 * lineBytes}
	lines := func(numbers ...[2]int) (all []string) {
		for _, line := range numbers {
			all = append(all, string(appendLine(nil, "serial", line[0], line[1])))
		}
		return all
	}
	whole := lines([2]int{0, 0}, [2]int{0, 1}, [2]int{0, 2}, [2]int{2, 0}, [2]int{2, 1})
	whole[2] = whole[2][:half] // the first boot was killed in this line
	for _, row := range []struct {
		name                         string
		text                         []string
		missing, repeated, misplaced int
	}{
		{"all", whole, 0, 0, 0},
		{"none", nil, 5, 0, 0},
		{"the end is missing", whole[:4], 1, 0, 0},
		{"one is missing", slices.Concat(whole[:3], whole[4:]), 1, 0, 0},
		{"a repeated line", slices.Concat(whole[:1], whole[:1], whole[1:]), 0, 1, 0},
		{"something else", slices.Concat(whole[:1], []string{strings.Repeat("x", lineBytes)}, whole[1:]), 0, 0, 1},
	} {
		count := lineCounter{name: "serial", printed: printed}
		if err := count.read(strings.NewReader(strings.Join(row.text, ""))); err != nil {
			t.Fatal(err)
		}
		count.end()
		if count.missing != row.missing || count.repeated != row.repeated || count.misplaced != row.misplaced {
			t.Errorf("%s: missing %d, repeated %d, misplaced %d", row.name, count.missing, count.repeated, count.misplaced)
		}
	}
}
