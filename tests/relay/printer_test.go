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

// printerVariable is set for a process that prints on a channel instead of a QEMU.
const printerVariable = "MICROVM_TEST_PRINTER"

// lineBytes is the length of each line, so that the number of a line determines its place.
const lineBytes = 32

// appendLine appends a numbered line of a channel's boot.
func appendLine(text []byte, name string, boot, number int) []byte {
	return fmt.Appendf(text, "%-8s %4d %016d\r\n", name, boot, number)
}

// parseLine returns the numbers of a line; ok is false if it is not a line of the channel.
func parseLine(line []byte, name string) (boot, number int, ok bool) {
	words := bytes.Fields(line)
	if len(line) != lineBytes || len(words) != 3 || string(words[0]) != name {
		return 0, 0, false
	}
	boot, err := strconv.Atoi(string(words[1]))
	number, also := strconv.Atoi(string(words[2]))
	return boot, number, err == nil && also == nil
}

// printJob has the parameters of a printer. It prints a number of bytes in bursts at full speed,
// with pauses for the rate in bytes per second; 0 means no pauses. Then it ends, or sleeps.
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

// printerMain is the main function of a printer. Only the lines are written by its first thread,
// so that the kernel counts their bytes even if the printer is killed; see bytesWritten.
func printerMain(order string) error {
	runtime.LockOSThread()
	if syscall.Gettid() != syscall.Getpid() { // try again, with another thread
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
			_ = syscall.Nanosleep(&pause, nil) // a shorter pause does no harm
		}
	}
	for parent := syscall.Getppid(); !p.ends && syscall.Getppid() == parent; {
		pause := syscall.NsecToTimespec(int64(time.Second))
		_ = syscall.Nanosleep(&pause, nil) // ends if the test was killed
	}
	return nil
}

// bytesWritten returns the number of bytes that a printer has written, which has ended and is
// still a zombie. It counts only the first thread: Go's runtime also writes, to wake threads.
// Process accounting must be off: acct(2) counts its record of the process too.
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

// printerIfAsked runs the printer, and does not return, if this process is a printer.
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
