package relayd

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/ctl"
	"microvm-console/internal/relay"
	"microvm-console/internal/rundir"
)

// fixture is a running channel, and the FIFOs that an attached QEMU has open.
type fixture struct {
	t       *testing.T
	service *Channel
	public  rundir.Public
	out, in *os.File
	said    bytes.Buffer // everything printed
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	directory := testFolders(t)
	service, _ := run(t, Config{Name: "serial", Settings: in(directory)})
	lease, err := service.dir.AcquireVM()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lease.Close() })
	if _, err := service.Boot(); err != nil {
		t.Fatal(err)
	}
	vm := relay.VMPath(service.dir.Path())
	d := &fixture{t: t, service: service, public: rundir.PublicOf(directory, "serial")}
	d.out, d.in = d.open(vm+".out", os.O_RDWR), d.open(vm+".in", os.O_RDWR)
	return d
}

func (d *fixture) open(path string, flags int) *os.File {
	d.t.Helper()
	file, err := os.OpenFile(path, flags|unix.O_NOCTTY, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { file.Close() })
	return file
}

// dial connects to the socket.
func (d *fixture) dial() net.Conn {
	d.t.Helper()
	conn, err := net.Dial("unix", d.public.Socket)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	return conn
}

// say prints text like the guest.
func (d *fixture) say(text string) {
	d.t.Helper()
	d.said.WriteString(text)
	if _, err := io.WriteString(d.out, text); err != nil {
		d.t.Fatal(err)
	}
}

// gets checks that text is read next.
func (d *fixture) gets(from io.Reader, text string) {
	d.t.Helper()
	got := make([]byte, len(text))
	read := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(from, got)
		read <- err
	}()
	select {
	case err := <-read:
		if err != nil || string(got) != text {
			d.t.Fatalf("got %q, %v, want %q", got, err, text)
		}
	case <-time.After(hangLimit):
		d.t.Fatalf("timed out, want %q", text)
	}
}

// types writes text, and checks that it reaches the guest.
func (d *fixture) types(to io.Writer, text string) {
	d.t.Helper()
	if _, err := io.WriteString(to, text); err != nil {
		d.t.Fatal(err)
	}
	d.gets(d.in, text)
}

// missingEndpoints returns the number of endpoints that are not in place.
func missingEndpoints(service *Channel) int { return len(service.Status().Consoles[0].Missing) }

// remove removes all endpoints and waits until they are recreated.
func (d *fixture) remove() {
	d.t.Helper()
	before := map[string]os.FileInfo{}
	for _, name := range append(d.service.endpoints(), d.service.dir.Ctl()) {
		before[name], _ = os.Lstat(name)
		os.Remove(name)
	}
	await(d.t, "the endpoints", func() bool { return missingEndpoints(d.service) == 0 && !gone(d.service.dir.Ctl()) })
	for name, info := range before {
		if now, err := os.Lstat(name); err != nil || now.Mode() != info.Mode() {
			d.t.Errorf("%s: %v, %v", name, now, err)
		}
	}
}

// When all endpoints are removed repeatedly while a VM is attached, clients of the old
// ones stay connected, and new clients find new ones.
func TestRemovedEndpointsAreRecreated(t *testing.T) {
	d := newFixture(t)
	d.say("one ")
	var readers []io.Reader
	var writers []io.Writer
	for round := range 3 {
		conn, tty := d.dial(), d.open(d.public.PTY, os.O_RDWR)
		readers = append(readers, conn, d.open(d.public.Out, os.O_RDONLY))
		if round == 0 { // there is only one terminal, under any name
			readers = append(readers, tty)
		}
		writers = append(writers, conn, d.open(d.public.In, os.O_WRONLY), tty)
		d.remove()
		d.say("more ")
	}
	for _, reader := range readers {
		d.gets(reader, d.said.String())
	}
	d.say("last")
	for _, reader := range readers {
		d.gets(reader, "last")
	}
	for _, writer := range writers {
		d.types(writer, "typed")
	}
	text, err := os.ReadFile(d.public.Log)
	if err != nil || string(text) != d.said.String() {
		t.Errorf("the log is %q, %v", text, err)
	}
	status, err := ctl.Client{Path: d.service.dir.Ctl()}.Status(t.Context())
	if err != nil || len(status.Consoles[0].Missing) > 0 || !status.Consoles[0].Relay.Attached {
		t.Errorf("status %+v, %v", status, err)
	}
}

