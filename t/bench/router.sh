#!/bin/sh
# make bench-router: cx-router beside its peers; the table goes to doc/performance.md. Arguments: only works named so.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build/bench
cc -std=c17 -D_GNU_SOURCE -include lib/cx/banned.h -O2 -o build/bench/load t/bench/load.c -lssl -lcrypto -lpthread
exec python3 t/bench/router.py "$@"
