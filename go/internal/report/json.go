package report

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"microvm-console/internal/plaintext"
	"microvm-console/internal/verdict"
)

// The fields of the JSON report; docs/run-test.md describes them. New ones may be added.
type (
	jsonReport struct {
		Machine     string          `json:"machine"`
		Version     string          `json:"version"`
		Passed      bool            `json:"passed"`
		Interrupted bool            `json:"interrupted,omitempty"`
		Runs        []jsonRun       `json:"runs"`
		Statistics  *jsonStatistics `json:"statistics,omitempty"`
	}
	jsonRun struct {
		Machine        string          `json:"machine"`
		Run            int             `json:"run"`
		VM             string          `json:"vm"`
		Passed         bool            `json:"passed"`
		Started        time.Time       `json:"started"`
		Seconds        float64         `json:"seconds"`
		ToLoginSeconds float64         `json:"toLoginSeconds,omitempty"`
		Accel          string          `json:"accel,omitempty"`
		MachineType    string          `json:"machineType,omitempty"`
		Restarts       int             `json:"restarts,omitempty"`
		Checks         []jsonCheck     `json:"checks"`
		Kernel         *verdict.Result `json:"kernel,omitempty"`
		Command        string          `json:"command,omitempty"`
		Consoles       []jsonConsole   `json:"consoles,omitempty"`
		Kept           string          `json:"kept,omitempty"`
	}
	jsonCheck struct {
		Name    string  `json:"name"`
		Result  string  `json:"result"`
		Seconds float64 `json:"seconds"`
		Why     string  `json:"why,omitempty"`
	}
	jsonConsole struct {
		Device    string   `json:"device"`
		Bytes     int64    `json:"bytes"`
		LastLines []string `json:"lastLines"`
	}
	jsonStatistics struct {
		Runs           int                   `json:"runs"`
		Passed         int                   `json:"passed"`
		ToLoginSeconds *jsonSpread           `json:"toLoginSeconds,omitempty"`
		Checks         []jsonCheckStatistics `json:"checks"`
	}
	jsonCheckStatistics struct {
		Machine string      `json:"machine"`
		Name    string      `json:"name"`
		Passed  int         `json:"passed"`
		Failed  int         `json:"failed"`
		Skipped int         `json:"skipped"`
		NotRun  int         `json:"notRun"`
		Flaky   bool        `json:"flaky"`
		Seconds *jsonSpread `json:"seconds,omitempty"`
	}
	jsonSpread struct {
		Min    float64 `json:"min"`
		Median float64 `json:"median"`
		Max    float64 `json:"max"`
	}
)

// writeJSON writes the report as one object.
func (r Report) writeJSON(w io.Writer) error {
	out := jsonReport{
		Machine: strings.Join(r.Machines, ", "), Version: r.Version, Passed: r.Passed() == len(r.Runs) && !r.Interrupted,
		Interrupted: r.Interrupted, Runs: []jsonRun{},
	}
	for _, run := range r.Runs {
		out.Runs = append(out.Runs, run.json())
	}
	if r.Several() {
		out.Statistics = r.Statistics().json()
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

func (r Run) json() jsonRun {
	out := jsonRun{
		Machine: r.Machine, Run: r.Number, VM: r.VM, Passed: r.Passed(), Started: r.Started.UTC(), Seconds: r.Duration.Seconds(), ToLoginSeconds: r.ToLogin.Seconds(),
		Accel: r.Accel, MachineType: r.Type, Restarts: r.Restarts, Checks: []jsonCheck{}, Kernel: r.Kernel, Command: plaintext.Lines(r.Command), Kept: r.Kept,
	}
	for _, result := range r.Results {
		out.Checks = append(out.Checks, result.json())
	}
	for _, console := range r.Consoles {
		lines := []string{}
		for _, line := range console.Lines {
			lines = append(lines, plaintext.Lines(line))
		}
		out.Consoles = append(out.Consoles, jsonConsole{console.Device, console.Bytes, lines})
	}
	return out
}

func (r Result) json() jsonCheck {
	out := jsonCheck{Name: plaintext.Line(r.Name), Result: "passed", Seconds: r.Duration.Seconds()}
	switch {
	case r.Err != nil:
		out.Result, out.Why = "failed", plaintext.Lines(r.Err.Error())
	case r.Skipped != "":
		out.Result, out.Why = "skipped", plaintext.Line(r.Skipped)
	case r.NotRun != "":
		out.Result, out.Why = "notRun", plaintext.Line(r.NotRun)
	}
	return out
}

func (s Statistics) json() *jsonStatistics {
	out := &jsonStatistics{Runs: s.Runs, Passed: s.Passed, ToLoginSeconds: s.ToLogin.json(), Checks: []jsonCheckStatistics{}}
	for _, check := range s.Checks {
		out.Checks = append(out.Checks, jsonCheckStatistics{
			check.Machine, plaintext.Line(check.Name), check.Passed, check.Failed, check.Skipped, check.NotRun, check.Flaky, check.Time.json(),
		})
	}
	return out
}

// json returns nil for a zero Spread.
func (s Spread) json() *jsonSpread {
	if s.Max == 0 {
		return nil
	}
	return &jsonSpread{s.Min.Seconds(), s.Median.Seconds(), s.Max.Seconds()}
}
