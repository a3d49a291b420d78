package attach

import (
	"fmt"
	"strings"
)

// Key is a key pressed together with Ctrl: one byte that is not part of the sequence of
// another key.
type Key byte

// DefaultEscape is Ctrl-], the escape key of telnet(1) and virsh(1) console too.
const DefaultEscape Key = ']' & 0x1f

// ParseKey parses a key such as "Ctrl-]" or "^]". It refuses Ctrl-M, which is Enter, and
// Ctrl-[, with which the sequences of the cursor keys begin.
func ParseKey(text string) (Key, error) {
	for _, prefix := range []string{"ctrl-", "^"} {
		if len(text) != len(prefix)+1 || !strings.EqualFold(text[:len(prefix)], prefix) {
			continue
		}
		c := strings.ToUpper(text[len(prefix):])[0]
		if 'A' <= c && c <= '_' && c != '[' && c != 'M' {
			return Key(c & 0x1f), nil
		}
	}
	return 0, fmt.Errorf("invalid escape %q: must be a key such as Ctrl-] or ^A, but not ^M or ^[", text)
}

// String returns the key as "Ctrl-]".
func (k Key) String() string { return "Ctrl-" + string(rune(k|'@')) }
