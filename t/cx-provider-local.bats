load helpers
load spool

setup() {
	fake_rack
}

teardown() {
	fake_end
}

@test "cx-provider-local: links jansson and the C library, and nothing else" {
	run sh -c "ldd '$(command -v cx-provider-local)' | grep -vE 'statically linked|linux-vdso|ld-linux|libc\.|libjansson|lib[a-z]*san|lib(m|gcc_s|dl|rt|pthread|stdc..)\.'"
	[ -z "$output" ]
}

@test "cx-provider-local: an unknown noun or verb shows the usage (100)" {
	for args in '' app 'app frob' 'frob list' 'release' 'service scale' 'build get' '--frob'; do
		run --separate-stderr sh -c "cx-provider-local $args"
		[ "$status" -eq 100 ]
		[[ "$stderr" == *"usage: cx-provider-local"* ]]
		[ -z "$output" ]
	done
}

@test "cx-provider-local: process, log and rack become the programs that they belong to, words unread" {
	mkdir "$BATS_TEST_TMPDIR/x"
	for p in cx-local-engine cx-local-rack; do
		printf '#!/bin/sh\necho %s "$@"\nexit 7\n' "$p" > "$BATS_TEST_TMPDIR/x/$p"
		chmod +x "$BATS_TEST_TMPDIR/x/$p"
	done
	export CX_EXEC_PATH=$BATS_TEST_TMPDIR/x
	run --separate-stderr cx-provider-local process run web -- ls --json -a x
	[ "$status" -eq 7 ]
	[ "$output" = "cx-local-engine process run web -- ls --json -a x" ]
	run --separate-stderr cx-provider-local log -f
	[ "$output" = "cx-local-engine log -f" ]
	run --separate-stderr cx-provider-local rack install --name x
	[ "$output" = "cx-local-rack install --name x" ]
}

@test "cx-provider-local: every list and record keeps to its schema, for an app that has everything" {
	fake_converge active
	cx-provider-local app create docs | valid app
	fake_release > /dev/null
	echo '{"set":{"A":"1"}}' | cx-provider-local env set | jq -e '.changed and (.release | test("^R[A-Z]{10}$"))'
	cx promote 2>/dev/null
	cx scale web=2 > /dev/null
	cx-provider-local app list | valid apps
	cx-provider-local app get | valid app
	cx-provider-local release list | valid releases
	cx-provider-local release get "$(cx releases --json | jq -r '.releases[0].id')" | valid release
	cx-provider-local build list | valid builds
	cx-provider-local service list | valid services
	cx-provider-local env get | valid env
	cx-provider-local resource list | jq -e '.resources == []'
}

@test "cx-provider-local: what stands on standard input is checked (100), and bounded" {
	cx apps create 2>/dev/null
	for doc in '' 'x' '{"set":{"A":1}}' '{"set":{"1A":"x"}}' '{"set":{"A":"\u0000"}}' '{"unset":[1]}' '{"set":{},"set":{}}'; do
		run --separate-stderr cx-provider-local env set <<< "$doc"
		echo "$doc: $status $stderr" >&2
		[ "$status" -eq 100 ]
	done
	run --separate-stderr sh -c 'head -c 100000000 /dev/zero | cx-provider-local env set'
	[ "$status" -eq 100 ]
	run --separate-stderr sh -c 'python3 -c "print(\"[\" * 1000000)" | cx-provider-local env set'
	[ "$status" -eq 100 ]
	run --separate-stderr sh -c 'python3 -c "import json; print(json.dumps({\"set\": {\"A\": \"x\" * 5000000}}))" | cx-provider-local env set'
	[ "$status" -eq 100 ]
	for doc in '{}' '{"manifest":7}' '[]'; do
		run --separate-stderr cx-provider-local build create <<< "$doc"
		[ "$status" -eq 100 ]
	done
	[ "$(cx releases --json | jq '.releases | length')" -eq 0 ]
	[ -z "$(ls "$CX_SPOOL/apps/docs/builds")" ]
}

@test "cx-provider-local: an error is one JSON object with --json" {
	run --separate-stderr cx-provider-local app get nope --json
	[ "$status" -eq 1 ]
	jq -e '.error.class == "no" and .error.hint' <<< "$stderr"
}

@test "cx-provider-local: a lock that another holds is waited for, then named (111)" {
	cx apps create 2>/dev/null
	python3 - "$CX_SPOOL/apps/docs/.lock" <<-'END' 3>&- &
	import fcntl, struct, sys, time
	f = open(sys.argv[1], "w")
	f.write("pid 1 (a test) since now\n"); f.flush()
	fcntl.fcntl(f, 37, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK
	open(sys.argv[1] + ".held", "w")
	time.sleep(60)
	END
	holder=$!
	wait_until 5 test -e "$CX_SPOOL/apps/docs/.lock.held"
	run --separate-stderr cx env set A=1
	kill "$holder"
	[ "$status" -eq 111 ]
	[[ "$stderr" == *"a test"* ]]
}

@test "cx-provider-local: who is not the owner is told so (111); where only writing is refused, lists work" {
	[ "$(id -u)" -eq 0 ] || skip "needs root to become another user"
	cx apps create 2>/dev/null
	local d=$BATS_TEST_TMPDIR
	while [ "$d" != /tmp ] && [ "$d" != / ]; do chmod o+x "$d"; d=$(dirname "$d"); done
	chmod 711 "$CX_SPOOL"
	as() { run --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; echo "$*: $status $stderr" >&2; }
	as cx-apps
	[ "$status" -eq 111 ]
	[[ "$stderr" == *sudo* ]]
	chmod 755 "$CX_SPOOL"
	as cx-apps
	[ "$status" -eq 0 ]
	for args in 'cx-env set A=1' 'cx-apps create x' 'cx-promote' 'cx-apps delete docs --force'; do
		# shellcheck disable=SC2086
		as $args
		[ "$status" -eq 111 ]
		[ -n "$stderr" ]
	done
}

@test "cx-provider-local: a follower whose reader goes away ends, though nothing happens" {
	fake_converge silent
	cx apps create 2>/dev/null
	r=$(fake_release)
	cx-provider-local release promote > /dev/null
	wait_until 5 test -s "$CX_SPOOL/apps/docs/releases/$r/events"
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	cx-provider-local release events -f "$r" > "$BATS_TEST_TMPDIR/fifo" 3>&- &
	pid=$!
	head -1 "$BATS_TEST_TMPDIR/fifo" > /dev/null
	wait_until 5 sh -c "! kill -0 $pid"
}
