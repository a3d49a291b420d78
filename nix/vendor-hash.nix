# The hash of `go mod vendor` in a clean copy of go/; scripts/update-vendor-hash writes it.
"sha256-IfuDSoJmgDXJOgTTLxmJ7CNonCxm0DM2PmcPNHQJwTc="
