package relay

import (
	"testing"

	"microvm-console/tests/internal/harness"
)

func TestMain(m *testing.M) {
	printerIfAsked()
	harness.Main(m)
}
