package attach

import (
	"strings"
)

// modes are the private modes (CSI ? N h) that a guest has changed and not
// changed back: bit i is that of mode i of the table.
type modes uint16

// mode is a private mode of the terminal that a guest may set.
type mode struct {
	number string
	on     bool   // how it stands at first
	back   string // what brings it back
}

// The order is that in which they are brought back: margins before the
// alternate screen is left, which they are not a part of.
//
// Not among them: what has the terminal send things by itself (mouse: 9,
// 1000-1006, 1015, 1016; focus: 1004; its size and colours: 2031, 2048) or
// changes what its keys mean beyond the application's cursor keys (8, 66, 67,
// 1007, 1034-1039), the size of the window (3, 40), and the user's taste
// (4, 12, 45). Bracketed paste is: it keeps what is pasted from being run.
var knownModes = [...]mode{
	{number: "1", back: "\x1b[?1l"},     // application's cursor keys
	{number: "5", back: "\x1b[?5l"},     // reverse video
	{number: "7", on: true, back: wrap}, // wrap at the right margin
	{number: "25", on: true, back: "\x1b[?25h"},
	{number: "2004", back: "\x1b[?2004l"},
	// Leaving origin mode moves the cursor to the top: take it to the end.
	{number: "6", back: "\x1b[?6l\x1b[r\x1b[32766;1H"},
	{number: "47", back: "\x1b[?47l"},
	{number: "1047", back: "\x1b[?1047l"},
	{number: "1048", back: ""}, // saves and restores the cursor
	{number: "1049", back: "\x1b[?1049l"},
}

const wrap = "\x1b[?7h"

// append appends CSI ? list final with those modes of list that may be set,
// if any, and remembers them.
func (m *modes) append(dst []byte, list string, final byte) []byte {
	begin := "\x1b[?"
	for more := true; more; {
		var number string
		number, list, more = strings.Cut(list, ";")
		for i, known := range knownModes {
			if known.number != number {
				continue
			}
			*m &^= 1 << i
			if (final == 'h') != known.on {
				*m |= 1 << i
			}
			dst = append(append(dst, begin...), number...)
			begin = ";"
		}
	}
	if begin == ";" {
		dst = append(dst, final)
	}
	return dst
}

// always brings back what is not remembered, without moving the cursor or
// clearing anything: insert mode, the keypad, character sets, the scroll region
// and, behind the cursor that was saved with them, colours.
const always = "\x1b[4l\x1b>\x1b(B\x1b)B\x0f\x1b7\x1b[r\x1b8\x1b[0m"

// AppendRestore appends what puts the terminal back: the modes that the guest
// has set and left so. Nothing on the screen is cleared, except that the
// alternate screen gives way to the one before.
func (f *Filter) AppendRestore(dst []byte) []byte {
	dst = append(dst, always...)
	for i, known := range knownModes {
		if f.modes&(1<<i) != 0 {
			dst = append(dst, known.back...)
		}
	}
	f.modes = 0
	return dst
}
