package attach

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// restored is the result of a reset by the guest if no mode is set.
const restored = always

// rows are live output of a guest and the part of it that reaches the terminal.
var rows = []struct{ name, in, want string }{
	{"nothing", "", ""},
	{"text", "login: root\r\n", "login: root\r\n"},
	{"every printable character", " !~", " !~"},
	{"characters of two, three and four bytes", "é€𝄞", "é€𝄞"},
	{"the first character after C1", "\u00a0", "\u00a0"},
	{"the replacement character itself", "a\ufffdb", "a\ufffdb"},
	{"last character", "\U0010ffff", "\U0010ffff"},
	{"bell, backspace, tabs, line and form feed", "\a\b\t\n\v\f\r", "\a\b\t\n\v\f\r"},
	{"shift to the graphics set and back", "\x0eq\x0f", "\x0eq\x0f"},
	{"ENQ asks for the answerback", "a\x05b", "ab"},
	{"NUL and its neighbors", "a\x00\x01\x02\x03\x04\x06b", "ab"},
	{"flow control of a line", "a\x10\x11\x12\x13\x14\x15\x16\x17b", "ab"},
	{"the separators", "a\x19\x1c\x1d\x1e\x1fb", "ab"},
	{"DEL", "a\x7fb", "ab"},
	{"CAN and SUB outside of a sequence", "a\x18\x1ab", "ab"},

	{"embeddings, overrides, isolates", "a\u202ab\u202ec\u2066d\u2069e", "abcde"},
	{"their neighbors", "\u2029\u202f\u2065\u206a", "\u2029\u202f\u2065\u206a"},
	{"marks of a language written from the right", "\u05d0\u200f!\u061c\u200e", "\u05d0\u200f!\u061c\u200e"},
	{"tags", "a\U000e0001\U000e0041\U000e007fb", "ab"},
	{"what follows the tags", "\u270a\ufe0f\U000e0100", "\u270a\ufe0f\U000e0100"},
	{"combining marks of a language", "e\u0301\u0323n\u0303", "e\u0301\u0323n\u0303"},
	{"a pile of combining marks", "e" + strings.Repeat("\u0301", 1000) + "n\u0303", "e" + strings.Repeat("\u0301", maxMarks) + "n\u0303"},
	{"a pile in parts", "e" + strings.Repeat("\u0301\x1b[1m\r", 2*maxMarks) + "n", "e" + strings.Repeat("\u0301\x1b[1m\r", maxMarks) + strings.Repeat("\x1b[1m\r", maxMarks) + "n"},

	{"bare C1", "a\x80\x85\x90\x9b\x9d\x9fb", "ab"},
	{"bare CSI takes nothing with it", "\x9b31mred", "31mred"},
	{"bare OSC takes nothing with it", "\x9d0;t\x9cz", "0;tz"},
	{"C1 in UTF-8: CSI", "a\u009b31mb", "a31mb"},
	{"C1 in UTF-8: OSC", "a\u009d52;c;aGk=\u009cb", "a52;c;aGk=b"},
	{"C1 in UTF-8: DCS, first and last", "a\u0090\u0080\u009fb", "ab"},
	{"Latin-1", "caf\xe9!", "caf\ufffd!"},
	{"a character cut off by text", "\xe2\xa2x", "\ufffd\ufffdx"},
	{"a character cut off by a sequence", "\xe2\x1b[1mx", "\ufffd\x1b[1mx"},
	{"a character cut off by its like", "\xe2é", "\ufffdé"},
	{"C1 after a character cut off", "\xe2\x9b31m", "\ufffd31m"},
	{"too long a form of ESC", "\xc0\x9b[31m", "\ufffd[31m"},
	{"too long a form of CSI", "\xe0\x82\x9b31m", "\ufffd31m"},
	{"half of a surrogate pair", "\xed\xa0\x80x", "\ufffd\ufffdx"},
	{"beyond the last character", "\xf4\x90\x80\x80x", "\ufffdx"},
	{"a byte that is not part of a character", "\xffx", "\ufffdx"},

	{"colors", "\x1b[1;31mred\x1b[0m\x1b[m", "\x1b[1;31mred\x1b[0m\x1b[m"},
	{"256 colors and true ones", "\x1b[38;5;208m\x1b[48;2;1;2;3m", "\x1b[38;5;208m\x1b[48;2;1;2;3m"},
	{"subparameters of colors", "\x1b[4:3m\x1b[38:2::1:2:3m", "\x1b[4:3m\x1b[38:2::1:2:3m"},
	{"subparameters elsewhere", "\x1b[4:3H", ""},
	{"the cursor moves", "\x1b[A\x1b[2B\x1b[3C\x1b[D\x1b[E\x1b[F\x1b[5G\x1b[2;3H\x1b[2;3f", "\x1b[A\x1b[2B\x1b[3C\x1b[D\x1b[E\x1b[F\x1b[5G\x1b[2;3H\x1b[2;3f"},
	{"rarer cursor movements", "\x1b[4`\x1b[4a\x1b[4d\x1b[4e\x1b[2I\x1b[2Z", "\x1b[4`\x1b[4a\x1b[4d\x1b[4e\x1b[2I\x1b[2Z"},
	{"the far corner, as systemd does", "\x1b[32766;32766H", "\x1b[32766;32766H"},
	{"a number beyond every screen", "\x1b[32768G\x1b[99999999999999999999b", ""},
	{"erasing", "\x1b[J\x1b[0J\x1b[1J\x1b[2J\x1b[K\x1b[1K\x1b[2K\x1b[4X", "\x1b[J\x1b[0J\x1b[1J\x1b[2J\x1b[K\x1b[1K\x1b[2K\x1b[4X"},
	{"erasing the scrollback", "\x1b[H\x1b[2J\x1b[3J", "\x1b[H\x1b[2J"},
	{"inserting and deleting", "\x1b[2@\x1b[2P\x1b[2L\x1b[2M", "\x1b[2@\x1b[2P\x1b[2L\x1b[2M"},
	{"insert mode", "\x1b[4hx\x1b[4l", "\x1b[4hx\x1b[4l"},
	{"scrolling", "\x1b[3;20r\x1b[2S\x1b[2T\x1b[r", "\x1b[3;20r\x1b[2S\x1b[2T\x1b[r"},
	{"mouse tracking that looks like scrolling", "\x1b[1;1;1;1;1T", ""},
	{"repeating", "-\x1b[79b", "-\x1b[79b"},
	{"saving the cursor", "\x1b7\x1b8\x1b[s\x1b[u", "\x1b7\x1b8\x1b[s\x1b[u"},
	{"left and right margins", "\x1b[3;9s", ""},
	{"index, next line, reverse index", "\x1bD\x1bE\x1bM", "\x1bD\x1bE\x1bM"},
	{"keypad", "\x1b=\x1b>", "\x1b=\x1b>"},
	{"character sets", "\x1b(0lqk\x1b(B\x1b)0\x1b)B\x1b(A\x1b(U", "\x1b(0lqk\x1b(B\x1b)0\x1b)B\x1b(A\x1b(U"},
	{"character sets that no terminal has", "\x1b(Z\x1b*0\x1b+0\x1b-A\x1b.A\x1b/A\x1b(!0", ""},

	{"modes of a full-screen program", "\x1b[?1049h\x1b[?1h\x1b[?25l\x1b[?7l\x1b[?6h", "\x1b[?1049h\x1b[?1h\x1b[?25l\x1b[?7l\x1b[?6h"},
	{"and back", "\x1b[?6l\x1b[?7h\x1b[?25h\x1b[?1l\x1b[?1049l", "\x1b[?6l\x1b[?7h\x1b[?25h\x1b[?1l\x1b[?1049l"},
	{"the older alternate screens", "\x1b[?47h\x1b[?1047h\x1b[?1048h", "\x1b[?47h\x1b[?1047h\x1b[?1048h"},
	{"bracketed paste", "\x1b[?2004h$ \x1b[?2004l", "\x1b[?2004h$ \x1b[?2004l"},
	{"flash", "\x1b[?5h\x1b[?5l", "\x1b[?5h\x1b[?5l"},
	{"mouse", "\x1b[?9h\x1b[?1000h\x1b[?1002h\x1b[?1003h\x1b[?1005h\x1b[?1006h\x1b[?1015h\x1b[?1016h", ""},
	{"focus, alternate scroll, meta", "\x1b[?1004h\x1b[?1007h\x1b[?1034h\x1b[?1036h", ""},
	{"color and size reports", "\x1b[?2031h\x1b[?2048h", ""},
	{"the size of the window", "\x1b[?3h\x1b[?40h", ""},
	{"the allowed ones of several modes", "\x1b[?12;25;1000;7h", "\x1b[?25;7h"},
	{"a mode without a number", "\x1b[?h\x1b[?;h", ""},
	{"saving and restoring modes", "\x1b[?1000s\x1b[?1000r", ""},
	{"keyboard locked, local echo, newline mode", "\x1b[2h\x1b[12l\x1b[20h", ""},
	{"several modes at once that are not private", "\x1b[4;20h", ""},
	{"keyboard protocols", "\x1b[>4;2m\x1b[>1u\x1b[=1u\x1b[<u\x1b[?u\x1b[?4m", ""},

	{"cursor position", "\x1b[6n", "\x1b[6n"},
	{"status", "\x1b[5n", "\x1b[5n"},
	{"device attributes", "\x1b[c\x1b[0c\x1b[>c\x1b[>0c", "\x1b[c\x1b[0c\x1b[>c\x1b[>0c"},
	{"size of the text area", "\x1b[18t", "\x1b[18t"},
	{"private status reports", "\x1b[?6n\x1b[?15n\x1b[?25n\x1b[?26n\x1b[?62n\x1b[?63;1n\x1b[?996n", ""},
	{"other status reports", "\x1b[n\x1b[0n\x1b[7n\x1b[06n\x1b[6;1n", ""},
	{"third attributes, old attributes", "\x1b[=c\x1b[=0c\x1bZ\x1b[1c\x1b[?1c", ""},
	{"version", "\x1b[>q\x1b[>0q", ""},
	{"asking for modes", "\x1b[?2026$p\x1b[4$p", ""},
	{"asking for the title", "\x1b[20t\x1b[21t", ""},
	{"window operations", "\x1b[2t\x1b[3;0;0t\x1b[4;9;9t\x1b[8;24;80t\x1b[9;1t\x1b[14t\x1b[22;0t\x1b[18;1t\x1b[>2t\x1b[t", ""},
	{"asking for parameters", "\x1b[x\x1b[0x\x1b[1x", ""},
	{"rectangles and checksums", "\x1b[1;1;1;1;1;1*y\x1b[65;1;1;9;9$x\x1b[1;1;9;9$r\x1b[1;1;9;9;1;1;1;1$v\x1b[1;1;9;9${\x1b[1;1;9;9$z\x1b[2*x", ""},
	{"locator reports", "\x1b[1;1'z\x1b[1'{\x1b['|\x1b[1;1;2;2'w", ""},
	{"printing", "\x1b[i\x1b[4i\x1b[5isecret\x1b[4i\x1b[?5i", "secret"},
	{"LEDs, cursor shape, protection", "\x1b[1q\x1b[2 q\x1b[1\"q\x1b[?1J\x1b[?K", ""},
	{"self-test, macros, conformance", "\x1b[2;1y\x1b[1*z\x1b[62;1\"p\x1b[1*|\x1b[80$|", ""},
	{"tab stops", "\x1bH\x1b[g\x1b[3g\x1b[?5W", ""},
	{"graphics query", "\x1b[?1;1;0S", ""},

	{"soft reset", "a\x1b[!pb", "a" + restored + "b"},
	{"full reset", "a\x1bcb", "a" + restored + "\x1b[H\x1b[2Jb"},
	{"full reset on the alternate screen", "\x1b[?1049h\x1bc", "\x1b[?1049h" + restored + "\x1b[?1049l\x1b[H\x1b[2J"},
	{"8-bit answers, character coding", "\x1b F\x1b G\x1b%@\x1b%G", ""},
	{"double height, test picture", "\x1b#3\x1b#8", ""},
	{"locking and single shifts", "\x1bn\x1bo\x1b|\x1b}\x1b~\x1bN\x1bO", ""},
	{"VT52, memory lock, others", "\x1b<\x1bl\x1bm\x1bF\x1b6\x1b9\x1bV\x1bW\x1b\\", ""},

	{"title", "a\x1b]0;evil\ab", "ab"},
	{"title, ended by ST", "a\x1b]2;evil\x1b\\b", "ab"},
	{"clipboard", "\x1b]52;c;cm0gLXJmIC8=\a$ ", "$ "},
	{"color queries", "\x1b]10;?\x1b\\\x1b]11;?\a\x1b]4;1;?\a", ""},
	{"hyperlink", "\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\", "link"},
	{"title of screen", "\x1bkevil\x1b\\$ ", "$ "},
	{"DCS: settings asked for, capabilities, sixel", "\x1bP$qm\x1b\\\x1bP+q544e\x1b\\\x1bPq#0;2~\x1b\\x", "x"},
	{"APC, PM, SOS", "\x1b_Gi=1;AAAA\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\x", "x"},
	{"a string within a string", "\x1b]0;\x1bP\x1b]0;x\ay", "y"},
	{"a string with characters in it", "\x1b]0;é\u009c\xffx\ay", "y"},
	{"CAN ends a string", "\x1b]0;evil\x18b", "b"},
	{"SUB ends a string", "\x1bPevil\x1ab", "b"},
	{"a sequence ends a string", "\x1b]0;evil\x1b[1mb", "\x1b[1mb"},
	{"a line's end ends a string", "\x1b]0;evil\r\npanic", "panic"},

	{"CAN ends a sequence", "\x1b[31\x18mb", "mb"},
	{"SUB ends an escape", "\x1b(\x1aBb", "Bb"},
	{"ESC begins anew", "\x1b\x1b\x1b[3\x1b[1mb", "\x1b[1mb"},
	{"controls within a sequence come first", "\x1b[3\n1mb", "\n\x1b[31mb"},
	{"controls within an escape come first", "\x1b\r(\bB", "\r\b\x1b(B"},
	{"ENQ and DEL within a sequence", "\x1b\x05[\x7f3\x051m", "\x1b[31m"},
	{"ENQ between ESC and ]", "\x1b\x05]0;evil\ab", "b"},
	{"a character within a sequence", "\x1b[3é1m", "é1m"},
	{"C1 within a sequence", "\x1b[3\u009b1m", "1m"},
	{"intermediate characters before parameters", "\x1b[ 1m\x1b[$1h", ""},
	{"a marker at the wrong place", "\x1b[1?h\x1b[1;?25h\x1b[??25h", ""},
	{"nothing between ESC and a strange byte", "\x1b\x1b\x1b", ""},
	{"a sequence without an end", "\x1b[" + strings.Repeat("1", maxSequence) + "1m", "1m"},
	{"an escape without an end", "\x1b" + strings.Repeat(" ", maxSequence) + "x", "x"},
	{"an incomplete sequence is not shown", "ok\x1b[31", "ok"},
}

func TestFilter(t *testing.T) {
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, run(true, row.in)); diff != "" {
				t.Errorf("whole (-want +got):\n%s", diff)
			}
			for i := range row.in {
				if diff := cmp.Diff(row.want, run(true, row.in[:i], row.in[i:])); diff != "" {
					t.Fatalf("split at %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

func TestFilterStringWithoutEnd(t *testing.T) {
	if got := run(true, "\x1b]0;"+strings.Repeat("A", maxString)+"b"); got != "AAb" {
		t.Errorf("got %q, want the text after the limit", got)
	}
}

// run returns the output of a new Filter for pieces.
func run(live bool, pieces ...string) string {
	var filter Filter
	var out []byte
	for _, piece := range pieces {
		out = filter.Append(out, []byte(piece), live)
	}
	return string(out)
}

func TestFilterQuestionsOfThePast(t *testing.T) {
	questions := "\x1b[5n\x1b[6n\x1b[c\x1b[0c\x1b[>c\x1b[>0c\x1b[18t"
	if got := run(false, "/ # "+questions+"ls"); got != "/ # ls" {
		t.Errorf("history passed %q", got)
	}
	if got := run(true, questions); got != questions {
		t.Errorf("live passed %q", got)
	}
	for _, row := range rows {
		live, past := run(true, row.in), run(false, row.in)
		for _, question := range strings.SplitAfter(questions, "\x1b")[1:] {
			live = strings.ReplaceAll(live, "\x1b"+strings.TrimSuffix(question, "\x1b"), "")
		}
		if past != live {
			t.Errorf("%s: history passed %q, want %q", row.name, past, live)
		}
	}
}

func TestFilterFromHistoryToLive(t *testing.T) {
	var filter Filter
	out := filter.Append(nil, []byte("\x1b[6n\x1b[6"), false)
	if out = filter.Append(out, []byte("n"), true); string(out) != "\x1b[6n" {
		t.Errorf("got %q, want the question that ended live", out)
	}
	if !filter.Asked() || filter.Asked() {
		t.Error("Asked does not report one question once")
	}
}

func TestRestore(t *testing.T) {
	for _, row := range []struct{ name, in, want string }{
		{"nothing set", "text", ""},
		{"wrap off, as firmware leaves it", "\x1b[?7l", wrap},
		{"set and set back", "\x1b[?1049h\x1b[?25l\x1b[?25h\x1b[?1049l", ""},
		{"a full-screen program", "\x1b[?1049h\x1b[?1;25h\x1b[?25l", "\x1b[?1l\x1b[?25h\x1b[?1049l"},
		{"origin mode", "\x1b[?6h", "\x1b[?6l\x1b[r\x1b[32766;1H"},
		{"after a reset", "\x1b[?1049h\x1bc", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			var filter Filter
			filter.Append(nil, []byte(row.in), true)
			got := string(filter.AppendRestore(nil))
			if diff := cmp.Diff(always+row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if again := run(false, got); again != got {
				t.Errorf("the filter changes it to %q", again)
			}
		})
	}
}
