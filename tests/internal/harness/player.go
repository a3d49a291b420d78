package harness

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// playerPackage is the package of asciinema's player in the registry of npm.
const playerPackage = "asciinema-player@3.18.0"

// playerPage is a page that plays recordings.
//
//go:embed player.html
var playerPage []byte

// Player is asciinema's player in Chromium.
type Player struct {
	t          *testing.T
	browser    *Session
	recordings chan string   // what the page plays next
	screens    chan []string // the last screen of each recording
}

// OpenPlayer downloads asciinema's player, and starts Chromium with it.
func OpenPlayer(t *testing.T) *Player {
	t.Helper()
	for _, tool := range []string{"chromium", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			Skip(t, tool, "install Debian's "+tool)
		}
	}
	dir := t.TempDir()
	Must(t, dir, "tar", "-xf", strings.TrimSpace(Must(t, dir, "npm", "pack", "--silent", playerPackage)))
	p := &Player{t: t, recordings: make(chan string), screens: make(chan []string, 1)}
	server := httptest.NewServer(p.pages(filepath.Join(dir, "package", "dist", "bundle")))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	p.browser = Start(t, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+filepath.Join(dir, "profile"), server.URL)
	t.Cleanup(func() {
		_ = p.browser.Cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
		<-p.browser.Ended
	})
	return p
}

// pages serves the page that plays recordings. files is the folder of the player's files.
func (p *Player) pages(files string) http.Handler {
	pages := http.NewServeMux()
	pages.Handle("/", http.FileServer(http.Dir(files)))
	pages.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(playerPage) })
	pages.HandleFunc("/recording", func(w http.ResponseWriter, r *http.Request) {
		select {
		case recording := <-p.recordings:
			_, _ = w.Write([]byte(recording))
		case <-r.Context().Done():
		}
	})
	pages.HandleFunc("/screen", func(_ http.ResponseWriter, r *http.Request) {
		var rows []string
		if err := json.NewDecoder(r.Body).Decode(&rows); err != nil {
			p.t.Errorf("the player's page: %v", err)
		}
		for i := range rows {
			rows[i] = strings.TrimRight(rows[i], " ")
		}
		p.screens <- rows
	})
	return pages
}

// LastScreen plays a recording to its end, and returns the lines of its last screen, without
// trailing spaces.
func (p *Player) LastScreen(recording string) []string {
	p.t.Helper()
	late := time.After(WaitLimit)
	select {
	case p.recordings <- recording:
	case <-late:
		p.t.Fatalf("the player does not start within %v:\n%s", WaitLimit, p.browser.Printed())
	}
	select {
	case rows := <-p.screens:
		return rows
	case <-late:
		p.t.Fatalf("the player does not come to the end within %v:\n%s\n%s", WaitLimit, p.browser.Printed(), recording)
	}
	return nil
}
