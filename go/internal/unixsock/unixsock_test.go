package unixsock_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"microvm-console/internal/unixsock"
)

func TestListenInAMissingFolder(t *testing.T) {
	if _, err := unixsock.Listen(filepath.Join(t.TempDir(), "none", "ctl")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
