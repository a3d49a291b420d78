# The tests of every Go package pass. They wait more than they compute, so those of several
# packages run at a time.
{ tools }:
tools.overrideAttrs (_previous: {
  buildPhase = "go test -vet=off -p 4 ./...";
  installPhase = "touch $out";
})
