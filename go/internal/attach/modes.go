package attach

import (
	"strings"
)

// modes are the private modes (CSI ? N h) that a guest has changed and not reset. Bit i is
// for mode i of knownModes.
type modes uint16

// mode is a private mode of the terminal that a guest may set.
type mode struct {
	number string
	on     bool   // the initial state
	reset  string // the sequence that restores it
}

// knownModes are in the order in which they are reset: margins first, as the alternate
// screen does not include them.
//
// Left out are the modes in which the terminal sends data by itself (mouse: 9, 1000-1006,
// 1015, 1016; focus: 1004; size and colors: 2031, 2048) or changes its keys beyond the
// application cursor keys (8, 66, 67, 1007, 1034-1039), the size of the window (3, 40), and
// the preferences of the user (4, 12, 45). Bracketed paste is included: it keeps pasted
// lines from being run.
var knownModes = [...]mode{
	{number: "1", reset: "\x1b[?1l"},     // application cursor keys
	{number: "5", reset: "\x1b[?5l"},     // reverse video
	{number: "7", on: true, reset: wrap}, // wrap at the right margin
	{number: "25", on: true, reset: "\x1b[?25h"},
	{number: "2004", reset: "\x1b[?2004l"},
	// Leaving origin mode moves the cursor to the top, so move it to the last line.
	{number: "6", reset: "\x1b[?6l\x1b[r\x1b[32766;1H"},
	{number: "47", reset: "\x1b[?47l"},
	{number: "1047", reset: "\x1b[?1047l"},
	{number: "1048", reset: ""}, // saves and restores the cursor
	{number: "1049", reset: "\x1b[?1049l"},
}

const wrap = "\x1b[?7h"

// append appends CSI ? list final with the modes of list that may be set, if any, and
// records them.
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

// always resets what is not recorded, without moving the cursor or clearing anything:
// insert mode, the keypad, character sets, the scroll region and, after the cursor, which
// was saved with them, colors.
const always = "\x1b[4l\x1b>\x1b(B\x1b)B\x0f\x1b7\x1b[r\x1b8\x1b[0m"

// AppendRestore appends the sequences that reset the modes that the guest has changed. They
// clear nothing, but leave the alternate screen.
func (f *Filter) AppendRestore(dst []byte) []byte {
	dst = append(dst, always...)
	for i, known := range knownModes {
		if f.modes&(1<<i) != 0 {
			dst = append(dst, known.reset...)
		}
	}
	f.modes = 0
	return dst
}
