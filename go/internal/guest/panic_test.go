package guest

import "testing"

const (
	bootText  = "[    0.000000] Linux version 6.1\r\n[    1.0] booting\r\n"
	panicText = "[    1.753817] Kernel panic - not syncing: no root\r\n[    1.8] Call Trace:\r\n[    1.9]  panic+0x1\r\n"
	deadText  = panicText + "[    2.0] ---[ end Kernel panic - not syncing: no root ]---\r\n"
	loginText = "\r\ndemo login: "
)

func TestPanicInText(t *testing.T) {
	for _, test := range []struct {
		name  string
		text  string
		still bool
		want  string // the message; "" for no panic
		last  string // the last line
	}{
		{"nothing", "", false, "", ""},
		{"a boot", bootText, false, "", ""},
		{"a panic", bootText + panicText, false, "Kernel panic - not syncing: no root", "[    1.9]  panic+0x1"},
		{"a panic without a time stamp", "Kernel panic - not syncing: x\r\n", false, "Kernel panic - not syncing: x", "Kernel panic - not syncing: x"},
		{"a panic with a processor's number", "[    1.7][   T1] Kernel panic - not syncing: x\r\n", false, "Kernel panic - not syncing: x", "[    1.7][   T1] Kernel panic - not syncing: x"},
		{"the message in the middle of a line", "# grep 'Kernel panic - not syncing' log\r\n", false, "", ""},
		{"a requested restart after the message", panicText + "[   9.0] reboot: Restarting system\r\n", false, "", ""},
		{"the next boot after a panic", panicText + "SeaBIOS\r\n" + bootText, false, "Kernel panic - not syncing: no root", "SeaBIOS"},
		{"the second of two", panicText + bootText + "Kernel panic - not syncing: again\r\n", false, "Kernel panic - not syncing: again", "Kernel panic - not syncing: again"},
		{"still, at its last line", deadText, true, "Kernel panic - not syncing: no root", "[    2.0] ---[ end Kernel panic - not syncing: no root ]---"},
		{"still, before its last line", panicText, true, "", ""},
		{"still, with output after it", deadText + "# ", true, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := panicIn([]byte(test.text), test.still)
			switch {
			case found == nil && test.want != "":
				t.Error("no panic was found")
			case found != nil && found.Message != test.want:
				t.Errorf("found %q, want %q", found.Message, test.want)
			case found != nil && found.Lines[len(found.Lines)-1] != test.last:
				t.Errorf("the last line is %q, want %q", found.Lines[len(found.Lines)-1], test.last)
			}
		})
	}
}
