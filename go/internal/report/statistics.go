package report

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"microvm-console/internal/plaintext"
)

// Statistics are the statistics of several runs.
type Statistics struct {
	Runs, Passed int
	ToLogin      Spread // over the runs with a login prompt
	Checks       []CheckStatistics
}

// CheckStatistics are the statistics of one check of one machine.
type CheckStatistics struct {
	Machine, Name string
	Count
	// Flaky is set if the check has failed in some runs, and has passed in others, or those have
	// passed without a result of it.
	Flaky bool
	Time  Spread // over the runs in which it passed
}

// Spread is the range of some durations. It is zero if there are none.
type Spread struct{ Min, Median, Max time.Duration }

// Statistics returns the statistics of all runs. Each check has the place at which the runs
// first have it.
func (r Report) Statistics() Statistics {
	s := Statistics{Runs: len(r.Runs), Passed: r.Passed()}
	type check struct{ machine, name string }
	results := map[check][]Result{}
	passed := map[string]bool{} // the machines of which a run has passed
	var checks []check
	var logins []time.Duration
	for _, run := range r.Runs {
		if run.ToLogin > 0 {
			logins = append(logins, run.ToLogin)
		}
		for _, result := range run.Results {
			key := check{run.Machine, result.Name}
			if results[key] == nil {
				checks = append(checks, key)
			}
			results[key] = append(results[key], result)
		}
		passed[run.Machine] = passed[run.Machine] || run.Passed()
	}
	s.ToLogin = spread(logins)
	for _, key := range checks {
		one := statistics(results[key])
		one.Machine, one.Name = key.machine, key.name
		one.Flaky = one.Failed > 0 && (one.Passed > 0 || passed[key.machine])
		s.Checks = append(s.Checks, one)
	}
	return s
}

// statistics returns the statistics of the results of one check.
func statistics(results []Result) CheckStatistics {
	var times []time.Duration
	for _, result := range results {
		if result.Err == nil && result.Skipped == "" && result.NotRun == "" {
			times = append(times, result.Duration)
		}
	}
	return CheckStatistics{Count: Run{Results: results}.Count(), Time: spread(times)}
}

// spread returns the spread of times. The median of an even number of them is halfway
// between the two in the middle.
func spread(times []time.Duration) Spread {
	if len(times) == 0 {
		return Spread{}
	}
	slices.Sort(times)
	half := len(times) / 2
	median := times[half]
	if len(times)%2 == 0 {
		median = (times[half-1] + times[half]) / 2
	}
	return Spread{times[0], median, times[len(times)-1]}
}

// writeStatistics writes the statistics for people.
func (r Report) writeStatistics(w io.Writer) error {
	s := r.Statistics()
	fmt.Fprintf(w, "%d of %d runs passed\n", s.Passed, s.Runs)
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "passed\tmin\tmedian\tmax\t")
	row := func(passed string, time Spread, name string) {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t  %s\n", passed, shown(time.Min), shown(time.Median), shown(time.Max), plaintext.Line(name))
	}
	for _, check := range s.Checks {
		row(fmt.Sprintf("%d/%d", check.Passed, check.Passed+check.Failed), check.Time, r.machine(check.Machine)+check.Name)
	}
	if s.ToLogin.Max > 0 {
		row("", s.ToLogin, "from QEMU's start to the first login prompt")
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, check := range s.Checks {
		if check.Flaky {
			runs := r.count(func(run Run) bool { return run.Machine == check.Machine })
			fmt.Fprintf(w, "flaky: %s (failed in %d of %d runs)\n", plaintext.Line(r.machine(check.Machine)+check.Name), check.Failed, runs)
		}
	}
	return nil
}

// shown returns a duration as the table has it.
func shown(time time.Duration) string {
	if time == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f s", time.Seconds())
}
