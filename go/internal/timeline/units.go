package timeline

import (
	"fmt"
	"strconv"
	"time"
)

// duration returns a duration for people: "0.34 s", "12.5 s", "3m20s".
func duration(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < 100*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// size returns a number of bytes for people.
func size(bytes int64) string {
	switch {
	case bytes < 1000:
		return strconv.FormatInt(bytes, 10) + " B"
	case bytes < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(bytes)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

// tick returns the time between the times of an axis that shows d: at most 10 of them.
func tick(d time.Duration) time.Duration {
	for step := time.Millisecond; ; step *= 10 {
		for _, factor := range []time.Duration{1, 2, 5} {
			if (d-1)/10 < factor*step { // d <= 10*factor*step, which may overflow
				return factor * step
			}
		}
	}
}

// axisTime returns a time of the axis.
func axisTime(at, step time.Duration) string {
	if step >= time.Minute {
		return at.Round(time.Second).String()
	}
	digits := 0
	for unit := time.Second; unit > step; unit /= 10 {
		digits++
	}
	return strconv.FormatFloat(at.Seconds(), 'f', digits, 64) + " s"
}