// When the public directory is removed and created again later, the endpoints are
// recreated.
func TestRemovedDirectory(t *testing.T) {
	directory := testFolders(t) + "/public"
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	service, _ := run(t, Config{Name: "serial", Settings: in(directory)})
	if err := os.RemoveAll(directory); err != nil {
		t.Fatal(err)
	}
	await(t, "the status", func() bool { return len(service.Status().Consoles[0].Missing) == 5 })
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	await(t, "the endpoints", func() bool { return missingEndpoints(service) == 0 })
}

// A QEMU started by hand on the public pair keeps its FIFOs. They are recreated when it
// has ended.
func TestRemovedEndpointsWithQEMUByHand(t *testing.T) {
	directory := testFolders(t)
	service, _ := run(t, Config{Name: "serial", Settings: in(directory)})
	public := rundir.PublicOf(directory, "serial")
	stop := openByHand(t, public.In, public.Out)
	for _, name := range service.endpoints() {
		os.Remove(name)
	}
	await(t, "the socket", func() bool { return !gone(public.Socket) && !gone(public.PTY) && !gone(public.Log) })
	time.Sleep(2 * repairDelay)
	missing := service.Status().Consoles[0].Missing
	if strings.Join(missing, " ") != public.In+" "+public.Out {
		t.Errorf("missing: %q", missing)
	}
	stop()
	await(t, "the FIFOs", func() bool { return missingEndpoints(service) == 0 })
}

// openByHand starts a process that opens two FIFOs like QEMU. It runs until stop is
// called.
func openByHand(t *testing.T, in, out string) (stop func()) {
	t.Helper()
	qemu := exec.Command("bash", "-c", `exec 3<>"$1" 4<>"$2"; echo ready; read`, "-", in, out)
	stdin, err := qemu.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := qemu.StdoutPipe()
	if err == nil {
		err = qemu.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		stdin.Close()
		_ = qemu.Wait() // it has no output
	})
	t.Cleanup(stop)
	if _, err := io.ReadFull(stdout, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	return stop
}

// When the private folder is removed, the attached QEMU is served until it ends. Then the
// relay ends with an error, and the next one continues.
func TestRemovedFolder(t *testing.T) {
	directory := testFolders(t)
	config := Config{Name: "serial", Settings: in(directory)}
	service, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- service.Run(t.Context()) }()
	stop := openByHand(t, relay.VMPath(service.dir.Path())+".in", service.vmOut())
	out, err := os.OpenFile(service.vmOut(), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := net.Dial("unix", rundir.PublicOf(directory, "serial").Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	await(t, "QEMU to attach", func() bool { return service.Status().Consoles[0].Relay.Attached })
	if err := os.RemoveAll(service.dir.Path()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * repairDelay)
	if _, err := io.WriteString(out, "all the same"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("all the same"))
	if _, err := io.ReadFull(reader, got); err != nil || string(got) != "all the same" {
		t.Errorf("got %q, %v", got, err)
	}
	out.Close()
	stop()
	select {
	case err = <-done:
	case <-time.After(hangLimit):
		t.Fatal("Run does not return")
	}
	if err == nil || !strings.Contains(err.Error(), service.dir.Path()+": files of the relay were removed") {
		t.Errorf("Run returned %v", err)
	}
	again, _ := run(t, config)
	if end := again.Status().Consoles[0].Relay.End; end != int64(len("all the same")) {
		t.Errorf("the next relay continues at %d", end)
	}
}

// A recreated socket replaces the old one in the store.
func TestRecreatedSocketIsStored(t *testing.T) {
	directory := testFolders(t)
	calls := make(chan string, 100)
	store := FDStore{
		Keep:   func(name string, _ *os.File) error { calls <- "keep " + name; return nil },
		Forget: func(name string) error { calls <- "forget " + name; return nil },
	}
	service, _ := run(t, Config{Name: "serial", Settings: in(directory), Store: store})
	for len(calls) > 0 {
		<-calls
	}
	os.Remove(service.public().Socket)
	for _, want := range []string{"forget serial.sock", "keep serial.sock"} {
		select {
		case got := <-calls:
			if got != want {
				t.Errorf("%q, want %q", got, want)
			}
		case <-time.After(hangLimit):
			t.Fatalf("no %q", want)
		}
	}
}
