package openers

import (
	"fmt"
	"strings"
	"testing"
)

// The kernel's lines about a descriptor and its lock are found between any other lines.
// Without them, the result is empty.
func FuzzParse(f *testing.F) {
	f.Add("pos:\t0\nmnt_id:\t13\n", "ino:\t2468\n", uint32(0o2100002), uint32(812))
	f.Add("lock:\t1: POSIX  ADVISORY  WRITE 1 00:19:2468 0 EOF\nflags", "lock:\t2: FLOCK  ADVISORY  READ 1 0 0 EOF", uint32(2), uint32(0))
	f.Fuzz(func(t *testing.T, before, after string, flags, pid uint32) {
		for _, text := range []string{before, after} {
			if got := parse(text); got.Flags == -1 && got.Both() || !got.Locked && got.LockedBy != 0 {
				t.Errorf("%q was parsed as %+v", text, got)
			}
			if strings.Contains(text, "flags:") || strings.Contains(text, "FLOCK") {
				return // no fdinfo file describes two descriptors
			}
		}
		text := fmt.Sprintf("%s\nflags:\t0%o\nlock:\t1: FLOCK  ADVISORY  WRITE %d 00:19:2468 0 EOF\n%s", before, flags, pid, after)
		want := Opener{Flags: int(flags), Locked: true, LockedBy: int(pid)}
		if got := parse(text); got != want {
			t.Errorf("%q was parsed as %+v, want %+v", text, got, want)
		}
		if got := parse(before + "\n" + after); got != (Opener{Flags: -1}) {
			t.Errorf("%q was parsed as %+v", before+"\n"+after, got)
		}
	})
}
