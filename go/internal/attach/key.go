package attach

import (
	"fmt"
	"strings"
)

// Key is a key pressed together with Ctrl: one byte, which is part of no other
// key's sequence.
type Key byte

// DefaultEscape is Ctrl-], which leaves telnet(1) and virsh console as well.
const DefaultEscape Key = ']' & 0x1f

// ParseKey reads "Ctrl-]" or "^]". Ctrl-M is Enter, and with Ctrl-[ begin the
// cursor keys: they are refused.
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
	return 0, fmt.Errorf("escape: %q is no key that can leave (choose one as Ctrl-] or ^A)", text)
}

// String is the key as it is said.
func (k Key) String() string { return "Ctrl-" + string(rune(k|'@')) }
