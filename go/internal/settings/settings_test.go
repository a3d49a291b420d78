package settings_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/settings"
)

// channels returns the channels of Default with some of them changed.
func channels(changed map[string]settings.Channel) map[string]settings.Channel {
	all := map[string]settings.Channel{
		"serial":   {Enable: true, Input: true},
		"monitor":  {Enable: true, Input: true},
		"debugcon": {Enable: true},
	}
	for name, channel := range changed {
		all[name] = channel
	}
	return all
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       settings.Settings
	}{
		{"nothing but braces", `{}`, settings.Settings{Directory: "/tmp", RetentionMiB: 64, Boots: 10, Channels: channels(nil)}},
		{
			"every field",
			`{"directory": "/run/q", "retentionMiB": 16, "boots": 1, "channels": {"serial": {"enable": true, "tcp": 4450, "input": false}}}`,
			settings.Settings{Directory: "/run/q", RetentionMiB: 16, Boots: 1, Channels: channels(map[string]settings.Channel{
				"serial": {Enable: true, TCP: 4450},
			})},
		},
		{
			"channels with few fields",
			`{"channels": {"debugcon": {}, "monitor": {"enable": false}, "uart-2": {}, "serial": {"tcp": 65535}}}`,
			settings.Settings{Directory: "/tmp", RetentionMiB: 64, Boots: 10, Channels: channels(map[string]settings.Channel{
				"serial":  {Enable: true, TCP: 65535, Input: true},
				"monitor": {Input: true},
				"uart-2":  {Enable: true, Input: true},
			})},
		},
		{
			"the port of a disabled channel",
			`{"channels": {"monitor": {"enable": false, "tcp": 1}, "serial": {"tcp": 1}, "debugcon": {"tcp": 0}}}`,
			settings.Settings{Directory: "/tmp", RetentionMiB: 64, Boots: 10, Channels: channels(map[string]settings.Channel{
				"serial":  {Enable: true, TCP: 1, Input: true},
				"monitor": {TCP: 1, Input: true},
			})},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := settings.Parse([]byte(test.text))
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}

func TestParseReportsAllMistakes(t *testing.T) {
	long := strings.Repeat("a", 33)
	tests := []struct {
		name, text string
		want       []string
	}{
		{
			"unknown fields and wrong types",
			`{"dir": "/", "boots": "1", "retentionMiB": 1, "channels": {"serial": {"port": 1, "tcp": "4450"}, "monitor": true}}`,
			[]string{
				`boots: want a whole number, got the string "1"`,
				"channels.monitor: want an object, got true",
				"channels.serial.port: unknown field (known: enable, input, shared, tcp)",
				`channels.serial.tcp: want a whole number, got the string "4450"`,
				"dir: unknown field (did you mean directory?)",
				"retentionMiB: 1 is out of range (16 to 16777216)",
			},
		},
		{
			"out of range",
			`{"directory": "tmp", "retentionMiB": 15, "boots": 0, "channels": {"serial": {"tcp": 65536}, "a": {"tcp": -1}}}`,
			[]string{
				`directory: "tmp" is not an absolute path`,
				"retentionMiB: 15 is out of range (16 to 16777216)",
				"boots: 0 is out of range (at least 1)",
				"channels.serial.tcp: 65536 is out of range (1 to 65535, or 0 for none)",
				"channels.a.tcp: -1 is out of range (1 to 65535, or 0 for none)",
			},
		},
		{"a directory of two lines", `{"directory": "/a\nb"}`, []string{`directory: "/a\nb" has control characters`}},
		{"the same port twice", `{"channels": {"a": {"tcp": 1}, "serial": {"tcp": 1}}}`, []string{"channels.a.tcp: port 1 is used by channels.serial too"}},
		{
			"a monitor on TCP", `{"channels": {"monitor": {"tcp": 1}, "monitor2": {"tcp": 2, "shared": true}, "my-qmp": {"tcp": 3}, "hmp": {"tcp": 4}}}`,
			[]string{
				"channels.monitor.tcp: a monitor can run commands on this host and must not be on TCP (leave tcp out and use the channel's socket)",
				"channels.hmp.tcp: a monitor can run commands on this host and must not be on TCP (leave tcp out and use the channel's socket)",
				"channels.monitor2.tcp: a monitor can run commands on this host and must not be on TCP (leave tcp out and use the channel's socket)",
				"channels.my-qmp.tcp: a monitor can run commands on this host and must not be on TCP (leave tcp out and use the channel's socket)",
			},
		},
		{"no channel", `{"channels": {"serial": {"enable": false}, "monitor": {"enable": false}, "debugcon": {"enable": false}}}`, []string{"channels: none is enabled (enable at least one)"}},
		{"input to debugcon", `{"channels": {"debugcon": {"input": true}}}`, []string{"channels.debugcon.input: debugcon has no input (leave it out)"}},
		{
			"names", `{"channels": {"../a": {}, "": {}, "A": {}, "1": {}, "` + long + `": {}}}`,
			[]string{
				`channels: invalid channel name "": want lower-case letters, digits and dashes, a letter first, at most 32`,
				`channels: invalid channel name "../a": want lower-case letters, digits and dashes, a letter first, at most 32`,
				`channels: invalid channel name "1": want lower-case letters, digits and dashes, a letter first, at most 32`,
				`channels: invalid channel name "A": want lower-case letters, digits and dashes, a letter first, at most 32`,
				`channels: invalid channel name "` + long + `": want lower-case letters, digits and dashes, a letter first, at most 32`,
			},
		},
		{"twice", `{"boots": 1, "boots": 2}`, []string{"boots: is listed twice"}},
		{"empty", "", []string{"unexpected end of the JSON text"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := settings.Parse([]byte(test.text))
			var many *multierror.Error
			if !errors.As(err, &many) {
				t.Fatalf("want a *multierror.Error, got %v", err)
			}
			var got []string
			for _, one := range many.Errors {
				got = append(got, one.Error())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNamesAndChannel(t *testing.T) {
	s, err := settings.Parse([]byte(`{"channels": {"zz": {}, "aa": {}, "monitor": {"enable": false}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"serial", "debugcon", "aa", "zz"}, s.Names()); diff != "" {
		t.Error(diff)
	}
	if channel, err := s.Channel("monitor"); err != nil || channel != (settings.Channel{Input: true}) {
		t.Error(channel, err)
	}
	const want = `unknown channel "bb" (known: serial, monitor, debugcon, aa, zz; declare others in the settings file)`
	if _, err := s.Channel("bb"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	flag, variable := write("flag.json", `{"boots": 1}`), write("variable.json", `{"boots": 2}`)
	user := write("xdg/qemu-relay/config.json", `{"boots": 3}`)
	wrong := write("wrong/qemu-relay/config.json", `{"boots": 0}`)
	absent := filepath.Join(dir, "none.json")
	tests := []struct {
		name, flag, variable, xdg string
		boots                     int
		path, err                 string
	}{
		{"by flag", flag, variable, "xdg", 1, flag, ""},
		{"by variable", "", variable, "xdg", 2, variable, ""},
		{"the user's", "", "", "xdg", 3, user, ""},
		{"none", "", "", "empty", 10, "", ""},
		{"a flag with a path that does not exist", absent, variable, "xdg", 0, absent, absent + ": "},
		{"a variable with a path that does not exist", "", absent, "xdg", 0, absent, absent + ": "},
		{"a mistake in the user's", "", "", "wrong", 0, wrong, wrong + ": boots: 0 is out of range (at least 1)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := os.Stat("/etc/qemu-relay/config.json"); !errors.Is(err, fs.ErrNotExist) && test.xdg == "empty" {
				t.Skip("/etc/qemu-relay/config.json exists (remove it)")
			}
			t.Setenv(settings.Variable, test.variable)
			t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, test.xdg))
			got, path, err := settings.Find(test.flag)
			if got.Boots != test.boots || path != test.path {
				t.Errorf("got %d boots from %q, want %d from %q", got.Boots, path, test.boots, test.path)
			}
			if test.err == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
}

func TestDevice(t *testing.T) {
	for name, want := range map[string][2]string{
		"serial": {"serial", "-serial"}, "monitor": {"monitor", "-monitor"}, "debugcon": {"debugcon", "-debugcon"},
		"com2": {"serial", "-serial"}, "hvc0": {"virtconsole", "-device virtconsole"}, "my-qmp": {"qmp", "-qmp"}, "hmp2": {"monitor", "-monitor"},
	} {
		if diff := cmp.Diff(want, [2]string{settings.Device(name), settings.Option(name)}); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
