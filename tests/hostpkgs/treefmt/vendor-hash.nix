# The hash of `go mod vendor` in this folder; scripts/update-vendor-hash writes it.
"sha256-BAvqWiOZljAqqXHymPcnXsN8+b1EDlD8cwxeD3ZLP2Y="
