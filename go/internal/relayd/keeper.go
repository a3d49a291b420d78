package relayd

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Keeper keeps descriptors for the next process that serves the channel, as the
// service manager's store does. Names are unique among all channels.
type Keeper struct {
	// Kept are those that were kept, by name. What is taken is deleted.
	Kept map[string]*os.File
	// Keep has a copy of file kept under name. nil: nothing is kept.
	Keep func(name string, file *os.File) error
	// Forget ends that. nil as Keep is.
	Forget func(name string) error
}

// The endings of the names under which a channel's descriptors are kept.
const (
	socketName = ".sock"
	outName    = ".vm.out"
	inName     = ".vm.in"
)

func portName(channel string, i int) string { return fmt.Sprintf("%s.tcp%d", channel, i) }

// take returns what was kept under name; nil: nothing. The caller closes it.
func (k Keeper) take(name string) *os.File {
	file := k.Kept[name]
	delete(k.Kept, name)
	return file
}

// drop ends the keeping of a file that was taken and is of no use; nil: none was.
func (k Keeper) drop(name string, file *os.File) {
	if file == nil {
		return
	}
	file.Close()
	k.forget(name)
}

// forget ends the keeping under name. Where that fails, the next process drops
// it.
func (k Keeper) forget(name string) {
	if k.Forget != nil {
		_ = k.Forget(name)
	}
}

func (k Keeper) keepListener(name string, listener net.Listener) error {
	if k.Keep == nil {
		return nil
	}
	file, err := listener.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		return err
	}
	defer file.Close()
	return k.Keep(name, file)
}

// keepPair has the FIFOs of a channel's VM side kept, so that what a QEMU that
// has ended left there outlives also the relay. They are opened by their names:
// one descriptor that is kept keeps the content for all.
func (k Keeper) keepPair(channel, path string) error {
	if k.Keep == nil {
		return nil
	}
	return errors.Join(k.keepFIFO(channel+outName, path+".out"), k.keepFIFO(channel+inName, path+".in"))
}

func (k Keeper) keepFIFO(name, path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	kept := k.take(name)
	if same(kept, file) {
		return kept.Close()
	}
	k.drop(name, kept)
	return k.Keep(name, file)
}

// same tells whether a file that was kept, if any, is the one at hand.
func same(kept, file *os.File) bool {
	if kept == nil {
		return false
	}
	a, err := kept.Stat()
	if err != nil {
		return false
	}
	b, err := file.Stat()
	return err == nil && os.SameFile(a, b)
}
