package guest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

const (
	stormSeries  = 10 // series of clients that run at once, half of them on each console
	stormClients = 10 // of each series, one after the other
)

// stormStep is the largest number of bytes that a client reads more than the clients before
// it, by console: ttyS0 prints about 20 KB in a boot, hvc0 less than 1 KB.
var stormStep = [2]int{4096, 160}

// bootClients is a series of clients of one console, one after the other, during a boot.
type bootClients struct {
	address string
	step    int
	random  *rand.Rand
	booted  *atomic.Int64 // bytes that the boot has printed; 0 until its end
	runs    []bootClient
}

// bootClient is what one client has received.
type bootClient struct {
	data  []byte
	early bool // it disconnected before the end of the boot
	err   error
}

// TestClientsComeAndGo connects 100 clients while the guest boots, which read in pieces of
// random sizes and disconnect at random moments. Each receives the first bytes of the boot.
func TestClientsComeAndGo(t *testing.T) {
	t.Parallel()
	dir := harness.OwnFolders(t)
	vm := harness.Start(t, harness.DemoProgram(t, "microvm-run"), "--auto-ports")
	vm.Expect(`console  hvc0   tcp localhost:\d+`, 1)
	booting := harness.Consoles(t, dir)
	var booted [2]atomic.Int64
	var clients sync.WaitGroup
	series := make([]*bootClients, stormSeries)
	for number := range series {
		series[number] = &bootClients{
			address: net.JoinHostPort("127.0.0.1", strconv.Itoa(booting[number%2].Port)),
			step:    stormStep[number%2],
			random:  rand.New(rand.NewPCG(2026, uint64(number))),
			booted:  &booted[number%2],
		}
		clients.Go(series[number].run)
	}
	for _, console := range booting {
		harness.Login(harness.Start(t, "nc.openbsd", "-U", console.Relay.Socket))
	}
	for place, console := range harness.Consoles(t, dir) {
		booted[place].Store(console.Relay.End)
	}
	clients.Wait()
	harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"))
	vm.Status()
	journals := [2][]byte{booting[0].ReadJournal(t), booting[1].ReadJournal(t)}
	early, read := 0, 0
	for number, s := range series {
		for i, client := range s.runs {
			if client.err != nil || !bytes.HasPrefix(journals[number%2], client.data) {
				t.Errorf("client %d of %s: got %d bytes that are not the first ones of the boot: %v",
					i, s.address, len(client.data), client.err)
			}
			if read += len(client.data); client.early {
				early++
			}
		}
	}
	t.Logf("%d of %d clients disconnected during the boot; all clients read %d bytes", early, stormSeries*stormClients, read)
	if early < stormClients {
		t.Error("the boot ended before the clients connected")
	}
}

// run runs the clients.
func (s *bootClients) run() {
	seen := 0
	for range stormClients {
		data, err := s.connect(s.random.IntN(seen + s.step))
		s.runs = append(s.runs, bootClient{data, s.booted.Load() == 0, err})
		seen = max(seen, len(data))
	}
}

// connect connects a client, which reads want bytes in pieces of random sizes and disconnects.
// It reads fewer if the boot has printed fewer.
func (s *bootClients) connect(want int) ([]byte, error) {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	late := time.Now().Add(harness.WaitLimit)
	var data []byte
	for {
		if all := int(s.booted.Load()); all > 0 {
			want = min(want, all)
		}
		if len(data) >= want {
			return data, nil
		}
		piece := make([]byte, min(1+s.random.IntN(1500), want-len(data)))
		conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // to check booted again
		n, err := conn.Read(piece)
		data = append(data, piece[:n]...)
		if err != nil && (!errors.Is(err, os.ErrDeadlineExceeded) || time.Now().After(late)) {
			return data, err
		}
	}
}
