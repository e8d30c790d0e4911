#!/bin/sh
# make conformance: suites that others wrote; what is fetched goes to build/conformance, the results to doc/conformance.md.
# Arguments: only these parts (h2spec curl vectors autobahn). CX_VECTORS names a folder of http-desync-guardian's
# tests/*.yaml, which are not kept here; PYTHON2 a Python 2.7, for Autobahn.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build/conformance
exec python3 t/conformance/run.py "$@"
