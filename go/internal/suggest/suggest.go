// Package suggest finds the known word that a user may have meant by an unknown one: a
// flag, a field, a channel, the name of a VM.
package suggest

import (
	"math"
	"strings"
)

// Nearest returns the word of known that is nearest to word, or "" if none is near. Upper
// and lower case are the same. A known word is near if it takes few edits to get there from
// word: one for each three of its letters. Failing that, a known word is near if
// it begins with word, or word with it. Of equally near words, Nearest returns the first.
func Nearest(word string, known []string) string {
	from := strings.ToLower(word)
	best, least := "", math.MaxInt
	for _, candidate := range known {
		if d := distance([]rune(from), []rune(strings.ToLower(candidate))); d <= len([]rune(from))/3 && d < least {
			best, least = candidate, d
		}
	}
	if best != "" {
		return best
	}
	for _, candidate := range known {
		to := strings.ToLower(candidate)
		begins := strings.HasPrefix(to, from) || strings.HasPrefix(from, to)
		added := max(len(to)-len(from), len(from)-len(to))
		if begins && min(len(from), len(to)) >= minPrefix && added < least {
			best, least = candidate, added
		}
	}
	return best
}

// Hint returns " (did you mean X?)" for the nearest known word X, with prefix before it, or
// "" if none is near. It follows the part of an error that names the unknown word.
func Hint(word, prefix string, known []string) string {
	nearest := Nearest(word, known)
	if nearest == "" {
		return ""
	}
	return " (did you mean " + prefix + nearest + "?)"
}

// minPrefix is the length of the shortest beginning that identifies a word.
const minPrefix = 2

// distance returns the number of edits between a and b: letters that are inserted, deleted
// or replaced, and neighbors that are swapped (the optimal string alignment distance).
func distance(a, b []rune) int {
	// Row i holds the distances between the first i letters of a and each beginning of b.
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
