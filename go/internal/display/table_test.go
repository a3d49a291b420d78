package display

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/color"
	"microvm-console/internal/state"
)

var since = time.Date(2026, 11, 22, 7, 8, 9, 0, time.Local)

// demo is a machine with everything that a table can have.
var demo = state.Machine{
	Name: "demo", State: state.Ready, ReadyBy: "login on ttyS0", ReadySeconds: 2.14, PID: 812, QEMUPID: 813, Accel: "tcg", Machine: "q35",
	Consoles: []state.Console{
		{Name: "serial", Device: "ttyS0", Port: 4440, Relay: &state.Relay{
			Socket: "/run/demo/serial/sock", Attached: true, Exact: true, Boot: 3, Start: 1000, End: 18786,
			Clients: []state.Client{
				{Client: "127.0.0.1:52311", Kind: "tcp", Since: since, Lag: 0},
				{Client: "connect-serial[9]", Kind: "stream", Since: since, Lag: 120, Terminal: true, Writes: true},
				{Client: "connect-serial[10]", Kind: "stream", Since: since, Lag: 0, Terminal: true},
				{Client: "evil\x1b]0;title\a", Kind: "stream", Since: since},
			},
		}},
		{Name: "console", Device: "hvc0", Port: 4441, Refused: 3, Relay: &state.Relay{
			Socket: "/run/demo/console/sock", Journal: "/state/demo/console", Input: 4,
			Gaps: []state.Gap{{Offset: 77, Bytes: 512, Cause: "disk full"}, {Offset: 99, Cause: "it was full"}},
		}},
	},
}

const demoTable = `demo: ready after 2.1 s (login on ttyS0), q35, tcg, pid 812, QEMU pid 813
CONSOLE  DEVICE  STATE    BOOT  BYTES  CLIENTS  LOST   ENDPOINTS
serial   ttyS0   running  3     17786  4        0      tcp localhost:4440, unix /run/demo/serial/sock
console  hvc0    no QEMU  0     0      0        512+?  tcp localhost:4441, unix /run/demo/console/sock

CLIENT OF  NAME                VIA     SINCE     LAG  TERMINAL
serial     127.0.0.1:52311     tcp     07:08:09  0    -
serial     connect-serial[9]   stream  07:08:09  120  yes, it types
serial     connect-serial[10]  stream  07:08:09  0    yes
serial     evil?]0;title?      stream  07:08:09  0    -
console: port 4441 has refused 3 clients of other users, or web browsers
console: 512 bytes were lost at offset 77 (disk full)
console: bytes may have been lost at offset 99 (it was full)
console: bytes may be lost if the relay is killed (the file system of /state/demo/console does not support splice)
console: the guest has not read 4 bytes of input
`

// plain is a machine whose consoles are served by QEMU itself.
var plain = state.Machine{Name: "plain", Notes: []state.Note{{Time: since, Text: "out of \amemory"}}, State: state.Booting, PID: 900, Restarts: 2, Consoles: []state.Console{{Name: "serial", Device: "ttyS0", Port: 4442}}}

const plainTable = `plain: booting, restarted 2 times, pid 900
CONSOLE  DEVICE  STATE  BOOT  BYTES  CLIENTS  LOST  ENDPOINTS
serial   ttyS0   -      -     -      -        -     tcp localhost:4442
serial: served by QEMU itself, to one client at a time; nothing is kept
07:08:09: out of ?memory
`

// starting is a machine that has no relays yet.
var starting = state.Machine{Name: "new", State: "starting", PID: 900, Consoles: []state.Console{{Name: "serial", Device: "ttyS0", Port: 4443}}}

const startingTable = `new: starting, pid 900
CONSOLE  DEVICE  STATE  BOOT  BYTES  CLIENTS  LOST  ENDPOINTS
serial   ttyS0   -      -     -      -        -     tcp localhost:4443
`

// shortOf is a channel that lacks endpoints and memory for its FIFO.
var shortOf = state.Machine{Name: "serial", State: state.Relaying, PID: 900, Consoles: []state.Console{{
	Name: "serial", Device: "-serial",
	Endpoints: map[string]string{"in": "/tmp/qemu-serial.in"},
	Missing:   []string{"/tmp/qemu-serial.in", "/tmp/qemu-serial.out"},
	Trouble:   map[string]string{"/tmp/qemu-serial.in": "belongs to user 65534"},
	Relay:     &state.Relay{Exact: true, FIFOBytes: 8192},
}}}

const shortOfTable = `CHANNEL  DEVICE   STATE    BOOT  BYTES  CLIENTS  LOST  ENDPOINTS
serial   -serial  no QEMU  0     0      0        0     /tmp/qemu-serial.{in,out,sock,pty,log}
serial: /tmp/qemu-serial.in is not this relay's: belongs to user 65534 (do not use it; once it is removed, the relay makes its own)
serial: /tmp/qemu-serial.out was removed (the relay makes it again)
serial: the FIFO from QEMU holds 8192 bytes, not 1048576: this user has used up the memory for pipes (a virtio console drops what does not fit; end other relays, or raise /proc/sys/fs/pipe-user-pages-soft)
`

