package guard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"
)

// limit bounds what must happen soon.
const limit = 30 * time.Second

// listen returns a guarded listener on an address, and the refusals that it reports.
func listen(t *testing.T, network, address string, shared bool) (net.Listener, *Port, chan string) {
	t.Helper()
	inner, err := net.Listen(network, address)
	if err != nil {
		t.Skipf("%v (this host lacks the address)", err)
	}
	refusals := make(chan string, 100)
	port := &Port{Shared: shared, OnRefusal: func(reason string) { refusals <- reason }}
	l := port.Guard([]net.Listener{inner})[0]
	t.Cleanup(func() { l.Close() })
	return l, port, refusals
}

// pair returns both ends of an admitted connection.
func pair(t *testing.T) (client *net.TCPConn, server net.Conn, refusals chan string) {
	t.Helper()
	l, _, refusals := listen(t, "tcp", "127.0.0.1:0", false)
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close() })
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return dialed.(*net.TCPConn), server, refusals
}

// readAll returns what the server reads to the end, and the error; nil for io.EOF.
func readAll(t *testing.T, server net.Conn) (string, error) {
	t.Helper()
	var text bytes.Buffer
	_, err := io.Copy(&text, struct{ io.Reader }{server})
	return text.String(), err
}

func TestRequestsAreClosed(t *testing.T) {
	requests := map[string]string{
		"a body of 8 MB":      "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n" + strings.Repeat("root\n", 8<<20/5),
		"a URL of 10 KiB":     "GET /" + strings.Repeat("a", 10<<10) + " HTTP/1.1\r\n\r\n",
		"HTTP/2's preface":    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"a WebSocket upgrade": "GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
		"a TLS hello":         "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"without a version":   "GET /\r\n",
		"a page's own method": "x / HTTP/1.1\r\nHost: evil.example\r\n\r\nreboot\n",
		"a method of 10 KiB":  strings.Repeat("a", 10<<10) + " / HTTP/1.1\r\n\r\nreboot\n",
		"its URL of 10 KiB":   "x /" + strings.Repeat("a", 10<<10) + " HTTP/1.1\r\n\r\nreboot\n",
		"a TURN request":      "\x00\x03\x00\x08\x21\x12\xa4\x42abcdefghijkl\x00\x19\x00\x04\x11\x00\x00\x00",
		"an ICE check":        "\x00\x20\x00\x01\x00\x0c\x21\x12\xa4\x42abcdefghijkl\x00\x06\x00\x08halt:abc",
	}
	for method := range strings.FieldsSeq("GET HEAD POST PUT DELETE OPTIONS PATCH TRACE CONNECT PRI") {
		requests[method] = method + " / HTTP/1.1\r\n\r\nreboot\n"
	}
	for name, text := range requests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server, refusals := pair(t)
			go func() {
				io.WriteString(client, text) // it may be cut off
				client.CloseWrite()
			}()
			if got, err := readAll(t, server); got != "" || !errors.Is(err, errRequest) {
				t.Errorf("read %.40q, %v", got, err)
			}
			select {
			case <-refusals:
			case <-time.After(limit):
				t.Error("no refusal is reported")
			}
		})
	}
}

// A request that comes in single bytes, each in a segment of its own, is held as
// one that comes at once.
func TestRequestInSingleBytes(t *testing.T) {
	client, server, _ := pair(t)
	go func() {
		reader := iotest.OneByteReader(strings.NewReader("POST / HTTP/1.1\r\n\r\nreboot\n"))
		for one := make([]byte, 1); ; {
			if n, err := reader.Read(one); n == 0 || err != nil {
				client.CloseWrite()
				return
			}
			if _, err := client.Write(one); err != nil {
				return
			}
		}
	}()
	if got, err := readAll(t, server); got != "" || !errors.Is(err, errRequest) {
		t.Errorf("read %q, %v", got, err)
	}
}

// A person's words are read on, whole and in order.
func TestTextPasses(t *testing.T) {
	for _, text := range []string{
		"", "root\n", "G", "GET", "GET\n", "GET /"[:4], "DELETE foo\n", "PUT x\n", "cat /etc/motd\n", "cat / | grep HTTP/1.1\n", "\nGET / HTTP/1.1\n",
		"POSTGRES=1\n", "\x16\x16", "\x16", strings.Repeat("0123456789abcdef\n", 10000),
	} {
		t.Run(fmt.Sprintf("%.12q", text), func(t *testing.T) {
			t.Parallel()
			client, server, _ := pair(t)
			go func() {
				io.WriteString(client, text)
				client.CloseWrite()
			}()
			if got, err := readAll(t, server); got != text || err != nil {
				t.Errorf("read %.40q, %v", got, err)
			}
		})
	}
}

