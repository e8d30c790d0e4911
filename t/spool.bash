# For tests of programs that work on the spool alone: a rack without daemons, and a stand-in for cx-converge(8).

fake_rack() { # [active|failed|silent]: everything that a test of porcelain needs; ended by fake_end
	make_spool
	cx-seal init
	export CX_APP=docs
	[ $# -eq 0 ] || fake_converge "$1"
}

fake_converge() {
	"$ROOT/t/fixtures/fake-converge" "$CX_SPOOL" "$1" 3>&- &
	FAKE=$!
	wait_until 5 test -s "$CX_SPOOL/run/supervise.json"
}

fake_end() {
	[ -z "${FAKE-}" ] || kill "$FAKE" 2>/dev/null || true
	[ -z "${FAKE-}" ] || wait "$FAKE" 2>/dev/null || true
	FAKE=
}

# fake_build [APP]: a complete build, made through the provider as cx-build does it; prints its ID.
fake_build() {
	local app=${1:-$CX_APP} id f
	id=$(printf '{"manifest":"services:\\n  web:\\n    port: 3000\\n"}' | cx-provider-local build create -a "$app" | jq -r .build.id)
	f=$CX_SPOOL/apps/$app/builds/$id
	jq -c '. + {status: "complete", ended: "2026-01-01T00:01:12.000Z", images: {web: "t/\(.app)/web:\(.id)"}, pid: null}' "$f/build.json" > "$f/.b"
	mv "$f/.b" "$f/build.json"
	printf '%s\n' '{"v":1,"seq":1,"at":"build","id":"web","state":"start","text":"building"}' \
		'{"v":1,"seq":2,"at":"build","id":"web","state":"progress","text":"Step 1/2"}' \
		'{"v":1,"seq":3,"at":"build","id":"web","state":"done","text":"built"}' > "$f/log"
	echo "$id"
}

# fake_release: a release of a new build, not promoted; prints its ID.
fake_release() {
	cx-provider-local release create --build "$(fake_build)" | jq -r .release.id
}

# kill_at SECONDS COMMAND...: runs it in a group of its own and kills that, with -9, after so long.
kill_at() {
	local after=$1 pid
	shift
	setsid "$@" > /dev/null 2>&1 3>&- &
	pid=$!
	sleep "$after" # the moment of the kill is the input of these tests
	kill -9 -- "-$pid" 2>/dev/null || kill -9 "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
}
