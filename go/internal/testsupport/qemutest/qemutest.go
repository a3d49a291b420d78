// Package qemutest is a fake QEMU, for tests of code that starts, watches and stops a QEMU
// process.
//
// It accepts the command lines that package qemu makes for microvm-run and run-qemu. It serves
// the monitor protocol on the inherited descriptor, opens the consoles' pipes or serves their
// ports, echoes what the consoles receive, and prints a line on the first console for each
// break. Words of the kernel command line change its behavior:
//
//	fake.acpi=ignore    the power button does nothing
//	fake.acpi=reset     the power button restarts the guest
//	fake.quit=ignore    the monitor's quit does nothing
//	fake.term=ignore    SIGTERM does nothing
//	fake.mute           the monitor never answers
//	fake.hang           the monitor does not answer after the handshake
//	fake.exit=N         exit at once with status N and a line on stderr
//	fake.warn=FILE      print FILE on stderr after the start
//	fake.print=FILE     print FILE on the first console
//	fake.status=STATUS  the run state that query-status returns; default "running", or
//	                    "prelaunch" with -S
//
// After fake.print:
//
//	fake.reset          report a restart of the guest, by three events
//	fake.once           exit after a restart of the guest, as with -no-reboot
//	fake.loop=FILE      print FILE and report a restart, repeatedly
//	fake.halt=STATUS    report that the processors have stopped; query-status returns STATUS
//	fake.panicked       report a panic by the panic device
//	fake.restart[=FILE] restart the guest of a VM that collects
//	fake.die=N          die by signal N
//	fake.agent[=KIND]   run a guest agent. KIND "deaf" ignores a shutdown; "stock" lacks the
//	                    commands of microvm-agent; "sizes" prints the console sizes that it
//	                    is asked to set; "freezes" stops answering after a break; "hostile"
//	                    refuses a shutdown and commands with control sequences
//
// On events:
//
//	fake.restart=FILE   print FILE when the monitor continues the guest
//	fake.dump=STATUS    the status of a memory dump; default "completed"
//	fake.deaf           print nothing at a break, and do not echo
//	fake.again=FILE     print FILE on the first console at a break
//	fake.pause          a break pauses the processors, as gdb does, or starts them again
//	fake.resize         the monitor has a command that sets a console's size, and prints it
//	fake.login          serve a login and a shell on each console
//	fake.answers=FILE   the commands of that shell: {"COMMAND": {"output": "…", "status": 0}}
//	fake.off=WORD       power off when WORD is typed on a console
//	fake.panic=FILE     print FILE and report a restart when something is typed on a console
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

// Called reports whether this process was started as QEMU. A test binary then calls Main.
func Called() bool {
	return len(os.Args) > 2 && slices.Contains([]string{"-name", "-sandbox"}, os.Args[1])
}

// Main runs as QEMU with the arguments of this process. It does not return.
//
// It exits by unix.Exit, since os.Exit takes a second under the race detector unless GORACE is
// set, and QEMU's environment is small.
func Main() {
	if slices.Contains(os.Args, "-help") { // from package features
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
		code, _ := strconv.Atoi(status) // a number that the test has set
		unix.Exit(code)
	}
	f.status = cmp.Or(f.words["fake.status"], f.words["fake.halt"], "running")
	if slices.Contains(f.args, "-S") {
		f.status = "prelaunch"
	}
	if f.has("fake.term") {
		signal.Ignore(unix.SIGTERM)
	}
	f.listen()
	f.forward()
	f.monitor()
}

// fake is a fake QEMU.
type fake struct {
	args   []string
	words  map[string]string
	mu     sync.Mutex // held while a message is written to conn
	conn   net.Conn
	first  *os.File   // output of the first console
	served []net.Conn // connections to virtiofsds

	status   string    // see fake.status
	forwards []forward // see forward.go

	echoes []func()    // serve the pipes; called after fake.print
	frozen atomic.Bool // the agent of kind "freezes" has stopped
}

func (f *fake) has(word string) bool {
	_, ok := f.words[word]
	return ok
}

// values returns the values of an option, which may be repeated.
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
	// fsWord matches the socket of a virtiofsd.
	fsWord   = regexp.MustCompile(`^socket,id=share\d+,path=(.*)$`)
	portWord = regexp.MustCompile(`host=localhost,port=(\d+)`)
	fdWord   = regexp.MustCompile(`fd=(\d+)`)
)

