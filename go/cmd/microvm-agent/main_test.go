//go:build !guest

package main

import (
	"testing"

	"microvm-console/internal/programtest"
)

func TestMain(m *testing.M) { programtest.Main(m, app()) }

func TestTranscripts(t *testing.T) { programtest.Run(t) }
