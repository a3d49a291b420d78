package attach

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

const (
	// maxSequence is how long a control sequence may be, in bytes. The longest
	// that programs print set a few colours.
	maxSequence = 256
	// maxString is how much of a control string is swallowed, in bytes, where
	// neither its end nor the end of the line comes.
	maxString = 64 << 10
	// maxMarks is how many combining marks pass behind one another: Unicode's
	// Stream-Safe Text Format (UAX #15, section 13), which holds for every language.
	maxMarks = 30
)

// The bytes with a meaning of their own; ECMA-48 and xterm's control sequences
// tell the rest.
const (
	bel    = 0x07
	can    = 0x18
	sub    = 0x1a
	escape = 0x1b
	del    = 0x7f
)

// filterState is where in a sequence a Filter is. The machine is that of Paul
// Williams, "A parser for DEC's ANSI-compatible video terminals"
// (https://vt100.net/emu/dec_ansi_parser), without what is never passed on.
type filterState byte

const (
	ground        filterState = iota
	character                 // within a character of several bytes
	escaped                   // behind ESC
	control                   // behind ESC [
	controlString             // behind ESC ] and its like
)

// Filter lets through what a guest may do to its user's terminal: text,
// colours, moving about, erasing, what a full-screen program needs. It lets
// through only what it knows; see sequences.go.
//
// What comes out is valid UTF-8 without C1 controls, without invisible characters that
// have other text seen than is there, and with at most maxMarks combining marks behind
// one another; and a control sequence
// comes out whole or not at all: the bytes of one may come in any number of
// pieces. It keeps at most maxSequence bytes. The zero value is ready.
type Filter struct {
	state filterState
	held  []byte // the sequence or the character so far, without ESC and ESC [
	count int    // bytes of the control string so far
	marks int    // combining marks since the last other character
	modes modes  // what the guest has set
	asked bool   // a question was let through; see Asked
}

// Append appends to dst what of src may pass. live reports whether src is printed
// just now: a question to the terminal from the past is never passed on, for
// the answer would be typed into a program that did not ask.
func (f *Filter) Append(dst, src []byte, live bool) []byte {
	for i := 0; i < len(src); {
		if f.state == ground {
			n := text(src[i:])
			dst = append(dst, src[i:i+n]...)
			// Marks behind a line's end are drawn over what is before that.
			if len(bytes.Trim(src[i:i+n], "\r\n")) > 0 {
				f.marks = 0
			}
			if i += n; i == len(src) {
				break
			}
		}
		dst = f.next(dst, src[i], live)
		i++
	}
	return dst
}

// Asked reports whether a question to the terminal was let through since the
// last call: its answer may be under way.
func (f *Filter) Asked() bool {
	asked := f.asked
	f.asked = false
	return asked
}

// text is how many bytes at the start of src are text that passes as it is.
func text(src []byte) int {
	for i := 0; i < len(src); {
		if c := src[i]; c >= ' ' && c < del || c == '\n' || c == '\r' {
			i++
			continue
		}
		r, size := utf8.DecodeRune(src[i:])
		if size < 2 || r < 0xa0 || invisible(r) || combining(r) {
			return i
		}
		i += size
	}
	return len(src)
}

// next takes one byte.
func (f *Filter) next(dst []byte, c byte, live bool) []byte {
	if f.state == character {
		return f.character(dst, c, live)
	}
	switch {
	case c == escape:
		f.enter(escaped)
		return dst
	case c == can || c == sub:
		f.enter(ground)
		return dst
	case f.state == controlString:
		f.swallow(c)
		return dst
	case c < ' ':
		return appendC0(dst, c)
	case c == del:
		return dst
	case c >= utf8.RuneSelf:
		f.enter(character)
		return f.character(dst, c, live)
	case f.state == ground:
		f.marks = 0
		return append(dst, c)
	}
	return f.sequence(dst, c, live)
}

// enter begins anew in a state.
func (f *Filter) enter(s filterState) {
	f.state, f.held, f.count = s, f.held[:0], 0
}

// appendC0 appends a C0 control if it may pass: from BEL to SI, which is the
// bell, what moves the cursor, and the choice of the character set. ENQ has
// some terminals answer; the others do nothing or are meant for a line.
func appendC0(dst []byte, c byte) []byte {
	if c < bel || c > 0x0f {
		return dst
	}
	return append(dst, c)
}

// character takes one byte of a character of several. A byte that is no part
// of one is shown as U+FFFD, as terminals do, and a C1 control not at all.
func (f *Filter) character(dst []byte, c byte, live bool) []byte {
	f.held = append(f.held, c)
	if !utf8.FullRune(f.held) {
		return dst
	}
	r, size := utf8.DecodeRune(f.held)
	first := f.held[0]
	var left [utf8.UTFMax]byte
	rest := left[:copy(left[:], f.held[size:])]
	f.enter(ground)
	switch {
	case r == utf8.RuneError && size == 1 && first < 0xa0:
	case r < 0xa0: // a C1 control
	case invisible(r):
	case combining(r):
		if f.marks++; f.marks <= maxMarks {
			dst = utf8.AppendRune(dst, r)
		}
	default:
		f.marks = 0
		dst = utf8.AppendRune(dst, r)
	}
	for _, c := range rest {
		dst = f.next(dst, c, live)
	}
	return dst
}

// invisible reports whether r has a terminal, or whoever copies from it, take text for
// other text than is seen: the directional embeddings, overrides and isolates
// (UAX #9, section 2; CVE-2021-42574), and the tag characters, which show nothing. The
// marks that text in Arabic or Hebrew needs (U+061C, U+200E, U+200F) are none of them.
func invisible(r rune) bool {
	return 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069 || 0xe0000 <= r && r <= 0xe007f
}

// combining reports whether r is drawn over the character before it.
func combining(r rune) bool { return r >= 0x300 && unicode.In(r, unicode.Mn, unicode.Me) }

// swallow takes one byte of a control string. It ends with ST, whose ESC has
// been seen to, or BEL; and with the line, so that one which never ends, as
// noise on a line has it, hides no more than that.
func (f *Filter) swallow(c byte) {
	f.count++
	if c == bel || c == '\n' || f.count >= maxString {
		f.enter(ground)
	}
}

// sequence takes one byte, from SP to ~, of an escape or control sequence.
func (f *Filter) sequence(dst []byte, c byte, live bool) []byte {
	switch {
	case f.state == escaped && len(f.held) == 0 && c == '[':
		f.enter(control)
		return dst
	case f.state == escaped && len(f.held) == 0 && opensString(c):
		f.enter(controlString)
		return dst
	case f.state == escaped && c < '0', f.state == control && c < '@':
		f.held = append(f.held, c)
		if len(f.held) >= maxSequence {
			f.enter(ground)
		}
		return dst
	case f.state == escaped:
		dst = f.appendEscape(dst, c)
	default:
		dst = f.appendControl(dst, c, live)
	}
	f.enter(ground)
	return dst
}

// opensString reports whether ESC c begins a control string: DCS, SOS, OSC, PM,
// APC, and the title of screen(1).
func opensString(c byte) bool {
	switch c {
	case 'P', 'X', ']', '^', '_', 'k':
		return true
	}
	return false
}
