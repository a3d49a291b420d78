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
	results int          // how many have come
	low     int          // all numbers up to this one have a result
	seen    map[int]bool // further numbers of results
}

// noResult is why a planned test has failed if the results of others follow.
const noResult = "no result (its line may have been lost)"

// maxMissing is how many results that are missing are listed.
const maxMissing = 1000

func numbered(number int) string { return fmt.Sprintf("test %d", number) }

// add adds the result of that number.
func (l *level) add(test Test, number int) {
	l.tests = append(l.tests, test)
	l.results++
	l.see(number)
}

// see notes that the number has a result.
func (l *level) see(number int) {
	if number <= l.low {
		return // a second one
	}
	if l.seen == nil {
		l.seen = map[int]bool{}
	}
	l.seen[number] = true
	for l.seen[l.low+1] {
		l.low++
		delete(l.seen, l.low)
	}
}

// next returns the first number without a result.
func (l *level) next() int { return l.low + 1 }

// complete reports whether there is a plan and all its results have come.
func (l *level) complete() bool { return l.planned && l.low >= l.plan }

// follow begins the results of a program that follows another one. Those that are missing have failed.
func (l *level) follow() {
	l.fill(noResult, Failed)
	l.base, l.low, l.seen = l.plan, l.plan, nil
}

// fill adds the results that are missing, with the given outcome.
func (l *level) fill(why string, outcome Outcome) {
	missing := l.plan - l.low
	for number := range l.seen {
		if number <= l.plan {
			missing--
		}
	}
	for number, listed := l.next(), 0; missing > 0; number++ {
		if l.seen[number] {
			continue
		}
		if listed == maxMissing {
			l.tests = append(l.tests, Test{Name: fmt.Sprintf("%d more tests", missing), Outcome: outcome, Why: why})
			return
		}
		l.tests = append(l.tests, Test{Name: numbered(number - l.base), Outcome: outcome, Why: why})
		missing--
		listed++
	}
}

// close returns the tests of the level. Those that are missing have the given outcome.
func (l *level) close(why string, outcome Outcome) []Test {
	if l.planned && l.plan == 0 && len(l.tests) == 0 {
		return []Test{{Name: "all tests", Outcome: Skipped, Why: l.skipped}}
	}
	l.fill(why, outcome)
	if l.planned && l.results > l.plan {
		l.tests = append(l.tests, Test{Name: "plan", Outcome: Failed, Why: fmt.Sprintf("%d results, the plan has %d", l.results, l.plan)})
	}
	return l.tests
}
