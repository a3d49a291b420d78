#!/usr/bin/env bash
# QEMU on persistent relays: run-qemu of the build beside us, or of the PATH.
PATH=$(dirname "$0")/../result/bin:$PATH exec run-qemu "$@"
