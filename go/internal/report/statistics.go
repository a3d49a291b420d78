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

// CheckStatistics are the statistics of one check.
type CheckStatistics struct {
	Name string
	Count
	Time Spread // over the runs in which it passed
}

// Spread is the range of some durations. It is zero if there are none.
type Spread struct{ Min, Median, Max time.Duration }

// Statistics returns the statistics of all runs. Each check has the place at which the runs
// first have it.
func (r Report) Statistics() Statistics {
	s := Statistics{Runs: len(r.Runs), Passed: r.Passed()}
	results := map[string][]Result{}
	var names []string
	var logins []time.Duration
	for _, run := range r.Runs {
		if run.ToLogin > 0 {
			logins = append(logins, run.ToLogin)
		}
		for _, result := range run.Results {
			if results[result.Name] == nil {
				names = append(names, result.Name)
			}
			results[result.Name] = append(results[result.Name], result)
		}
	}
	s.ToLogin = spread(logins)
	for _, name := range names {
		s.Checks = append(s.Checks, statistics(name, results[name]))
	}
	return s
}

// statistics returns the statistics of one check.
func statistics(name string, results []Result) CheckStatistics {
	var times []time.Duration
	for _, result := range results {
		if result.Err == nil && result.Skipped == "" && result.NotRun == "" {
			times = append(times, result.Duration)
		}
	}
	return CheckStatistics{name, Run{Results: results}.Count(), spread(times)}
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

// write writes the statistics for people.
func (s Statistics) write(w io.Writer) error {
	fmt.Fprintf(w, "%d of %d runs passed\n", s.Passed, s.Runs)
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "passed\tmin\tmedian\tmax\t")
	row := func(passed string, time Spread, name string) {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t  %s\n", passed, shown(time.Min), shown(time.Median), shown(time.Max), plaintext.Line(name))
	}
	for _, check := range s.Checks {
		row(fmt.Sprintf("%d/%d", check.Passed, check.Passed+check.Failed), check.Time, check.Name)
	}
	if s.ToLogin.Max > 0 {
		row("", s.ToLogin, "from QEMU's start to the first login prompt")
	}
	return table.Flush()
}

// shown returns a duration as the table has it.
func shown(time time.Duration) string {
	if time == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f s", time.Seconds())
}
