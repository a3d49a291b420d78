package attach

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

const (
	// maxSequence bounds a control sequence, in bytes. The longest ones that programs
	// print set a few colors.
	maxSequence = 256
	// maxString bounds how much of a control string is dropped, in bytes, if neither its
	// end nor the end of the line comes.
	maxString = 64 << 10
	// maxMarks is how many combining marks may follow one another: the limit of Unicode's
	// Stream-Safe Text Format (UAX #15, section 13), which suffices for every language.
	maxMarks = 30
)

// The control characters with a meaning here. ECMA-48 and xterm's "Control Sequences"
// describe the sequences.
const (
	bel    = 0x07
	can    = 0x18
	sub    = 0x1a
	escape = 0x1b
	del    = 0x7f
)

// filterState is the state of a Filter's parser. It is the state machine of Paul Williams,
// "A parser for DEC's ANSI-compatible video terminals"
// (https://vt100.net/emu/dec_ansi_parser), without the states for sequences that are
// always dropped.
type filterState byte

const (
	ground        filterState = iota
	character                 // within a multi-byte character
	escaped                   // after ESC
	control                   // after ESC [
	controlString             // after ESC ] and similar
)

// Filter removes from the output of a guest what could harm a terminal. It passes only what
// it knows: text, colors, cursor movement, erasing, and what a full-screen program needs;
// see sequences.go.
//
// The result is valid UTF-8. It has no C1 controls, no invisible characters that make text
// look like other text, and at most maxMarks combining marks in a row. A control sequence
// is passed whole or not at all, in however many pieces its bytes come. A Filter keeps at
// most maxSequence bytes. The zero value is ready to use.
type Filter struct {
	state filterState
	held  []byte // the sequence or the character so far, without ESC and ESC [
	count int    // bytes of the control string so far
	marks int    // combining marks since the last other character
	modes modes  // the modes that the guest has changed
	asked bool   // a question was passed; see Asked
}

// Append appends src without what is removed to dst. live reports whether the guest prints
// src now. A question to the terminal passes only if it is live: the answer to an old one
// would be typed into a program that did not ask.
func (f *Filter) Append(dst, src []byte, live bool) []byte {
	for i := 0; i < len(src); {
		if f.state == ground {
			n := text(src[i:])
			dst = append(dst, src[i:i+n]...)
			// Marks after a line end are drawn over the character before it.
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

// Asked reports whether a question to the terminal has passed since the last call. If so,
// its answer may be on its way.
func (f *Filter) Asked() bool {
	asked := f.asked
	f.asked = false
	return asked
}

// text returns how many bytes at the start of src are text that passes unchanged.
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

// next processes one byte.
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

// enter changes to a state and drops what is held.
func (f *Filter) enter(s filterState) {
	f.state, f.held, f.count = s, f.held[:0], 0
}

// appendC0 appends a C0 control if it may pass: BEL to SI, which are the bell, the cursor
// movements and the choice of the character set. Some terminals answer to ENQ; the others
// do nothing or control a line.
func appendC0(dst []byte, c byte) []byte {
	if c < bel || c > 0x0f {
		return dst
	}
	return append(dst, c)
}

// character processes one byte of a multi-byte character. A byte that is not part of one
// becomes U+FFFD, as on terminals. C1 controls are dropped.
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

// invisible reports whether r can make text differ from what the user sees, and copies: the
// directional embeddings, overrides and isolates (UAX #9, section 2; CVE-2021-42574), and
// the tag characters, which show nothing. It is false for the marks that Arabic and Hebrew
// text needs (U+061C, U+200E, U+200F).
func invisible(r rune) bool {
	return 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069 || 0xe0000 <= r && r <= 0xe007f
}

// combining reports whether r is drawn over the character before it.
func combining(r rune) bool { return r >= 0x300 && unicode.In(r, unicode.Mn, unicode.Me) }

// swallow drops one byte of a control string. The string ends with ST, whose ESC next
// handles, with BEL, or with the line, so that an unterminated one, such as line noise,
// hides no more than that.
func (f *Filter) swallow(c byte) {
	f.count++
	if c == bel || c == '\n' || f.count >= maxString {
		f.enter(ground)
	}
}

// sequence processes one byte, from SP to ~, of an escape or control sequence.
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
