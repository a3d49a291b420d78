package attach

import (
	"bytes"
	"strings"
)

// maxParameter is the largest parameter that passes: systemd moves the cursor to
// 32766;32766 to learn the size. Larger counts have made terminals hang.
const maxParameter = 32767

// passing are the final characters of control sequences without a private marker that pass
// with any parameters: editing and cursor movement (@ A-I K-M P S X Z ` a d e f), repeating
// (b), colors (m) and the scroll region (r).
//
// Left out on purpose: g and ESC H (the user's tab stops), i (printing), p and q (LEDs,
// cursor shape), t (the window), x y z (reports, tests, rectangles).
const passing = "@ABCDEFGHIKLMPSXZ`abdefmr"

// appendControl appends the control sequence of f.held and final, if it may
// pass.
func (f *Filter) appendControl(dst []byte, final byte, live bool) []byte {
	held := string(f.held)
	if held == "!" && final == 'p' {
		return f.AppendRestore(dst) // DECSTR: a soft reset
	}
	if private, ok := strings.CutPrefix(held, "?"); ok && (final == 'h' || final == 'l') {
		return f.modes.append(dst, private, final)
	}
	if question(held, final) {
		if !live {
			return dst
		}
		f.asked = true
	} else if !harmless(held, final) {
		return dst
	}
	dst = append(dst, escape, '[')
	dst = append(dst, held...)
	return append(dst, final)
}

// question reports whether a control sequence asks the terminal for something that any
// program may know: its status (5 n), the cursor position (6 n), its type (c, > c), its size
// (18 t).
func question(held string, final byte) bool {
	switch final {
	case 'n':
		return held == "5" || held == "6"
	case 'c':
		return held == "" || held == "0" || held == ">" || held == ">0"
	case 't':
		return held == "18"
	}
	return false
}

// harmless reports whether a control sequence that asks nothing may pass.
func harmless(held string, final byte) bool {
	if !numbers(held, final == 'm') {
		return false
	}
	switch final {
	case 'h', 'l': // insert mode; others change what the keyboard sends
		return held == "4"
	case 's', 'u': // save and restore the cursor; with parameters, margins
		return held == ""
	case 'T': // scroll down; with more parameters, mouse tracking
		return !strings.Contains(held, ";")
	case 'J': // erase; 3 erases what the user has above the screen
		return held == "" || held == "0" || held == "1" || held == "2"
	}
	return strings.IndexByte(passing, final) >= 0
}

// numbers reports whether held consists of parameters up to maxParameter. sub allows
// subparameters, after ":", which only colors have.
func numbers(held string, sub bool) bool {
	number := 0
	for i := range len(held) {
		switch c := held[i]; {
		case '0' <= c && c <= '9':
			number = number*10 + int(c-'0')
		case c == ';' || c == ':' && sub:
			number = 0
		default:
			return false
		}
		if number > maxParameter {
			return false
		}
	}
	return true
}

// clearScreen is what a full reset does in addition to AppendRestore.
const clearScreen = "\x1b[H\x1b[2J"

// appendEscape appends the escape sequence of f.held and final, if it may
// pass: saving and restoring the cursor, index, next line, reverse index, the
// keypad, and the character sets ASCII, graphics, and that of the Linux console.
func (f *Filter) appendEscape(dst []byte, final byte) []byte {
	switch {
	case len(f.held) == 0 && final == 'c': // RIS, without a reset of the user's settings
		return append(f.AppendRestore(dst), clearScreen...)
	case len(f.held) == 0 && bytes.IndexByte([]byte("78DEM=>"), final) >= 0:
	case string(f.held) == "(" || string(f.held) == ")":
		if bytes.IndexByte([]byte("0ABU"), final) < 0 {
			return dst
		}
	default:
		return dst
	}
	dst = append(dst, escape)
	dst = append(dst, f.held...)
	return append(dst, final)
}
