# The hash of `go mod vendor` in a clean copy of go/. After a change of go.mod:
#   cd go && GOFLAGS= GOWORK=off go mod vendor -o /tmp/vendor && nix hash path /tmp/vendor
"sha256-IfuDSoJmgDXJOgTTLxmJ7CNonCxm0DM2PmcPNHQJwTc="
