package consoletest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/vmconfig"
)

// No declared check may have the name of one of the suite.
func TestCheckNamesOfTheSuite(t *testing.T) {
	no := false
	for _, login := range []*bool{nil, &no} {
		machine, err := vmconfig.Parse([]byte(`{"name": "m", "kernel": "k"}`))
		if err != nil {
			t.Fatal(err)
		}
		for i := range machine.Consoles {
			machine.Consoles[i].Login = login
		}
		for _, check := range NewSuite(machine, nil, uartLines).Checks() {
			machine.Checks = []vmconfig.Check{{Name: check.Name, Expect: "x"}}
			want := fmt.Sprintf("checks[0].name: %q is the name of a check of run-test", check.Name)
			if err := CheckNames(machine); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
		}
	}
}

// Each name of a check of the suite is reported, whatever its number of lines. The names for
// consoles that the machine does not have are free.
func TestCheckNames(t *testing.T) {
	machine := vmconfig.Machine{Consoles: []vmconfig.Console{{Name: "serial", Device: "ttyS0"}, {Name: "raw", Device: "hvc0"}}}
	for _, name := range []string{
		nameStarts, "kernel", nameLogin("ttyS0"), nameLogin("ttyS1"), nameAcross("hvc0", "ttyS0"), NameEndsWell, nameLines("hvc0", 7),
	} {
		machine.Checks = append(machine.Checks, vmconfig.Check{Name: name})
	}
	var got []string
	for _, err := range multierror.Append(nil, CheckNames(machine)).Errors {
		field, _, _ := strings.Cut(err.Error(), ":")
		got = append(got, field)
	}
	want := []string{"checks[0].name", "checks[2].name", "checks[4].name", "checks[5].name", "checks[6].name"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
