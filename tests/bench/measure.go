package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// settled is the time for which qemu-relay rescans for openers after a change, which must not be
// measured.
const settled = 1200 * time.Millisecond

// connectAll opens a candidate and connects clients. The caller closes both.
func (b *bench) connectAll(c candidate, does string, bytes int64, clients int) (*setup, []*client, error) {
	s, err := c.open(b, does, bytes, clients, 0)
	if err != nil {
		return nil, nil, err
	}
	var all []*client
	for i := range clients {
		connected, err := s.connect(i)
		if err != nil {
			closeAll(all)
			s.close()
			return nil, nil, fmt.Errorf("%s: client %d: %w", c.name, i, err)
		}
		all = append(all, &client{conn: connected, checker: newChecker()})
	}
	c.settle()
	return s, all, nil
}

// settle waits until the candidate is idle.
func (c candidate) settle() {
	if c.ours {
		time.Sleep(settled)
		return
	}
	time.Sleep(100 * time.Millisecond)
}

func closeAll(clients []*client) {
	for _, c := range clients {
		c.Close()
	}
}

// rate measures a stream that all clients read. It returns the bytes per second of each client,
// the processor time of the candidate in seconds per GB, and the largest number of bytes that a
// client missed.
func (b *bench) rate(c candidate, clients int, bytes int64) (rate, cpu, lost float64, err error) {
	s, all, err := b.connectAll(c, guestStream, bytes, clients)
	if err != nil {
		return 0, 0, 0, err
	}
	defer s.close()
	defer closeAll(all)
	before := s.used().cpu
	begin := time.Now()
	if err := s.begin(); err != nil {
		return 0, 0, 0, err
	}
	readAll(all, bytes/recordBytes, b.sizes.quiet)
	rate = float64(bytes)
	var last time.Time
	for _, c := range all {
		got := float64(c.got * recordBytes)
		rate, lost = min(rate, got), max(lost, float64(bytes)-got)
		if c.last.After(last) {
			last = c.last
		}
		if c.repeated > 0 {
			return 0, 0, 0, fmt.Errorf("%d records were repeated", c.repeated)
		}
	}
	cpu = (s.used().cpu - before).Seconds()
	return rate / last.Sub(begin).Seconds(), cpu / (float64(bytes) / 1e9), lost, nil
}

// caseLimit is the time limit of a measurement that waits for answers.
const caseLimit = 20 * time.Second

// roundTrips measures the time from a typed byte to its echo.
func (b *bench) roundTrips(c candidate, count int) (p50, p99 float64, err error) {
	s, all, err := b.connectAll(c, guestEcho, 0, 1)
	if err != nil {
		return 0, 0, err
	}
	defer s.close()
	defer closeAll(all)
	in, out, err := all[0].descriptors()
	if err != nil {
		return 0, 0, err
	}
	defer in.Close()
	defer out.Close()
	if err := s.begin(); err != nil {
		return 0, 0, err
	}
	end := time.AfterFunc(caseLimit, s.close) // ends the wait without an answer
	defer end.Stop()
	times, err := echoes(int(in.Fd()), int(out.Fd()), count)
	if err != nil {
		return 0, 0, err
	}
	slices.Sort(times)
	return micro(times[count/2]), micro(times[count*99/100]), nil
}

