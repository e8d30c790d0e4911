load helpers

setup() {
	make_spool
	mkdir -p "$CX_SPOOL/apps/demo"
	echo '{"v":1,"name":"demo","created":"2026-01-01T00:00:00.000Z","status":"running","release":null,"attempt":null,"scale":{}}' > "$CX_SPOOL/apps/demo/app.json"
	mkdir "$BATS_TEST_TMPDIR/exec"
	export CX_EXEC_PATH=$BATS_TEST_TMPDIR/exec CX_APP=demo CX_ENGINE=unix://$BATS_TEST_TMPDIR/no.sock
}

# echo_provider: the provider prints its words, one a line.
echo_provider() {
	printf '#!/bin/sh\nprintf "%%s\\n" "$@"\n' > "$BATS_TEST_TMPDIR/exec/cx-provider-local"
	chmod +x "$BATS_TEST_TMPDIR/exec/cx-provider-local"
}

@test "cx-logs: --help prints the usage on stdout (0)" {
	run --separate-stderr cx-logs --help
	[ "$status" -eq 0 ]
	[[ "$output" == "usage: cx-logs "* && -z "$stderr" ]]
}

@test "cx-logs: wrong usage prints it on stderr (100)" {
	for words in "--since" "a b" "--nope" "--tail"; do
		# shellcheck disable=SC2086
		run --separate-stderr cx-logs $words
		dump
		[ "$status" -eq 100 ]
		[[ "$stderr" == "usage: cx-logs "* && -z "$output" ]]
	done
	for words in "--since yesterday" "--tail many" "--tail -1" "--since 3x"; do
		# shellcheck disable=SC2086
		run --separate-stderr cx-logs $words
		[ "$status" -eq 100 ]
	done
}

@test "cx-logs: no engine is 111, with a hint" {
	run --separate-stderr cx-logs
	dump
	[ "$status" -eq 111 ]
	[[ "$stderr" == *"cannot be reached"*"hint: "* ]]
}

@test "cx-logs: gives the provider its options, and a process as the last word" {
	echo_provider
	[ "$(CX_JSON=1 cx-logs -f --tail 3 | tr '\n' ' ')" = "log -f --tail 3 " ]
	[ "$(CX_JSON=1 cx-logs web --since 1m | tr '\n' ' ')" = "process logs --since 1m web " ]
}

@test "cx-logs: a line has time, service and process, text as it is; colours only on a terminal" {
	cat > "$BATS_TEST_TMPDIR/exec/cx-provider-local" <<-'END'
	#!/bin/sh
	printf '%s\n' '{"v":1,"time":"2026-01-02T03:04:05.678901234Z","service":"web","process":"0123456789ab","text":"100% <b> \\ é"}'
	END
	chmod +x "$BATS_TEST_TMPDIR/exec/cx-provider-local"
	run --separate-stderr cx-logs
	[ "$output" = '2026-01-02T03:04:05.678Z web/0123456789ab 100% <b> \ é' ]
	run script -qec cx-logs /dev/null
	[[ "$output" == *$'\033['*"mweb/0123456789ab"$'\033[0m'* ]]
	run script -qec 'env NO_COLOR=1 cx-logs' /dev/null
	[[ "$output" != *$'\033['* ]]
}

@test "cx-logs: a full disk is an error" {
	cat > "$BATS_TEST_TMPDIR/exec/cx-provider-local" <<-'END'
	#!/bin/sh
	echo '{"v":1,"time":"2026-01-02T03:04:05.678901234Z","service":"web","process":"0123456789ab","text":"x"}'
	END
	chmod +x "$BATS_TEST_TMPDIR/exec/cx-provider-local"
	run bash -c 'cx-logs > /dev/full'
	[ "$status" -eq 111 ]
}
