package journal

import "fmt"

// Range is the part of the stream that is kept: from the oldest byte to the
// one behind the newest.
func (j *Journal) Range() (oldest, end int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.segments[0].start, j.last().end()
}

// BootNumber is the number of the newest boot, from 1; 0 before the first one.
func (j *Journal) BootNumber() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last().boot
}

// BootRange is where a boot begins and ends. back is 0 for the newest boot, -1
// for the one before, and so on. The newest one has not ended: its end is where
// the stream ends now. It is an error where nothing of the boot is kept.
func (j *Journal) BootRange(back int) (start, end int64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	wanted := j.last().boot + back
	found := false
	for _, s := range j.segments {
		if s.boot != wanted {
			continue
		}
		if !found {
			start, found = s.start, true
		}
		end = s.end()
	}
	if !found || wanted == 0 && start == end {
		return 0, 0, fmt.Errorf("boot %d: nothing of it is kept (the oldest is %d)", back, j.segments[0].boot-j.last().boot)
	}
	return start, end, nil
}

// Marks are the times of a boot, oldest first.
func (j *Journal) Marks(back int) ([]Mark, error) {
	j.mu.Lock()
	wanted := j.last().boot + back
	var paths []string
	for _, s := range j.segments {
		if s.boot == wanted {
			paths = append(paths, s.path(j.dir)+indexSuffix)
		}
	}
	j.mu.Unlock()
	var marks []Mark
	for _, path := range paths {
		some, err := readIndex(path)
		if err != nil {
			return marks, err
		}
		marks = append(marks, some...)
	}
	return marks, nil
}
