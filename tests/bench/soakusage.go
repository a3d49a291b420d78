package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// sampleEvery is the time between two samples.
const sampleEvery = 10 * time.Second

// watch takes samples until ctx ends.
func (s *soak) watch(ctx context.Context) {
	for pause(ctx, sampleEvery) == nil {
		s.sample(false)
	}
}

func (s *soak) daemons() (all []*daemon) {
	for _, vm := range s.vms {
		all = append(all, vm.daemon)
	}
	for _, relay := range s.relays {
		all = append(all, relay.daemon)
	}
	return all
}

// sample takes a sample of all processes and of the journals' disk.
func (s *soak) sample(quiet bool) {
	for _, d := range s.daemons() {
		if err := d.sample(quiet); err != nil {
			s.fault("%v", err)
		}
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(filepath.Join(s.work, "state"), &disk); err != nil {
		s.fault("statfs: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used[1] = int64(disk.Blocks-disk.Bfree) * disk.Bsize; !s.full {
		s.used[0] = max(s.used[0], s.used[1])
	}
}

// progress prints a line after each cycle.
func (s *soak) progress(number int) {
	var words []string
	for _, d := range s.daemons() {
		if life := d.lives[len(d.lives)-1]; len(life.samples) > 0 {
			last := life.samples[len(life.samples)-1]
			words = append(words, fmt.Sprintf("%s %.1f MiB %d", strings.TrimPrefix(d.role, "microvm-run "), last.rss, last.descriptors))
		}
	}
	fmt.Fprintf(os.Stderr, "%4.0f s  cycle %d: %s; journals %d MiB\n",
		time.Since(s.begin).Seconds(), number, strings.Join(words, ", "), s.used[1]>>20)
}

// memory has the medians of the memory of processes in two quarters of a time, in MiB.
type memory struct{ second, last float64 }

// flat reports whether the memory does not grow by more than 10 % and 2 MiB.
func (m memory) flat() bool { return m.last <= 1.1*m.second+2 }

// memoryBetween returns the memory of all processes in the second and in the last quarter of a
// time.
func memoryBetween(lives []*life, begin, end time.Time) memory {
	var quarters [4][]float64
	for _, life := range lives {
		for _, sample := range life.samples {
			quarter := int(4 * sample.time.Sub(begin) / (end.Sub(begin) + 1))
			quarters[min(max(0, quarter), 3)] = append(quarters[min(max(0, quarter), 3)], sample.rss)
		}
	}
	return memory{spreadOf(quarters[1]).median, spreadOf(quarters[3]).median}
}

// longLife is the least lifetime of a process for which the quarters of its life are compared.
const longLife = 10 * time.Minute

// worstLife returns the memory of the process that grew most, and the number of processes that
// lived for longLife.
func (d *daemon) worstLife() (worst memory, long int) {
	for _, l := range d.lives {
		if len(l.samples) == 0 || l.samples[len(l.samples)-1].time.Sub(l.begun) < longLife {
			continue
		}
		m := memoryBetween([]*life{l}, l.begun, l.samples[len(l.samples)-1].time)
		if long++; long == 1 || m.last-1.1*m.second > worst.last-1.1*worst.second {
			worst = m
		}
	}
	return worst, long
}

// descriptors returns the number of descriptors of each process at its first quiet moment, and the
// largest difference at a later one.
func (d *daemon) descriptors() (first []int, most int) {
	for _, life := range d.lives {
		begun := false
		for _, sample := range life.samples {
			switch {
			case !sample.quiet:
			case !begun:
				begun, first = true, append(first, sample.descriptors)
			default:
				more := sample.descriptors - first[len(first)-1]
				most = max(most, more, -more)
			}
		}
	}
	slices.Sort(first)
	return slices.Compact(first), most
}
