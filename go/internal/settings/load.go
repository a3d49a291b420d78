package settings

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-multierror"

	"microvm-console/internal/strictjson"
)

// Variable is the environment variable that names the settings file.
const Variable = "QEMU_RELAY_CONFIG"

// system is the settings file for all users of a machine.
const system = "/etc/qemu-relay/config.json"

// file is Settings as written in the file. A field of a channel that is left out stays nil,
// as its default depends on the channel.
type file struct {
	Directory    string              `json:"directory"`
	RetentionMiB int                 `json:"retentionMiB"`
	Boots        int                 `json:"boots"`
	Channels     map[string]declared `json:"channels"`
}

type declared struct {
	Enable *bool `json:"enable"`
	TCP    *int  `json:"tcp"`
	Shared *bool `json:"shared"`
	Input  *bool `json:"input"`
}

// Load reads the settings file at path. Its error is a *multierror.Error with one entry per
// mistake, which names the file and the field, or that of reading the file.
func Load(path string) (Settings, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Settings{}, err
	}
	settings, err := Parse(data)
	return settings, multierror.Prefix(err, path+":")
}

// Parse is like Load, for the content of a file.
func Parse(data []byte) (Settings, error) {
	s := Default()
	read := file{Directory: s.Directory, RetentionMiB: s.RetentionMiB, Boots: s.Boots}
	decoding := strictjson.Decode(data, &read)
	s.Directory, s.RetentionMiB, s.Boots = read.Directory, read.RetentionMiB, read.Boots
	for name, fields := range read.Channels {
		channel := defaultChannel(name)
		set(&channel.Enable, fields.Enable)
		set(&channel.TCP, fields.TCP)
		set(&channel.Shared, fields.Shared)
		set(&channel.Input, fields.Input)
		s.Channels[name] = channel
	}
	if err := strictjson.AllMistakes(decoding, s.validate()); err != nil {
		return Settings{}, err
	}
	return s, nil
}

// set sets field to written unless that is nil.
func set[T any](field *T, written *T) {
	if written != nil {
		*field = *written
	}
}

// Find loads the settings file at path. If path is "", it loads the file that the
// environment variable Variable names; if that is not set either, the first file that
// exists of ~/.config/qemu-relay/config.json (in $XDG_CONFIG_HOME) and
// /etc/qemu-relay/config.json. It returns the path of the file too. If no file exists it
// returns Default and "".
func Find(path string) (Settings, string, error) {
	if path == "" {
		path = os.Getenv(Variable)
	}
	if path != "" {
		settings, err := Load(path)
		return settings, path, err
	}
	for _, path := range usual() {
		settings, err := Load(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return settings, path, err
		}
	}
	return Default(), "", nil
}

// usual returns the paths of the settings files of the user and of the system.
func usual() []string {
	if dir, err := os.UserConfigDir(); err == nil { // fails without $HOME
		return []string{filepath.Join(dir, "qemu-relay", "config.json"), system}
	}
	return []string{system}
}
