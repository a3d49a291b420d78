# The tests of every Go package pass. They wait more than they compute, so those of several
# packages run at a time, and internal/vm, which waits longest, first.
{ tools }:
tools.overrideAttrs (_previous: {
  buildPhase = "go test -vet=off -p 4 ./internal/vm ./...";
  installPhase = "touch $out";
})
