package relay

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// printerVariable is set for a process that prints on a channel in place of a QEMU.
const printerVariable = "MICROVM_TEST_PRINTER"

// lineBytes is the length of each line that is printed: its number gives its place.
const lineBytes = 32

// appendLine appends a numbered line of a channel's boot.
func appendLine(text []byte, name string, boot, number int) []byte {
	return fmt.Appendf(text, "%-8s %4d %016d\r\n", name, boot, number)
}

// parseLine returns the numbers of a line; ok is false if it is not one of the channel.
func parseLine(line []byte, name string) (boot, number int, ok bool) {
	words := bytes.Fields(line)
	if len(line) != lineBytes || len(words) != 3 || string(words[0]) != name {
		return 0, 0, false
	}
	boot, err := strconv.Atoi(string(words[1]))
	number, also := strconv.Atoi(string(words[2]))
	return boot, number, err == nil && also == nil
}

// printJob is what a printer prints: a number of bytes, in bursts at full speed, with
// pauses in between that make the rate, in bytes per second; 0: without pauses. Then it
// ends, or does nothing.
type printJob struct {
	fifo  string
	name  string
	boot  int
	bytes int64
	rate  int
	ends  bool
}

const printedFormat = "%s %s %d %d %d %t"

func (p printJob) String() string {
	return fmt.Sprintf(printedFormat, p.fifo, p.name, p.boot, p.bytes, p.rate, p.ends)
}

// printerMain is the main function of a printer. Its first thread writes nothing but the
// lines, so that the kernel counts how many bytes of them it has written, whatever kills
// it; see bytesWritten.
func printerMain(order string) error {
	runtime.LockOSThread()
	if syscall.Gettid() != syscall.Getpid() { // once more: it may be the first one then
		return syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	}
	var p printJob
	if _, err := fmt.Sscanf(order, printedFormat, &p.fifo, &p.name, &p.boot, &p.bytes, &p.rate, &p.ends); err != nil {
		return err
	}
	fd, err := syscall.Open(p.fifo, syscall.O_RDWR, 0) // as QEMU does
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(tortureSeed, uint64(p.boot)))
	var text []byte
	for number := 0; p.bytes > 0; {
		burst := min(p.bytes, int64(lineBytes*(1+random.IntN(1<<20/lineBytes))))
		for text = text[:0]; int64(len(text)) < burst; number++ {
			text = appendLine(text, p.name, p.boot, number)
		}
		if err := writeAll(fd, text); err != nil {
			return err
		}
		p.bytes -= burst
		if p.rate > 0 {
			pause := syscall.NsecToTimespec(int64(time.Second) * burst / int64(p.rate))
			_ = syscall.Nanosleep(&pause, nil) // a shorter one does
		}
	}
	for parent := syscall.Getppid(); !p.ends && syscall.Getppid() == parent; {
		pause := syscall.NsecToTimespec(int64(time.Second))
		_ = syscall.Nanosleep(&pause, nil) // a test that was killed leaves nothing behind
	}
	return nil
}

// bytesWritten returns how many bytes a printer has written that has ended and was not
// waited for. Only its first thread counts: Go's own threads write too, to wake each other.
func bytesWritten(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/io", pid, pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "wchar: ")
	word, _, _ := strings.Cut(rest, "\n")
	return strconv.ParseInt(word, 10, 64)
}

func writeAll(fd int, text []byte) error {
	for len(text) > 0 {
		n, err := syscall.Write(fd, text)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// printerIfAsked does not return in a process that is a printer.
func printerIfAsked() {
	order := os.Getenv(printerVariable)
	if order == "" {
		return
	}
	if err := printerMain(order); err != nil {
		fmt.Fprintln(os.Stderr, "printer:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