// silent is a channel that lost an unknown number of bytes.
var silent = state.Machine{Name: "monitor", Consoles: []state.Console{{
	Name: "monitor", Device: "-monitor", Relay: &state.Relay{Exact: true, Attached: true, Gaps: []state.Gap{{Offset: 5, Cause: "killed"}}},
}}}

// paused is a VM with forwarded ports that waits for gdb.
var paused = state.Machine{
	Name: "paused", State: state.Booting, Paused: true, GDB: "/run/user/1000/microvm/pau\ased/gdb", PID: 900,
	Forwards: []state.Forward{{Host: 8080, Guest: 80, Protocol: "tcp"}, {Host: 40123, Guest: 53, Protocol: "udp"}},
	Consoles: []state.Console{{Name: "serial", Device: "ttyS0", Port: 4442, Relay: &state.Relay{Socket: "/s", Exact: true, Attached: true, Boot: 1}}},
}

const pausedLines = `forward localhost:8080 -> 80/tcp
forward localhost:40123 -> 53/udp
paused, waiting for gdb: gdb -ex 'target remote /run/user/1000/microvm/pau?sed/gdb' vmlinux
`

const pausedTable = `paused: booting, pid 900
CONSOLE  DEVICE  STATE    BOOT  BYTES  CLIENTS  LOST  ENDPOINTS
serial   ttyS0   running  1     0      0        0     tcp localhost:4442, unix /s
` + pausedLines

// running returns the VM after gdb has continued it.
func running(vm state.Machine) state.Machine {
	vm.Paused = false
	return vm
}

// byMonitor returns the VM paused without gdb.
func byMonitor(vm state.Machine) state.Machine {
	vm.Paused = true
	return vm
}

const channelsTable = `CHANNEL  DEVICE    STATE    BOOT  BYTES  CLIENTS  LOST  ENDPOINTS
monitor  -monitor  running  0     0      0        ?     unix 
monitor: bytes may have been lost at offset 5 (killed)
`

// narrowTable is that of a VM on a terminal of 80 columns.
const narrowTable = `narrow: booting, pid 900
CONSOLE  DEVICE  STATE    BOOT  BYTES  CLIENTS  LOST
serial   ttyS0   running  1     7      0        0

CONSOLE  ENDPOINTS
serial   tcp localhost:4440, unix /run/user/1000/microvm/narrow/serial/sock
`

// folderTable is that of a VM whose sockets have paths that do not fit.
const folderTable = `narrow: booting, pid 900
CONSOLE  DEVICE  STATE    BOOT  BYTES  CLIENTS  LOST
serial   ttyS0   running  1     7      0        0

CONSOLE  ENDPOINTS
serial   tcp localhost:4440, unix serial/sock
Sockets are in /run/user/1000/microvm/narrow
`

var narrow = state.Machine{Name: "narrow", State: state.Booting, PID: 900, Consoles: []state.Console{{
	Name: "serial", Device: "ttyS0", Port: 4440,
	Relay: &state.Relay{Socket: "/run/user/1000/microvm/narrow/serial/sock", Exact: true, Attached: true, Boot: 1, End: 7},
}}}

// hundredTable is demo's on a terminal of 100 columns.
const hundredTable = `demo: ready after 2.1 s (login on ttyS0), q35, tcg, pid 812, QEMU pid 813
CONSOLE  DEVICE  STATE    BOOT  BYTES  CLIENTS  LOST   ENDPOINTS
serial   ttyS0   running  3     17786  4        0      tcp localhost:4440, unix serial/sock
console  hvc0    no QEMU  0     0      0        512+?  tcp localhost:4441, unix console/sock
Sockets are in /run/demo

CLIENT OF  NAME                VIA     SINCE     LAG  TERMINAL
serial     127.0.0.1:52311     tcp     07:08:09  0    -
serial     connect-serial[9]   stream  07:08:09  120  yes, it types
serial     connect-serial[10]  stream  07:08:09  0    yes
serial     evil?]0;title?      stream  07:08:09  0    -
console: port 4441 has refused 3 clients of other users, or web browsers
console: 512 bytes were lost at offset 77 (disk full)
console: bytes may have been lost at offset 99 (it was full)
console: bytes may be lost if the relay is killed (the file system of /state/demo/console does not
  support splice)
console: the guest has not read 4 bytes of input
`