func micro(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// echoes types a byte and waits for its echo, count times, after as many times that are not
// counted. It locks the goroutine to its thread, which blocks.
func echoes(in, out, count int) ([]time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var times []time.Duration
	one := make([]byte, 1)
	for i := range 2 * count {
		one[0] = 'x'
		begin := time.Now()
		if err := move(unix.SYS_WRITE, out, one); err != nil {
			return nil, err
		}
		if err := move(unix.SYS_READ, in, one); err != nil {
			return nil, err
		}
		if took := time.Since(begin); i >= count {
			times = append(times, took)
		}
	}
	return times, nil
}

// late returns the share of the guest's output that a client misses if it connects after half of
// it. The guest does not wait for clients.
func (b *bench) late(c candidate, length time.Duration) (float64, error) {
	bytes := int64(length.Seconds()*pacedRate) / pacedBytes * pacedBytes
	s, err := c.open(b, guestPaced, bytes, 1, 0)
	if err != nil {
		return 0, err
	}
	defer s.close()
	time.Sleep(200 * time.Millisecond) // time for the candidate to be ready
	if err := s.begin(); err != nil {
		return 0, err
	}
	time.Sleep(length / 2)
	connected, err := s.connect(0)
	if err != nil {
		return 0, err
	}
	defer connected.Close()
	reader := &client{conn: connected, checker: newChecker()}
	readAll([]*client{reader}, bytes/recordBytes, b.sizes.quiet)
	return 1 - float64(reader.got*recordBytes)/float64(bytes), nil
}

// stalled returns the rate of a client while another client does not read.
func (b *bench) stalled(c candidate, bytes int64) (rate, lost float64, err error) {
	s, all, err := b.connectAll(c, guestStream, bytes, 2)
	if err != nil {
		return 0, 0, err
	}
	defer s.close()
	defer closeAll(all)
	begin := time.Now()
	if err := s.begin(); err != nil {
		return 0, 0, err
	}
	readAll(all[:1], bytes/recordBytes, b.sizes.quiet)
	got := float64(all[0].got * recordBytes)
	if all[0].last.IsZero() {
		return 0, float64(bytes), nil
	}
	return got / all[0].last.Sub(begin).Seconds(), float64(bytes) - got, nil
}

// idle has what a candidate uses without data.
type idle struct {
	pssClient, rssClient   float64 // bytes, of each client
	pssChannel, rssChannel float64 // bytes, of each further channel
	cpu                    float64 // seconds per second
	wakeups                float64 // per second
}

// idleClients measures attached clients without data.
func (b *bench) idleClients(c candidate, count int, length time.Duration, result *idle) error {
	s, all, err := b.connectAll(c, guestPaced, pacedBytes, 1)
	if err != nil {
		return err
	}
	defer s.close()
	defer func() { closeAll(all) }()
	if err := s.begin(); err != nil {
		return err
	}
	readAll(all, pacedBytes/recordBytes, time.Second)
	c.settle()
	before := s.used()
	for i := range count {
		connected, err := s.connect(i)
		if err != nil {
			return err
		}
		all = append(all, &client{conn: connected, checker: newChecker()})
	}
	c.settle()
	after := s.used()
	time.Sleep(length)
	later := s.used()
	result.pssClient = float64(after.pss-before.pss) / float64(count)
	result.rssClient = float64(after.rss-before.rss) / float64(count)
	result.cpu = (later.cpu - after.cpu).Seconds() / length.Seconds()
	result.wakeups = float64(later.switches-after.switches) / length.Seconds()
	return nil
}

// idleChannels measures idle channels besides one.
func (b *bench) idleChannels(c candidate, count int, result *idle) error {
	var used [2]usage
	for i, beside := range []int{0, count} {
		s, err := c.open(b, guestPaced, 0, 1, beside)
		if err != nil {
			return err
		}
		connected, err := s.connect(0)
		if err != nil {
			s.close()
			return err
		}
		c.settle()
		used[i] = s.used()
		connected.Close()
		s.close()
	}
	result.pssChannel = float64(used[1].pss-used[0].pss) / float64(count)
	result.rssChannel = float64(used[1].rss-used[0].rss) / float64(count)
	return nil
}

// move reads or writes a byte with a raw system call: Go's scheduler would add work that is not
// the candidate's.
func move(call uintptr, fd int, one []byte) error {
	for {
		n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&one[0])), 1)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return errno
		case n == 1:
			return nil
		default:
			return io.ErrUnexpectedEOF
		}
	}
}
