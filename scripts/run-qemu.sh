#!/usr/bin/env bash
# Runs QEMU on persistent relays, with run-qemu of ../result if it exists, else of PATH.
PATH=$(dirname "$0")/../result/bin:$PATH exec run-qemu "$@"
