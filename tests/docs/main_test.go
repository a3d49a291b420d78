// Package docs tests the text of the repository: documents, whose commands it runs, the
// contract, the structure and the format of the code, and licenses. It also runs linters.
package docs

import (
	"testing"

	"microvm-console/tests/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
