// Package qemutest is a stand-in for QEMU at the process boundary, for tests
// of what starts, watches and stops one.
//
// It takes the command lines that package qemu writes, for microvm-run and for run-qemu, speaks the monitor
// protocol on the inherited descriptor (a break is told on the first console),
// opens the consoles' pipes or serves their ports, and prints to the pipes or the
// taps. Words of the kernel command line tell it how to behave:
//
//	fake.acpi=ignore    the power button does nothing
//	fake.quit=ignore    the monitor's quit does nothing
//	fake.term=ignore    SIGTERM does nothing
//	fake.mute           the monitor never answers
//	fake.hang           the same, once QEMU has started
//	fake.exit=N         ends at once with status N and a line on stderr
//	fake.warn=FILE      prints FILE on stderr once QEMU has started
//	fake.print=FILE     prints FILE on the first console
//	fake.reset          reports a restart of the guest once that is printed, by three events
//	fake.once           ends at a restart of the guest, as with -no-reboot, once that is printed
//	fake.loop=FILE      prints FILE and reports a restart, again and again
//	fake.again=FILE     prints FILE on the first console at a break
//	fake.halt=STATUS    tells that the processors have stopped, for this status
//	fake.panicked       tells of a panic, by event, once that is printed
//	fake.agent=HOW      the guest has an agent once that is printed. "deaf" does
//	                    not obey a shutdown, "stock" has no command of ours, "sizes"
//	                    prints the sizes of consoles that it is told, "freezes" answers
//	                    nothing any more after a break, "hostile" refuses a shutdown
//	                    and commands in words that a terminal obeys
//	fake.resize         the monitor knows a command for the size of a console, which
//	                    is printed
//	fake.die=N          ends itself with signal N once that is printed
//	fake.login          asks for a login on each console, and answers there
//	fake.answers=FILE   to these commands: {"COMMAND": {"output": "…", "status": 0}}
//	fake.off=WORD       powers off when WORD is typed on a console
package qemutest

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Called reports whether this process was started as a QEMU, for a test binary that is
// one then.
func Called() bool {
	return len(os.Args) > 2 && slices.Contains([]string{"-name", "-sandbox"}, os.Args[1])
}

// Main is QEMU for the arguments of this process. It does not return.
//
// It ends by unix.Exit: os.Exit takes a second under the race detector, unless the
// environment says otherwise, and QEMU's is small.
func Main() {
	if slices.Contains(os.Args, "-help") { // asked for the features of package qemu
		fmt.Println("-run-with [exit-with-parent=on|off]")
		unix.Exit(0)
	}
	f := fake{words: map[string]string{}, args: os.Args[1:]}
	for _, word := range strings.Fields(strings.Join(f.values("-append"), " ")) {
		name, value, _ := strings.Cut(word, "=")
		f.words[name] = value
	}
	if status, ok := f.words["fake.exit"]; ok {
		fmt.Fprintln(os.Stderr, "fake: exit by fake.exit")
		code, _ := strconv.Atoi(status) // a test's own word
		unix.Exit(code)
	}
	if f.has("fake.term") {
		signal.Ignore(unix.SIGTERM)
	}
	f.listen()
	f.monitor()
}

// fake is one stand-in.
type fake struct {
	args  []string
	words map[string]string
	mu    sync.Mutex // one message of the monitor at a time
	conn  net.Conn
	first *os.File // where the first console prints

	echoes []func()    // of the pipes: from when the guest has printed
	frozen atomic.Bool // an agent that freezes has
}

func (f *fake) has(word string) bool {
	_, ok := f.words[word]
	return ok
}

// values returns what stands behind each option.
func (f *fake) values(option string) []string {
	var values []string
	for i, arg := range f.args[:max(0, len(f.args)-1)] {
		if arg == option {
			values = append(values, f.args[i+1])
		}
	}
	return values
}

var (
	pipeWord = regexp.MustCompile(`^pipe,.*path=(.*)$`)
	portWord = regexp.MustCompile(`host=localhost,port=(\d+)`)
	fdWord   = regexp.MustCompile(`fd=(\d+)`)
)

// listen opens the consoles' pipes and ports, and echoes what comes from there.
func (f *fake) listen() {
	for _, serial := range f.values("-serial") {
		if path, ok := strings.CutPrefix(serial, "pipe:"); ok {
			f.openPipe(path)
		}
	}
	for _, chardev := range f.values("-chardev") {
		if pipe := pipeWord.FindStringSubmatch(chardev); pipe != nil {
			f.openPipe(strings.ReplaceAll(pipe[1], ",,", ",")) // as QEMU reads it
			continue
		}
		port := portWord.FindStringSubmatch(chardev)
		if port == nil {
			continue
		}
		listener, err := net.Listen("tcp", "127.0.0.1:"+port[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, "fake:", err)
			unix.Exit(1)
		}
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go func() { _, _ = io.Copy(conn, conn) }()
			}
		}()
	}
}

// openPipe opens the pipe of a console.
func (f *fake) openPipe(path string) {
	in, out := open(path+".in"), open(path+".out")
	if f.first == nil {
		f.first = out
	}
	f.echoes = append(f.echoes, func() { f.serve(in, out) })
}

