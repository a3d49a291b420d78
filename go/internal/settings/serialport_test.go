package settings_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/settings"
)

func TestOptionOfFurtherSerialPorts(t *testing.T) {
	enabled := settings.Channel{Enable: true}
	s := settings.Settings{Channels: map[string]settings.Channel{
		"serial": {}, "monitor": enabled, "com2": enabled, "com3": {}, "com4": enabled, "hvc0": enabled,
	}}
	got := map[string]string{}
	for name := range s.Channels {
		got[name] = s.Option(name)
	}
	want := map[string]string{
		"serial": "-serial", "monitor": "-monitor", "com2": "-serial #2", "com3": "-serial", "com4": "-serial #3", "hvc0": "-device virtconsole",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
