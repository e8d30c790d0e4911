# Shared by every test file. Each test works in $BATS_TEST_TMPDIR with a spool of its own.
bats_require_minimum_version 1.5.0

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# CX_TEST_BIN lets `make sanitize` run the same tests against the instrumented programs.
PATH=${CX_TEST_BIN:-$ROOT/bin}:$PATH
export ROOT PATH CX_SHARE=$ROOT/share/cx
unset CX_APP CX_RACK CX_SPOOL CX_EXEC_PATH CX_JSON RACK_URL DOCKER_HOST NO_COLOR
export LC_ALL=C.UTF-8

# wait_until SECONDS COMMAND...: polls a condition (readiness), fails when the time is over.
wait_until() {
	local end=$(($(date +%s%N) + $1 * 1000000000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s%N)" -lt "$end" ] || { echo "gave up waiting for: $*" >&2; return 1; }
		sleep 0.05
	done
}

# free_port: a TCP port on 127.0.0.1 that nobody listens on now.
free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# make_spool [DOMAIN]: a rack's spool in $BATS_TEST_TMPDIR/spool, without daemons; exports CX_SPOOL.
make_spool() {
	export CX_SPOOL=$BATS_TEST_TMPDIR/spool
	mkdir -p "$CX_SPOOL"/{apps,routes,ca,log,run}
	cat > "$CX_SPOOL/rack.json" <<-EOF
	{"v":1,"name":"t","domain":"${1:-convox}","address":"127.84.9.1","network":"cx-t","bridge":"cxt9","subnet":"10.184.9.0/24","gateway":"10.184.9.1","ports":{"https":8443,"http":8080,"dns":5353},"uid":65534,"gid":65534,"engine":"unix:///nonexistent/docker.sock","resolvers":[],"keep":5,"created":"2026-01-01T00:00:00.000Z"}
	EOF
}

# valid SCHEMA: the JSON on stdin must validate against share/cx/schema/SCHEMA.json.
valid() {
	python3 -c '
import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
for line in sys.stdin.read().strip().splitlines():
    jsonschema.validate(json.loads(line), schema)
' "$ROOT/share/cx/schema/$1.json"
}

# Shown when a test fails.
dump() {
	echo "status=${status-} output=${output-} stderr=${stderr-}" >&2
}
