package follow

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/journal"
	"microvm-console/internal/openers"
)

// boots finds out where boots begin in a journal, whose folder it looks at. A boot's first
// file exists before its first byte can be read.
type boots struct {
	dir      string
	all      []journal.Boot
	reached  int       // the number of the newest boot that was announced, or is passed
	modified time.Time // of the folder when it was read
	fresh    bool      // it was modified at about the time at which it was read
}

// begin notes that the stream of the journal in dir is read from offset on.
func (b *boots) begin(dir string, offset int64) {
	if b.dir != dir {
		*b = boots{dir: dir}
	}
	b.look()
	b.pass(offset)
}

// pass has the boots that began before offset not announced.
func (b *boots) pass(offset int64) {
	for _, boot := range b.all {
		if boot.Start < offset {
			b.reached = max(b.reached, boot.Number)
		}
	}
}

// next returns the next boot to be announced if it begins at offset; otherwise nil, and
// how many of the n bytes from offset on come before it.
func (b *boots) next(offset, n int64) (*journal.Boot, int64) {
	b.look()
	for i := range b.all {
		boot := &b.all[i]
		if boot.Number <= b.reached || boot.Start >= offset+n && n > 0 {
			continue
		}
		if boot.Start <= offset {
			b.reached = boot.Number
			return boot, 0
		}
		return nil, min(n, boot.Start-offset)
	}
	return nil, n
}

// clockStep is more than the resolution of the times of files.
const clockStep = 100 * time.Millisecond

// look reads the journal's boots, unless its folder is as it was.
func (b *boots) look() {
	if b.dir == "" {
		return
	}
	info, err := os.Stat(b.dir)
	if err != nil || !b.fresh && info.ModTime().Equal(b.modified) {
		return
	}
	b.modified, b.fresh = info.ModTime(), time.Since(info.ModTime()) < clockStep
	if snapshot, err := journal.TakeSnapshot(b.dir); err == nil {
		b.all = snapshot.Boots()
	}
}

// endLimit is how long the owner of a stream that has ended may take to record how.
const endLimit = 2 * time.Second

// endOfBoot returns the newest boot of the journal in dir, once it is recorded how it has
// ended or no process writes the journal any more. It returns the zero value if nothing is
// kept.
func endOfBoot(ctx context.Context, dir string) journal.Boot {
	limited, cancel := context.WithTimeout(ctx, endLimit)
	defer cancel()
	changes := watch(dir)
	defer changes.close()
	for {
		snapshot, err := journal.TakeSnapshot(dir)
		if err != nil {
			return journal.Boot{}
		}
		boot, err := snapshot.Boot(0)
		if err != nil || boot.How != "" || !snapshot.Written() || limited.Err() != nil {
			return boot
		}
		changes.wait(limited)
	}
}

// watcher waits for changes in folders. Its wait ends after a while without one: the
// kernel may refuse to watch, and what is waited for may come without a change of a file.
type watcher struct{ watch *openers.Watch }

// mostWait bounds one wait of a watcher.
const mostWait = time.Second

// folderEvents are the changes in a folder that may matter.
const folderEvents = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_TO | unix.IN_MODIFY | unix.IN_CLOSE_WRITE | unix.IN_DELETE_SELF

// watch watches folders; one that does not exist, or cannot be watched, is left out.
func watch(dirs ...string) watcher {
	watch, err := openers.NewWatch()
	if err != nil {
		return watcher{}
	}
	w := watcher{watch}
	w.add(dirs...)
	return w
}

// add watches folders too.
func (w watcher) add(dirs ...string) {
	for _, dir := range dirs {
		if w.watch != nil {
			_ = w.watch.Add(dir, folderEvents) // else wait ends after a while
		}
	}
}

// wait waits for a change, for mostWait, or until ctx ends.
func (w watcher) wait(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, mostWait)
	defer cancel()
	if w.watch == nil {
		<-limited.Done()
		return
	}
	_, _ = w.watch.Wait(limited) // what has changed is looked at by the caller
}

func (w watcher) close() {
	if w.watch != nil {
		w.watch.Close()
	}
}
