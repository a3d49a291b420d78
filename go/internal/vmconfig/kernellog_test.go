package vmconfig_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/verdict"
	"microvm-console/internal/vmconfig"
)

// kernelLog returns a vm.json with rules for the kernel's log.
func kernelLog(rules string) []byte {
	return []byte(`{"name": "demo", "kernel": "bzImage", "kernelLog": ` + rules + `}`)
}

// texts returns the texts of a *multierror.Error; nil for nil.
func texts(err error) (all []string) {
	var errs *multierror.Error
	if errors.As(err, &errs) {
		for _, err := range errs.Errors {
			all = append(all, err.Error())
		}
	}
	return all
}

func TestKernelLogMistakes(t *testing.T) {
	t.Parallel()
	for rules, want := range map[string][]string{
		`{}`:                      nil,
		`{"warnings": "fail"}`:    nil,
		`{"warnings": "allowed"}`: {`kernelLog.warnings: unknown treatment "allowed" (choose fail, note or ignore)`},
		`{"warning": "fail"}`:     {"kernelLog.warning: unknown field (did you mean warnings?)"},
		`{"allow": [{"match": "x", "reason": "y"}, {}, {"match": "a*", "reason": " "}]}`: {
			"kernelLog.allow[1].match: is missing",
			"kernelLog.allow[1].reason: is missing (write why the event is allowed; reports have it)",
			`kernelLog.allow[2].match: "a*" matches the empty text, so every event would be allowed`,
			"kernelLog.allow[2].reason: is missing (write why the event is allowed; reports have it)",
		},
	} {
		_, err := vmconfig.Parse(kernelLog(rules))
		if diff := cmp.Diff(want, texts(err)); diff != "" {
			t.Errorf("%s: %s", rules, diff)
		}
	}
	_, err := vmconfig.Parse(kernelLog(`{"allow": [{"match": "(", "reason": "y"}]}`))
	if err == nil || !strings.Contains(err.Error(), `kernelLog.allow[0].match: invalid regular expression "("`) {
		t.Errorf("invalid expression: %v", err)
	}
}

func TestWarningsThatAreHidden(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		params string
		want   int // the index of the parameter; -1: none
	}{
		{`"quiet"`, 0},
		{`"a", "loglevel=4"`, 1},
		{`"loglevel=5"`, -1},
		{`"quiet", "loglevel=7"`, -1},
		{`"debug", "quiet"`, 1},
		{`"quiet", "ignore_loglevel"`, -1},
	} {
		for _, warnings := range []string{"fail", "note"} {
			text := bytes.Replace(kernelLog(`{"warnings": "`+warnings+`"}`), []byte("{"), []byte(`{"kernelParams": [`+test.params+`],`), 1)
			_, err := vmconfig.Parse(text)
			hidden := err != nil && strings.Contains(err.Error(), fmt.Sprintf("kernelParams[%d]: ", test.want))
			if want := test.want >= 0 && warnings == "fail"; hidden != want || err != nil && !want {
				t.Errorf("%s, %s: %v", test.params, warnings, err)
			}
		}
	}
}

func TestKernelLogRules(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "allow")
	if err := os.WriteFile(file, []byte("# known\noops in foo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := vmconfig.Parse(kernelLog(`{"warnings": "fail", "allow": [{"match": "x", "reason": "y"}], "allowFile": "` + file + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := m.KernelLog.Rules()
	if err != nil || vmconfig.CheckAllowFile(m) != nil {
		t.Fatal(err, vmconfig.CheckAllowFile(m))
	}
	var got []string
	for _, allowance := range rules.Allow {
		got = append(got, allowance.Match.String()+": "+allowance.Reason)
	}
	if diff := cmp.Diff([]string{"x: y", "oops in foo: known"}, got); diff != "" || rules.Warnings != verdict.Fail {
		t.Error(rules.Warnings, diff)
	}
	if err := os.WriteFile(file, []byte("\n(\n.*\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := texts(vmconfig.CheckAllowFile(m)); len(got) != 2 || !strings.HasPrefix(got[0], "kernelLog.allowFile: "+file+":2: ") {
		t.Errorf("got %q", got)
	}
	m.KernelLog.AllowFile = file + "none"
	if got := texts(vmconfig.CheckAllowFile(m)); len(got) != 1 {
		t.Errorf("got %q", got)
	}
	if rules, err := (*vmconfig.KernelLog)(nil).Rules(); err != nil || rules.Warnings != verdict.Note {
		t.Errorf("without kernelLog: %v, %v", rules, err)
	}
}