// listen opens the consoles' pipes and ports. The ports echo.
func (f *fake) listen() {
	for _, serial := range f.values("-serial") {
		if path, ok := strings.CutPrefix(serial, "pipe:"); ok {
			f.openPipe(path)
		}
	}
	for _, chardev := range f.values("-chardev") {
		if pipe := pipeWord.FindStringSubmatch(chardev); pipe != nil {
			f.openPipe(strings.ReplaceAll(pipe[1], ",,", ",")) // as QEMU parses it
			continue
		}
		if socket := fsWord.FindStringSubmatch(chardev); socket != nil {
			f.connect(socket[1])
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

// connect connects to the socket of a virtiofsd until this process ends, and waits for its first
// byte as QEMU waits for its answer.
func (f *fake) connect(path string) {
	conn, err := net.Dial("unix", path)
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fake:", err)
		unix.Exit(1)
	}
	f.served = append(f.served, conn)
}

// openPipe opens the pipe of a console.
func (f *fake) openPipe(path string) {
	in, out := open(path+".in"), open(path+".out")
	if f.first == nil {
		f.first = out
	}
	f.echoes = append(f.echoes, func() { f.serve(in, out) })
}

// serve acts as the guest on a console. By default it echoes.
func (f *fake) serve(in io.Reader, out io.Writer) {
	switch {
	case f.has("fake.deaf"):
		_, _ = io.Copy(io.Discard, in)
	case f.has("fake.login"):
		f.login(in, out)
	case f.has("fake.off"):
		f.awaitOff(in, out)
	case f.has("fake.panic"):
		_, _ = in.Read(make([]byte, 1))
		f.print(f.words["fake.panic"])
		f.send(resetEvent)
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

// monitor serves QMP. It does not return.
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
				ID          string
				Rows, Cols  int
				CommandLine string `json:"command-line"`
				Protocol    string
			}
			ID json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &request); err != nil {
			panic(err)
		}
		if f.has("fake.mute") || f.has("fake.hang") && request.Execute != "qmp_capabilities" {
			continue
		}
		answer := f.crashAnswer(request.Execute, request.Arguments.Protocol)
		switch {
		case request.Arguments.CommandLine == "info usernet":
			answer = f.usernet()
		case request.Execute == "query-commands" && f.has("fake.resize"):
			answer = `[{"name": "query-commands"}, {"name": "chardev-window-size-changed"}]`
		case request.Execute == "query-commands":
			answer = "[]"
		case request.Execute == "chardev-window-size-changed":
			fmt.Fprintf(f.first, "%s %dx%d\n", request.Arguments.ID, request.Arguments.Cols, request.Arguments.Rows)
		}
		f.send(fmt.Sprintf(`{"return": %s, "id": %s}`, answer, request.ID))
		f.execute(request.Execute)
		if request.Execute == "chardev-send-break" {
			f.takeBreak(request.Arguments.ID)
		}
	}
	select {} // the owner has ended: only a signal ends QEMU
}

// takeBreak processes a break on a line.
func (f *fake) takeBreak(line string) {
	f.frozen.Store(true)
	switch {
	case f.has("fake.deaf"):
	case f.has("fake.pause") && f.status == "running":
		f.status = "paused"
		f.send(`{"event": "STOP"}`)
	case f.has("fake.pause"):
		f.status = "running"
		f.send(`{"event": "RESUME"}`)
	case f.has("fake.again"):
		f.print(f.words["fake.again"])
	case f.first != nil:
		fmt.Fprintf(f.first, "break on %s\n", line)
	}
}

// inherited returns the inherited file whose descriptor an option names.
func inherited(option string) *os.File {
	number, _ := strconv.Atoi(fdWord.FindStringSubmatch(option)[1]) // the pattern matches digits
	unix.CloseOnExec(number)                                        // processes of the agent must not inherit it
	return os.NewFile(uintptr(number), option)
}

func (f *fake) send(line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintln(f.conn, line)
}

// execute executes a command of the monitor after its answer was sent.
func (f *fake) execute(command string) {
	switch {
	case command == "qmp_capabilities":
		go f.guest()
	case command == "system_powerdown" && f.words["fake.acpi"] == "reset":
		f.send(resetEvent)
	case command == "system_powerdown" && f.words["fake.acpi"] != "ignore" && f.keeps():
		f.keep("guest-shutdown")
	case command == "system_powerdown" && f.words["fake.acpi"] != "ignore":
		f.end(true, "guest-shutdown")
	case command == "inject-nmi":
		fmt.Fprint(f.first, "NMI received\r\n")
	case command == "system_reset":
		f.status = "prelaunch"
	case command == "cont":
		f.status = "running"
		f.send(`{"event": "RESUME"}`)
		f.print(f.words["fake.restart"])
	case command == "quit" && f.words["fake.quit"] != "ignore":
		f.end(false, "host-qmp-quit")
	}
}

func (f *fake) end(guest bool, reason string) {
	f.send(fmt.Sprintf(`{"event": "SHUTDOWN", "data": {"guest": %t, "reason": %q}}`, guest, reason))
	unix.Exit(0)
}

// guest acts as the guest after the handshake.
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
	case f.has("fake.restart"):
		f.keep("guest-reset")
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
		if f.keeps() {
			f.status = "guest-panicked"
			f.send(`{"event": "GUEST_PANICKED", "data": {"action": "pause"}}` + "\n" + `{"event": "STOP"}`)
			return
		}
		f.send(`{"event": "GUEST_PANICKED", "data": {"action": "poweroff"}}`)
		f.end(true, "guest-panic")
	case f.has("fake.die"):
		number, _ := strconv.Atoi(f.words["fake.die"]) // a number that the test has set
		_ = unix.Kill(os.Getpid(), unix.Signal(number))
	}
}

const resetEvent = `{"event": "RESET", "data": {"guest": true, "reason": "guest-reset"}}`

// print prints a file on the first console. An empty path does nothing.
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

// text returns the content of a file.
func text(path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return data
}
