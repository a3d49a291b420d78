package guest

import (
	"testing"

	"microvm-console/tests/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
