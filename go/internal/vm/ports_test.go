package vm

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/vmconfig"
)

// Without TCP, only consoles that every user may use keep their ports, and no port 0 is opened.
func TestWithoutPorts(t *testing.T) {
	given := []vmconfig.Console{{Name: "a", Port: 1}, {Name: "b", Port: 2, Shared: true}}
	want := []vmconfig.Console{{Name: "a"}, {Name: "b", Port: 2, Shared: true}}
	if diff := cmp.Diff(want, withoutPorts(given)); diff != "" || given[0].Port != 1 {
		t.Error(diff, given)
	}
	opened, listeners, err := openPorts(want[:1], true)
	if err != nil || opened[0].Port != 0 || len(listeners[0]) != 0 {
		t.Errorf("%v, %d listeners, %v", opened, len(listeners[0]), err)
	}
}