// What is ready is green, what is not yet yellow, what is absent gray, and what is lost red.
func TestColors(t *testing.T) {
	mark := func(code, text string) string { return "\x1b[" + code + "m" + text + "\x1b[0m" }
	var out bytes.Buffer
	if err := Table(&out, state.All{VMs: []state.Machine{demo, plain}}, Screen{Palette: color.All()}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"demo: " + mark("32", "ready") + " after", "plain: " + mark("33", "booting") + ",",
		" " + mark("90", "no QEMU") + "  0 ", " " + mark("31", "512+?") + "  tcp", "  0      tcp",
		"\n" + mark("31", "console: 512 bytes were lost at offset 77 (disk full)") + "\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %q", want, out.String())
		}
	}
	if plain := regexp.MustCompile(`\x1b\[[0-9]+m`).ReplaceAllString(out.String(), ""); plain != demoTable+"\n"+plainTable {
		t.Errorf("without colors: %s", cmp.Diff(demoTable+"\n"+plainTable, plain))
	}
}

// A name that is too long for the screen is cut. A line that is too long is wrapped at blanks.
func TestNarrowScreen(t *testing.T) {
	machine := state.Machine{Name: "m", State: state.Booting, PID: 1, Consoles: []state.Console{{Name: "serial", Relay: &state.Relay{
		Socket: "/s", Exact: true, Clients: []state.Client{{Client: strings.Repeat("name", 20), Kind: "stream", Since: since}},
		Gaps: []state.Gap{{Offset: 1, Bytes: 2, Cause: "the disk was full when the guest printed this"}},
	}}}}
	var out bytes.Buffer
	if err := Table(&out, state.All{VMs: []state.Machine{machine}}, Screen{Columns: 60}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nserial     namenamenamenam…  stream  07:08:09  0    -\n",
		"\nserial: 2 bytes were lost at offset 1 (the disk was full\n  when the guest printed this)\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

// The lines of microvm-run are whole, or have short paths on a narrow terminal.
func TestEndpoints(t *testing.T) {
	const whole = "serial   ttyS0  tcp localhost:4440, unix /run/user/1000/microvm/narrow/serial/sock\n"
	const short = "serial   ttyS0  tcp localhost:4440, unix serial/sock\nSockets are in /run/user/1000/microvm/narrow\n"
	for columns, want := range map[int]string{0: whole, len(whole) - 1: whole, len(whole) - 2: short, 10: short} {
		var out bytes.Buffer
		if err := Endpoints(&out, narrow, Screen{Columns: columns}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%d columns (-want +got):\n%s", columns, diff)
		}
	}
}

// After the consoles follow the forwarded ports, and how to connect gdb.
func TestEndpointsOfPaused(t *testing.T) {
	var out bytes.Buffer
	if err := Endpoints(&out, paused, Screen{Columns: 60}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("serial   ttyS0  tcp localhost:4442, unix /s\n"+pausedLines, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCut(t *testing.T) {
	const text = "1234567\n12345678\n\n123456é89"
	if got := (Screen{}).Cut(text); got != text {
		t.Errorf("not on a terminal: %q", got)
	}
	if got, want := (Screen{Columns: 8}).Cut(text), "1234567\n12345678\n\n123456é…"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTable(t *testing.T) {
	for _, test := range []struct {
		name  string
		all   state.All
		width int
		want  string
	}{
		{"one VM", state.All{VMs: []state.Machine{demo}}, 0, demoTable},
		{"on a terminal of 100 columns", state.All{VMs: []state.Machine{demo}}, 100, hundredTable},
		{"on a narrow terminal", state.All{VMs: []state.Machine{narrow}}, 80, narrowTable},
		{"on a very narrow terminal", state.All{VMs: []state.Machine{narrow}}, 60, folderTable},
		{"without a relay", state.All{VMs: []state.Machine{plain}}, 0, plainTable},
		{"while it starts", state.All{VMs: []state.Machine{starting}}, 0, startingTable},
		{"waiting for gdb", state.All{VMs: []state.Machine{paused}}, 0, pausedTable},
		{"with gdb, on a terminal that is narrower than its command", state.All{VMs: []state.Machine{running(paused)}}, 81,
			strings.Replace(pausedTable, "paused, waiting for gdb: ", "", 1)},
		{"paused by the monitor", state.All{VMs: []state.Machine{byMonitor(plain)}}, 0, strings.Replace(plainTable, "booting,", "booting, paused,", 1)},
		{"a channel that lacks something", state.All{Channels: []state.Machine{shortOf}}, 0, shortOfTable},
		{"two VMs and a channel", state.All{VMs: []state.Machine{demo, plain}, Channels: []state.Machine{silent}}, 0,
			demoTable + "\n" + plainTable + "\n" + channelsTable},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Table(&out, test.all, Screen{Columns: test.width}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDisplay(t *testing.T) {
	var out bytes.Buffer
	d := New(&out)
	d.terminal = true
	for range 2 {
		err := d.Show(func(w io.Writer) error { return Table(w, state.All{VMs: []state.Machine{plain}}, Screen{}) })
		if err != nil {
			t.Fatal(err)
		}
	}
	want := "\x1b[H\x1b[2J" + plainTable + "\x1b[H" + strings.ReplaceAll(plainTable, "\n", "\x1b[K\n") + "\x1b[J"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
