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

// limit is when a test gives up waiting.
const limit = 30 * time.Second

// listen returns a guarded listener on an address, and a channel with its refusals.
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

// readAll returns what the server reads until the end or an error. The error is nil for
// io.EOF.
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
		"an invented method":  "x / HTTP/1.1\r\nHost: evil.example\r\n\r\nreboot\n",
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
				io.WriteString(client, text) // may be cut off
				client.CloseWrite()
			}()
			if got, err := readAll(t, server); got != "" || !errors.Is(err, errRequest) {
				t.Errorf("read %.40q, %v", got, err)
			}
			select {
			case <-refusals:
			case <-time.After(limit):
				t.Error("timed out: no refusal")
			}
		})
	}
}

// A request that arrives in single bytes is held like one that arrives at once.
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

// Ordinary text is read completely and in order.
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

// The beginning of a request is returned after holdLimit. If the client later completes
// the request, it is disconnected.
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

// Output does not wait for the client's input.
func TestOutputIsNotHeld(t *testing.T) {
	client, server, _ := pair(t)
	io.WriteString(server, "login: ")
	got := make([]byte, 7)
	if _, err := io.ReadFull(client, got); err != nil || string(got) != "login: " {
		t.Errorf("got %q, %v", got, err)
	}
}

// A client that connects to an IPv4 address through an IPv6 socket is recognized, and
// IPv6 works.
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

// stranger is the environment variable of a process that connects as another user.
const stranger = "GUARD_TEST_STRANGER"

func TestMain(m *testing.M) {
	if address, how, ok := strings.Cut(os.Getenv(stranger), " "); ok {
		beStranger(address, how)
	}
	os.Exit(m.Run())
}

// beStranger connects, sends a command, and disconnects in the way given by how.
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

// A client of another user is refused, no matter how it disconnects, and is sent the
// owner's name. A later client of the owner is admitted.
func TestOtherUsersAreRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can act as another user (run as root)")
	}
	test, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	program := "/tmp/guard-test-" + strconv.Itoa(os.Getpid()) // a folder where another user can run it
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
			if how == "close" || how == "reset" || how == "exit" { // gone before Accept
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
				t.Fatal("the client was admitted")
			case <-time.After(limit):
				t.Fatal("timed out: the client is neither refused nor admitted")
			}
			if how == "half-close" || how == "stay" {
				other.Wait()
				if !strings.HasPrefix(got.String(), "this console belongs to root (") {
					t.Errorf("the client got %q", got.String())
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
				t.Error("timed out: the owner is not admitted")
			}
			if n := port.Refusals(); n != 1 {
				t.Errorf("%d refusals, want 1", n)
			}
		})
	}
}

// Sharing admits other users, but not browsers.
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

// The verdict does not depend on how the bytes are split.
func FuzzJudgeLine(f *testing.F) {
	for _, text := range []string{"GET / HTTP/1.1", "root", "PRI *", "\x16\x03\x01", "DELETE foo"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := undecided
		for n := range len(text) + 1 {
			now := judgeLine(text[:n])
			if before != undecided && now != before {
				t.Fatalf("verdict of %q: %d, of %q: %d", text[:n-1], before, text[:n], now)
			}
			before = now
		}
		if len(text) >= len("OPTIONS /") && before == undecided {
			t.Errorf("%q is undecided", text)
		}
	})
}