// serve is the guest at the end of a console; unless told otherwise, an echo.
func (f *fake) serve(in io.Reader, out io.Writer) {
	switch {
	case f.has("fake.login"):
		f.login(in, out)
	case f.has("fake.off"):
		f.awaitOff(in, out)
	default:
		_, _ = io.Copy(out, in)
	}
}

// open opens a FIFO as QEMU does, for reading and writing.
func open(path string) *os.File {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fake:", err)
		unix.Exit(1)
	}
	return file
}

// monitor speaks QMP until it is told to end.
func (f *fake) monitor() {
	at := slices.IndexFunc(f.values("-chardev"), func(value string) bool {
		return strings.HasPrefix(value, "socket,id=qmp,") || strings.HasPrefix(value, "socket,id=run-qemu-monitor,")
	})
	conn, err := net.FileConn(inherited(f.values("-chardev")[at]))
	if err != nil {
		panic(err)
	}
	f.conn = conn
	f.send(`{"QMP": {"version": {}, "capabilities": []}}`)
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		var request struct {
			Execute   string
			Arguments struct {
				ID         string
				Rows, Cols int
			}
			ID json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &request); err != nil {
			panic(err)
		}
		if f.has("fake.mute") || f.has("fake.hang") && request.Execute != "qmp_capabilities" {
			continue
		}
		answer := fmt.Sprintf(`{"status": %q}`, cmp.Or(f.words["fake.status"], f.words["fake.halt"], "running"))
		switch {
		case request.Execute == "query-commands" && f.has("fake.resize"):
			answer = `[{"name": "query-commands"}, {"name": "chardev-window-size-changed"}]`
		case request.Execute == "query-commands":
			answer = "[]"
		case request.Execute == "chardev-window-size-changed":
			fmt.Fprintf(f.first, "%s %dx%d\n", request.Arguments.ID, request.Arguments.Cols, request.Arguments.Rows)
		}
		f.send(fmt.Sprintf(`{"return": %s, "id": %s}`, answer, request.ID))
		f.obey(request.Execute)
		if request.Execute == "chardev-send-break" {
			f.takeBreak(request.Arguments.ID)
		}
	}
	select {} // the owner has gone: only a signal ends a QEMU
}

// takeBreak does what a break on a line does.
func (f *fake) takeBreak(line string) {
	f.frozen.Store(true)
	switch {
	case f.has("fake.again"):
		f.print(f.words["fake.again"])
	case f.first != nil:
		fmt.Fprintf(f.first, "break on %s\n", line)
	}
}

// inherited is the descriptor that an option names.
func inherited(option string) *os.File {
	number, _ := strconv.Atoi(fdWord.FindStringSubmatch(option)[1]) // digits, by the pattern
	unix.CloseOnExec(number)                                        // not for what an agent starts
	return os.NewFile(uintptr(number), option)
}

func (f *fake) send(line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintln(f.conn, line)
}

// obey does what a command asks for, after it has been answered.
func (f *fake) obey(command string) {
	switch {
	case command == "qmp_capabilities":
		go f.guest()
	case command == "system_powerdown" && f.words["fake.acpi"] != "ignore":
		f.end(true, "guest-shutdown")
	case command == "quit" && f.words["fake.quit"] != "ignore":
		f.end(false, "host-qmp-quit")
	}
}

func (f *fake) end(guest bool, reason string) {
	f.send(fmt.Sprintf(`{"event": "SHUTDOWN", "data": {"guest": %t, "reason": %q}}`, guest, reason))
	unix.Exit(0)
}

// guest prints what it was told to, and then does what it was told to.
func (f *fake) guest() {
	if path := f.words["fake.warn"]; path != "" {
		_, _ = os.Stderr.Write(text(path))
	}
	f.print(f.words["fake.print"])
	for _, echo := range f.echoes {
		go echo()
	}
	if f.has("fake.agent") {
		go f.agent()
	}
	switch {
	case f.has("fake.reset"):
		f.send(strings.Repeat(resetEvent+"\n", 2) + resetEvent) // three, as with SeaBIOS
	case f.has("fake.once"):
		f.end(true, "guest-reset")
	case f.has("fake.loop"):
		for ; ; time.Sleep(50 * time.Millisecond) {
			f.print(f.words["fake.loop"])
			f.send(resetEvent)
		}
	case f.has("fake.halt"):
		f.send(`{"event": "STOP"}`)
	case f.has("fake.panicked"):
		f.send(`{"event": "GUEST_PANICKED", "data": {"action": "poweroff"}}`)
		f.end(true, "guest-panic")
	case f.has("fake.die"):
		number, _ := strconv.Atoi(f.words["fake.die"]) // a test's own word
		_ = unix.Kill(os.Getpid(), unix.Signal(number))
	}
}

const resetEvent = `{"event": "RESET", "data": {"guest": true, "reason": "guest-reset"}}`

// print prints a file on the first console; "": none.
func (f *fake) print(path string) {
	if path == "" {
		return
	}
	if f.first == nil {
		f.first = inherited(f.values("-add-fd")[0])
	}
	if _, err := f.first.Write(text(path)); err != nil {
		panic(err)
	}
}

// text returns what is in a file that a test has named.
func text(path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return data
}
