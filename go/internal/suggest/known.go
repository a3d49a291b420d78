package suggest

import "strings"

// HintOrKnown returns Hint without a prefix, or " (known: a, b)" if no known word is near.
func HintOrKnown(word string, known []string) string {
	if hint := Hint(word, "", known); hint != "" {
		return hint
	}
	return " (known: " + strings.Join(known, ", ") + ")"
}
