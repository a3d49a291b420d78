package rundir

import (
	"os"
	"testing"
	"time"
)

// Touch touches the machine's folder and everything in it, so that programs that clean
// /tmp do not remove it.
func TestTouch(t *testing.T) {
	base(t)
	m := Of("m")
	defer release(t, acquire(t, m))
	if err := os.Mkdir(m.Console("serial"), 0o700); err != nil {
		t.Fatal(err)
	}
	old := time.Unix(1, 0)
	paths := []string{m.Console("serial"), m.Lock(), m.Path()}
	for _, path := range paths {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	m.Touch()
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || info.ModTime().Equal(old) {
			t.Errorf("%s was not touched (%v)", path, err)
		}
	}
}
