package ktap

import "fmt"

// level is the list of results of one program or suite.
type level struct {
	width   int
	name    string // of the suite; "" if it is unknown so far
	planned bool   // there was a plan
	plan    int    // how many results there will be
	base    int    // how many of them are of programs that came earlier
	skipped string // why the plan is empty
	tests   []Test
	seen    map[int]bool // the numbers of the results, from 1
}

// noResult is why a planned test has failed if the results of others follow.
const noResult = "no result (its line may have been lost)"

// maxMissing is how many results that are missing are listed.
const maxMissing = 1000

func numbered(number int) string { return fmt.Sprintf("test %d", number) }

// see notes that the result of that number has come.
func (l *level) see(number int) {
	if l.seen == nil {
		l.seen = map[int]bool{}
	}
	l.seen[number] = true
}

// next returns the first number without a result.
func (l *level) next() int {
	for number := l.base + 1; ; number++ {
		if !l.seen[number] {
			return number
		}
	}
}

// complete reports whether there is a plan and all its results have come.
func (l *level) complete() bool { return l.planned && len(l.tests) >= l.plan }

// close returns the tests of the level. Those that are missing have the given outcome.
func (l *level) close(why string, outcome Outcome) []Test {
	tests := l.tests
	if l.planned && l.plan == 0 && len(tests) == 0 {
		return []Test{{Name: "all tests", Outcome: Skipped, Why: l.skipped}}
	}
	missing := 0
	for number := 1; number <= l.plan && missing < maxMissing && len(tests) < l.plan; number++ {
		if !l.seen[number] {
			missing++
			tests = append(tests, Test{Name: numbered(number), Outcome: outcome, Why: why})
		}
	}
	if l.planned && len(tests) < l.plan {
		tests = append(tests, Test{Name: fmt.Sprintf("%d more tests", l.plan-len(tests)), Outcome: outcome, Why: why})
	}
	if l.planned && len(l.tests) > l.plan {
		tests = append(tests, Test{Name: "plan", Outcome: Failed, Why: fmt.Sprintf("%d results, the plan has %d", len(l.tests), l.plan)})
	}
	return tests
}
