package openers

import (
	"fmt"
	"strings"
	"testing"
)

// What the kernel says about a descriptor and its lock is read whatever else stands
// before and behind it, and without that nothing is.
func FuzzParse(f *testing.F) {
	f.Add("pos:\t0\nmnt_id:\t13\n", "ino:\t2468\n", uint32(0o2100002), uint32(812))
	f.Add("lock:\t1: POSIX  ADVISORY  WRITE 1 00:19:2468 0 EOF\nflags", "lock:\t2: FLOCK  ADVISORY  READ 1 0 0 EOF", uint32(2), uint32(0))
	f.Fuzz(func(t *testing.T, before, behind string, flags, pid uint32) {
		for _, text := range []string{before, behind} {
			if got := parse(text); got.Flags == -1 && got.Both() || !got.Locked && got.LockedBy != 0 {
				t.Errorf("%q is %+v", text, got)
			}
			if strings.Contains(text, "flags:") || strings.Contains(text, "FLOCK") {
				return // that of another descriptor, which no file has
			}
		}
		text := fmt.Sprintf("%s\nflags:\t0%o\nlock:\t1: FLOCK  ADVISORY  WRITE %d 00:19:2468 0 EOF\n%s", before, flags, pid, behind)
		want := Opener{Flags: int(flags), Locked: true, LockedBy: int(pid)}
		if got := parse(text); got != want {
			t.Errorf("%q is %+v, want %+v", text, got, want)
		}
		if got := parse(before + "\n" + behind); got != (Opener{Flags: -1}) {
			t.Errorf("%q is %+v", before+"\n"+behind, got)
		}
	})
}
