package follow

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"microvm-console/internal/journal"
	"microvm-console/internal/openers"
)

// boots finds out where boots begin in a journal by reading its folder. The first file of
// a boot exists before the first byte of the boot can be read.
type boots struct {
	dir      string
	all      []journal.Boot
	reached  int       // number of the newest boot that was announced or skipped
	modified time.Time // modification time of the folder when it was read
	fresh    bool      // the folder was modified just before it was read
}

// begin starts reading the journal in dir at offset.
func (b *boots) begin(dir string, offset int64) {
	if b.dir != dir {
		*b = boots{dir: dir}
	}
	b.update()
	b.skip(offset)
}

// skip skips the boots that began before offset: next will not return them.
func (b *boots) skip(offset int64) {
	for _, boot := range b.all {
		if boot.Start < offset {
			b.reached = max(b.reached, boot.Number)
		}
	}
}

// next returns the boot to be announced at offset. If there is none, it returns nil and
// how many of the n bytes from offset on precede the next boot.
func (b *boots) next(offset, n int64) (*journal.Boot, int64) {
	b.update()
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

// clockStep is longer than the resolution of file times.
const clockStep = 100 * time.Millisecond

// update reads the boots of the journal, unless its folder has not changed.
func (b *boots) update() {
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

// endLimit is how long the owner of an ended stream may take to record the exit cause.
const endLimit = 2 * time.Second

// endOfBoot returns the newest boot of the journal in dir, once its exit cause is
// recorded or no process writes the journal any more. It returns the zero value if
// nothing is kept.
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

// watcher waits for changes in folders. Because the kernel may refuse a watch, and some
// conditions change without a change of a file, each wait has a limit.
type watcher struct{ watch *openers.Watch }

// maxWait limits one wait of a watcher.
const maxWait = time.Second

// folderEvents are the relevant changes in a folder.
const folderEvents = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_TO | unix.IN_MODIFY | unix.IN_CLOSE_WRITE | unix.IN_DELETE_SELF

// watch watches folders. It ignores those that do not exist or cannot be watched.
func watch(dirs ...string) watcher {
	watch, err := openers.NewWatch()
	if err != nil {
		return watcher{}
	}
	w := watcher{watch}
	w.add(dirs...)
	return w
}

// add watches more folders.
func (w watcher) add(dirs ...string) {
	for _, dir := range dirs {
		if w.watch != nil {
			_ = w.watch.Add(dir, folderEvents) // without a watch, wait returns after maxWait
		}
	}
}

// wait waits for a change, for maxWait, or until ctx is done.
func (w watcher) wait(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	if w.watch == nil {
		<-limited.Done()
		return
	}
	_, _ = w.watch.Wait(limited) // the caller checks what has changed
}

func (w watcher) close() {
	if w.watch != nil {
		w.watch.Close()
	}
}
