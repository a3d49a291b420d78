package guest

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLines(t *testing.T) {
	oom := "[    9.1] Out of memory: Killed process 77 (hog) total-vm:1kB, anon-rss:1kB\r\n"
	for _, test := range []struct {
		name   string
		chunks []string
		login  bool
		killed []string
	}{
		{"nothing", nil, false, nil},
		{"a boot", []string{bootText}, false, nil},
		{"a prompt", []string{bootText + "\r\ndemo login: "}, true, nil},
		{"a prompt without a host name", []string{"\r\nlogin: "}, true, nil},
		{"a prompt in pieces", []string{"\r\nde", "mo log", "in: "}, true, nil},
		{"a colored prompt", []string{"\r\n\x1b[0m\x1b[?7hdemo login: "}, true, nil},
		{"a kernel message after the prompt", []string{"\r\ndemo login: [    3.1] random: crng init done\r\n"}, true, nil},
		{"an automatic login", []string{"\r\ndemo login: root (automatic login)\r\n"}, true, nil},
		{"other text about a login", []string{"systemd[1]: started the login: service\r\nno login\r\n"}, false, nil},
		{"a process is killed", []string{oom}, false, []string{"the guest is out of memory: its kernel has killed process 77 (hog)"}},
		{"two processes are killed, in pieces", []string{oom[:40], oom[40:] + oom[:20], oom[20:]}, false, []string{
			"the guest is out of memory: its kernel has killed process 77 (hog)", "the guest is out of memory: its kernel has killed process 77 (hog)",
		}},
		{"a name in brackets", []string{"Out of memory: Killed process 8 ((sd-pam)) total-vm:1kB\r\n"}, false, []string{
			"the guest is out of memory: its kernel has killed process 8 ((sd-pam))",
		}},
		{"invalid names", []string{"Out of memory: Killed process 8 (\x1b]52;c;ZXZpbA==\a)\r\nOut of memory: Killed process 8 (0123456789abcdef)\r\n"}, false, nil},
		{"a search for the line", []string{"# grep 'Out of memory: Killed process 77 (hog)'\r\n"}, false, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var l lines
			login, killed := false, []string(nil)
			for _, chunk := range test.chunks {
				found, more := l.feed([]byte(chunk))
				login, killed = login || found, append(killed, more...)
			}
			if login != test.login {
				t.Errorf("login %t", login)
			}
			if diff := cmp.Diff(test.killed, killed); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The result does not depend on how the output is split, and the kept part is bounded.
func FuzzLines(f *testing.F) {
	f.Add([]byte("\r\ndemo login: "), uint8(3))
	f.Add([]byte("Out of memory: Killed process 7 (x)\n"), uint8(9))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		if len(text) > maxLine {
			return // how much of a longer line is examined depends on the pieces
		}
		var whole, parts lines
		wantLogin, wantKilled := whole.feed(text)
		gotLogin, gotKilled := false, []string(nil)
		for chunk := range slices.Chunk(text, int(size)+1) {
			login, killed := parts.feed(chunk)
			gotLogin, gotKilled = gotLogin || login, append(gotKilled, killed...)
		}
		if gotLogin != wantLogin || !slices.Equal(gotKilled, wantKilled) {
			t.Errorf("at once %t %q, in pieces %t %q", wantLogin, wantKilled, gotLogin, gotKilled)
		}
		if len(parts.rest) > maxLine {
			t.Errorf("%d bytes are kept", len(parts.rest))
		}
	})
}
