package report

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"microvm-console/internal/plaintext"
)

// Statistics are what several runs say together.
type Statistics struct {
	Runs, Passed int
	ToLogin      Spread // of the runs in which a login prompt came
	Checks       []CheckStatistics
}

// CheckStatistics are those of one check.
type CheckStatistics struct {
	Name string
	Count
	Time Spread // of the runs in which it passed
}

// Spread is how far times lie apart; all are 0 where there is none.
type Spread struct{ Min, Median, Max time.Duration }

// Statistics are those of all runs. The checks are in the order of the first run
// that has them.
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

// statistics are those of one check.
func statistics(name string, results []Result) CheckStatistics {
	var times []time.Duration
	for _, result := range results {
		if result.Err == nil && result.Skipped == "" && result.NotRun == "" {
			times = append(times, result.Duration)
		}
	}
	return CheckStatistics{name, Run{Results: results}.Count(), spread(times)}
}

// spread is that of times; the median of an even number is between the two in the
// middle.
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

// shown is a time in the table.
func shown(time time.Duration) string {
	if time == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f s", time.Seconds())
}
