// Package docs tests what can be read: documents, whose commands are run, the contract, the
// structure and the format of the code, licences and linters.
package docs

import (
	"testing"

	"microvm-console/tests/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
