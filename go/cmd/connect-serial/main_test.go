package main

import (
	"testing"

	"microvm-console/internal/attach/attachtest"
	"microvm-console/internal/programtest"
)

func TestMain(m *testing.M) { programtest.Main(m, app(), attachtest.Owner(), attachtest.Await()) }

func TestTranscripts(t *testing.T) { programtest.Run(t) }
