package vmconfig

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/strictjson"
	"microvm-console/internal/verdict"
)

// KernelLog is what run-test accepts in the log of the guest's kernel.
type KernelLog struct {
	// Warnings is what a warning (WARN) means: "fail", "note" (default) or "ignore". Every other
	// event fails.
	Warnings verdict.Treatment `json:"warnings,omitempty"`
	// Allow are events that do not fail. A warning that is allowed is printed too, unless
	// warnings are ignored.
	Allow []Allowance `json:"allow,omitempty"`
	// AllowFile is the path of a file with one Match in each line; see
	// verdict.ReadAllowances. Default: none.
	AllowFile string `json:"allowFile,omitempty"`
}

// Allowance allows events of the kernel.
type Allowance struct {
	// Match is a regular expression (RE2), which is searched in the line that names an event.
	// Required.
	Match string `json:"match"`
	// Reason is why the event is allowed. Required; reports have it.
	Reason string `json:"reason"`
}

// Rules returns the rules for the verdict on the kernel's log. k must be valid; nil is the default.
// The error is that of the file of allowances.
func (k *KernelLog) Rules() (verdict.Rules, error) {
	rules := verdict.Rules{Warnings: verdict.Note}
	if k == nil {
		return rules, nil
	}
	if k.Warnings != "" {
		rules.Warnings = k.Warnings
	}
	for _, allowance := range k.Allow {
		match, err := verdict.Compile(allowance.Match)
		if err != nil {
			return rules, err
		}
		rules.Allow = append(rules.Allow, verdict.Allowance{Match: match, Reason: allowance.Reason})
	}
	if k.AllowFile == "" {
		return rules, nil
	}
	more, err := verdict.ReadAllowances(k.AllowFile)
	rules.Allow = append(rules.Allow, more...)
	return rules, err
}

// CheckAllowFile returns a *multierror.Error with every mistake in the file of allowances.
func CheckAllowFile(m Machine) error {
	if m.KernelLog == nil || m.KernelLog.AllowFile == "" {
		return nil
	}
	_, err := verdict.ReadAllowances(m.KernelLog.AllowFile)
	var errs *multierror.Error
	for _, err := range multierror.Append(nil, err).WrappedErrors() {
		errs = multierror.Append(errs, strictjson.Mistakef("kernelLog.allowFile", "%w", err))
	}
	return errs.ErrorOrNil()
}

// validate validates what does not need the file of allowances.
func (k *KernelLog) validate(wrong func(field, format string, args ...any)) {
	if k == nil {
		return
	}
	if k.Warnings != "" && !slices.Contains(verdict.Treatments(), k.Warnings) {
		wrong("kernelLog.warnings", "unknown treatment %q (choose fail, note or ignore)", k.Warnings)
	}
	for i, allowance := range k.Allow {
		field := fmt.Sprintf("kernelLog.allow[%d].", i)
		switch _, err := verdict.Compile(allowance.Match); {
		case allowance.Match == "":
			wrong(field+"match", "is missing")
		case err != nil:
			wrong(field+"match", "%w", err)
		}
		if strings.TrimSpace(allowance.Reason) == "" {
			wrong(field+"reason", "is missing (write why the event is allowed; reports have it)")
		}
	}
}

// warningLevel is the level of the kernel's warnings. A console prints the messages below its level.
const warningLevel = 4

// validateLevel rejects kernel parameters that hide warnings, if a warning fails.
func (k *KernelLog) validateLevel(params []string, wrong func(field, format string, args ...any)) {
	if k == nil || k.Warnings != verdict.Fail || slices.Contains(params, "ignore_loglevel") {
		return
	}
	hides := -1 // the index of the parameter; the last one counts
	for i, param := range params {
		switch name, value, _ := strings.Cut(param, "="); name {
		case "quiet":
			hides = i
		case "debug":
			hides = -1
		case "loglevel":
			hides = -1
			if level, err := strconv.Atoi(value); err == nil && level <= warningLevel {
				hides = i
			}
		}
	}
	if hides >= 0 {
		wrong(fmt.Sprintf("kernelParams[%d]", hides), "%q keeps warnings off the consoles, so none can fail (remove it, or set kernelLog.warnings to \"note\")", params[hides])
	}
}
