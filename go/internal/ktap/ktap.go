// Package ktap reads the results of tests in KTAP and TAP, as the kernel's kselftest and KUnit
// print them (Documentation/dev-tools/ktap.rst in the kernel's source).
//
// The output of a console has other lines too: those of the kernel, which begin with a time in
// brackets and may cut a line of a program in two. KUnit prints its results as lines of the
// kernel. The tests of a test follow one level deeper: after spaces, or after "# " from
// kselftest's runner.
//
// Invariants: no input makes the parser fail, and it keeps a bounded part of each line and of
// each plan.
package ktap

// Outcome is how a test has ended.
type Outcome string

// The outcomes. A test that fails as expected is Skipped.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped"
	NotRun  Outcome = "not run"
)

// Test is one test, or a suite of tests.
type Test struct {
	Name    string
	Outcome Outcome
	Why     string // unless it has passed: what follows "#" in its line, and the lines before that
	Tests   []Test // of a suite
}

// separator is between the names of a suite and of its test.
const separator = " / "

// Cases returns the tests without tests of their own, with the names of their suites before
// their names. A suite is returned only if it has failed and none of its tests has.
func Cases(tests []Test) []Test {
	var cases []Test
	for _, test := range tests {
		if len(test.Tests) == 0 {
			cases = append(cases, test)
			continue
		}
		below := Cases(test.Tests)
		for i := range below {
			below[i].Name = test.Name + separator + below[i].Name
		}
		cases = append(cases, below...)
		if test.Outcome == Failed && Count(below, Failed) == 0 {
			cases = append(cases, Test{Name: test.Name, Outcome: Failed, Why: test.Why})
		}
	}
	return cases
}

// Count returns how many of the tests have the outcome.
func Count(tests []Test, outcome Outcome) int {
	count := 0
	for _, test := range tests {
		if test.Outcome == outcome {
			count++
		}
	}
	return count
}
