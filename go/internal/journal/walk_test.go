package journal

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Walk returns bytes and gaps in the order of the stream.
func TestWalk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := Open(dir, DefaultRetention)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if _, err := j.Write([]byte(text)); err != nil {
			t.Error(err)
		}
	}
	boot := func() {
		if _, err := j.Boot(); err != nil {
			t.Error(err)
		}
	}
	boot()
	write("first")
	j.Lose(3, errors.New("full"))
	boot()
	write("second")
	first := j.store.segments[0].path(dir)
	boot()
	write("third")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	walked := func(start, end int64) (got []string) {
		s, err := TakeSnapshot(dir)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Walk(start, end,
			func(data []byte) { got = append(got, string(data)) },
			func(err error) {
				skipped, printed, _ := Gone(err)
				got = append(got, fmt.Sprint(skipped, printed, Missing(err)))
			})
		if err != nil {
			t.Error(err)
		}
		return got
	}
	if diff := cmp.Diff([]string{"irst", "0 3 true", "second", "third"}, walked(1, 16)); diff != "" {
		t.Error(diff)
	}
	if err := os.Truncate(first, 2); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"fi", "3 3 true", "0 3 true", "seco"}, walked(0, 9)); diff != "" {
		t.Error(diff)
	}
	if skipped, printed, cause := Gone(ErrClosed); skipped != 0 || printed != 0 || cause != "" {
		t.Error(skipped, printed, cause)
	}
}
