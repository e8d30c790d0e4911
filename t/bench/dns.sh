#!/bin/sh
# make bench-dns: cx-dns beside its peers; the table goes to doc/performance.md.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build/bench
exec python3 t/bench/dns.py
