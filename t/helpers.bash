# Shared by every test file. Each test works in $BATS_TEST_TMPDIR with a spool of its own.
bats_require_minimum_version 1.5.0

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# CX_TEST_BIN lets `make sanitize` run the same tests against the instrumented programs.
PATH=${CX_TEST_BIN:-$ROOT/bin}:$PATH
export ROOT PATH CX_SHARE=$ROOT/share/cx
unset CX_APP CX_RACK CX_EXEC_PATH CX_JSON RACK_URL DOCKER_HOST NO_COLOR
# A rack that setup_file installed is the file's; any other spool is not ours.
[ "${CX_TEST_RACK-}" = "${BATS_FILE_TMPDIR-none}" ] || unset CX_SPOOL
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

# --- tests against a real engine (CX_ENGINE is set by t/suite) ---

gone_pid() {
	[ ! -e "/proc/$1" ]
}

# rack_up N: installs a Local Rack of its own: name tN, domain tN.test, 127.84.N.1, high ports. Exports CX_SPOOL.
rack_up() {
	N=$1
	export N CX_SPOOL=$BATS_FILE_TMPDIR/rack CX_TEST_RACK=$BATS_FILE_TMPDIR
	# What a killed run of this file left: its daemons first, or they make again what is swept.
	for p in $(pgrep -x cx-supervise); do
		tr '\0' '\n' < "/proc/$p/environ" 2>/dev/null | grep -q "^CX_TEST_RACK_NAME=t$N$" || continue
		kill "$p"
		wait_until 15 gone_pid "$p"
	done
	cx-local-sweep remove "t$N" >&2 || true
	export CX_TEST_RACK_NAME=t$N
	cx install local --name "t$N" --domain "t$N.test" --address "127.84.$N.1" --subnet "10.184.$N.0/24" \
		--https-port 8443 --http-port 8080 --dns-port 5353 --no-trust --no-resolver --no-boot >&2
}

rack_down() {
	cx uninstall "t$N" --force >&2
}

# get HOST [CURL OPTION...]: a request to the rack, TLS verified with the rack's CA only.
get() {
	local host=$1
	shift
	curl -sS --max-time 10 --cacert "$CX_SPOOL/ca/ca.crt" --resolve "$host:8443:127.84.$N.1" "$@" "https://$host:8443/"
}

# busybox_app DIR BODY: an app of one service `web`, FROM scratch, that answers BODY.
busybox_app() {
	mkdir -p "$1/bin" "$1/www"
	cp /bin/busybox "$1/bin/"
	for a in sh httpd cat echo sleep env false kill; do ln -sf busybox "$1/bin/$a"; done
	echo "$2" > "$1/www/index.html"
	cat > "$1/Dockerfile" <<-'EOF'
	FROM scratch
	COPY bin /bin
	COPY www /www
	ENV PATH=/bin
	CMD ["sh", "-c", "trap 'exit 0' TERM; httpd -f -p 3000 -h /www & wait"]
	EOF
	cat > "$1/convox.yml" <<-'EOF'
	services:
	  web:
	    build: .
	    port: 3000
	    health:
	      path: /
	      interval: 1
	      timeout: 1
	      grace: 1
	EOF
}

# hammer HOST FILE: requests in the background, one after another, each one's status a line in FILE, until calm.
hammer() {
	local host=$1 file=$2
	: > "$file"
	(
		for _ in $(seq 2000); do
			[ -e "$file.stop" ] && break
			get "$host" -o /dev/null -w '%{http_code}\n' >> "$file" 2>&1 || echo "curl $?" >> "$file"
		done
	) 3>&- &
	HAMMER=$! HAMMER_FILE=$file
	wait_until 10 grep -q 200 "$file"
}

# calm: ends hammer; every request of at least five must have been answered 200.
calm() {
	touch "$HAMMER_FILE.stop"
	wait "$HAMMER" || true
	echo "requests: $(wc -l < "$HAMMER_FILE"), not 200: $(grep -vc '^200$' "$HAMMER_FILE")" >&2
	[ "$(wc -l < "$HAMMER_FILE")" -ge 5 ] && ! grep -v '^200$' "$HAMMER_FILE"
}
