package main

import (
	"testing"

	"microvm-console/internal/testsupport/programtest"
)

func TestMain(m *testing.M) { programtest.Main(m, app()) }

func TestTranscripts(t *testing.T) { programtest.Run(t) }

func TestManual(t *testing.T) { programtest.Manual(t, app) }