// The start of a request is read on after a while, though its client stays; what
// makes it a request after that closes it.
func TestHeldBytesAreReleased(t *testing.T) {
	client, server, _ := pair(t)
	io.WriteString(client, "GE")
	got := make([]byte, 10)
	n, err := io.ReadAtLeast(server, got, 2)
	if string(got[:n]) != "GE" || err != nil {
		t.Fatalf("read %q, %v", got[:n], err)
	}
	io.WriteString(client, "T / HTTP/1.1\r\n\r\nreboot\n")
	if got, err := readAll(t, server); got != "" || !errors.Is(err, errRequest) {
		t.Errorf("read %q, %v", got, err)
	}
}

// Output does not wait for what the client sends.
func TestOutputIsNotHeld(t *testing.T) {
	client, server, _ := pair(t)
	io.WriteString(server, "login: ")
	got := make([]byte, 7)
	if _, err := io.ReadFull(client, got); err != nil || string(got) != "login: " {
		t.Errorf("got %q, %v", got, err)
	}
}

// A client with an IPv6 socket is known by its IPv4 address, and IPv6 itself works.
func TestAddresses(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, _, _ := listen(t, "tcp", address, false)
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := l.Accept(); err != nil {
			t.Error(err)
		}
	}
	l, _, _ := listen(t, "tcp4", "127.0.0.1:0", false)
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Skipf("%v (this host lacks IPv6)", err)
	}
	defer unix.Close(fd)
	to := unix.SockaddrInet6{Port: l.Addr().(*net.TCPAddr).Port, Addr: [16]byte{10: 0xff, 11: 0xff, 12: 127, 15: 1}}
	if err := unix.Connect(fd, &to); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); err != nil {
		t.Error(err)
	}
}

// stranger is set in a process that connects as another user.
const stranger = "GUARD_TEST_STRANGER"

func TestMain(m *testing.M) {
	if address, how, ok := strings.Cut(os.Getenv(stranger), " "); ok {
		beStranger(address, how)
	}
	os.Exit(m.Run())
}

// beStranger connects, sends a command, and leaves in a way.
func beStranger(address, how string) {
	dialed, err := net.Dial("tcp", address)
	if err != nil {
		os.Exit(1)
	}
	conn := dialed.(*net.TCPConn)
	io.WriteString(conn, "reboot\n")
	switch how {
	case "close":
		conn.Close()
	case "reset":
		conn.SetLinger(0)
		conn.Close()
	case "half-close":
		conn.CloseWrite()
		io.Copy(os.Stdout, conn)
	case "stay":
		io.Copy(os.Stdout, conn)
	}
	os.Exit(0)
}

// Another user is refused, however it leaves, and reads whose console it is. A
// client of the owner that comes after it is admitted.
func TestOtherUsersAreRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be another user (run it as root)")
	}
	test, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	program := "/tmp/guard-test-" + strconv.Itoa(os.Getpid()) // another user can run it there
	if err := os.WriteFile(program, test, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(program)
	for _, how := range []string{"close", "reset", "exit", "half-close", "stay"} {
		t.Run(how, func(t *testing.T) {
			l, port, refusals := listen(t, "tcp", "127.0.0.1:0", false)
			other := exec.Command(program)
			other.Env = []string{stranger + "=" + l.Addr().String() + " " + how}
			other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			var got bytes.Buffer
			other.Stdout = &got
			if err := other.Start(); err != nil {
				t.Fatal(err)
			}
			if how == "close" || how == "reset" || how == "exit" { // it has gone when it is looked up
				other.Wait()
			}
			accepted := make(chan net.Conn, 1)
			go func() {
				conn, _ := l.Accept()
				accepted <- conn
			}()
			select {
			case <-refusals:
			case <-accepted:
				t.Fatal("it is admitted")
			case <-time.After(limit):
				t.Fatal("it is neither refused nor admitted")
			}
			if how == "half-close" || how == "stay" {
				other.Wait()
				if !strings.HasPrefix(got.String(), "this console belongs to root; ") {
					t.Errorf("it got %q", got.String())
				}
			}
			mine, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer mine.Close()
			select {
			case conn := <-accepted:
				conn.Close()
			case <-time.After(limit):
				t.Error("the owner is not admitted after it")
			}
			if n := port.Refusals(); n != 1 {
				t.Errorf("%d refusals, want 1", n)
			}
		})
	}
}

// Sharing admits other users, and no browser.
func TestShared(t *testing.T) {
	l, _, _ := listen(t, "tcp", "127.0.0.1:0", true)
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(client, "GET / HTTP/1.1\r\n\r\n")
	if got, err := readAll(t, server); got != "" || !errors.Is(err, errRequest) {
		t.Errorf("read %q, %v", got, err)
	}
}

// The judgement does not depend on how the bytes are cut.
func FuzzJudgeLine(f *testing.F) {
	for _, text := range []string{"GET / HTTP/1.1", "root", "PRI *", "\x16\x03\x01", "DELETE foo"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := undecided
		for n := range len(text) + 1 {
			now := judgeLine(text[:n])
			if before != undecided && now != before {
				t.Fatalf("%q is %d, and %q is %d", text[:n-1], before, text[:n], now)
			}
			before = now
		}
		if len(text) >= len("OPTIONS /") && before == undecided {
			t.Errorf("%q is undecided", text)
		}
	})
}
