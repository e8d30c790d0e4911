load helpers

setup() {
	make_spool
	mkdir -p "$CX_SPOOL/apps/demo"
	echo '{"v":1,"name":"demo","created":"2026-01-01T00:00:00.000Z","status":"running","release":null,"attempt":null,"scale":{}}' > "$CX_SPOOL/apps/demo/app.json"
	mkdir "$BATS_TEST_TMPDIR/exec"
	export CX_EXEC_PATH=$BATS_TEST_TMPDIR/exec CX_APP=demo CX_ENGINE=unix://$BATS_TEST_TMPDIR/no.sock
}

@test "cx-ps: --help prints the usage on stdout (0)" {
	run --separate-stderr cx-ps --help
	[ "$status" -eq 0 ]
	[[ "$output" == "usage: cx-ps "* && -z "$stderr" ]]
}

@test "cx-ps: wrong usage prints it on stderr (100)" {
	for words in "nonsense" "info" "info a b" "stop" "--nope"; do
		# shellcheck disable=SC2086
		run --separate-stderr cx-ps $words
		dump
		[ "$status" -eq 100 ]
		[[ "$stderr" == *"usage: cx-ps "* && -z "$output" ]]
	done
}

@test "cx-ps: no engine is 111, with a hint" {
	run --separate-stderr cx-ps
	dump
	[ "$status" -eq 111 ]
	[[ "$stderr" == *"cannot be reached"*"hint: "*"no.sock"* ]]
}

@test "cx-ps: an app that does not exist is 1" {
	run --separate-stderr cx-ps -a other
	[ "$status" -eq 1 ]
}

@test "cx-ps: shows what the provider says, as a table or as JSON" {
	cat > "$BATS_TEST_TMPDIR/exec/cx-provider-local" <<-'END'
	#!/bin/sh
	echo '{"v":1,"processes":[{"id":"0123456789ab","service":"web","release":"RAAAAAAAAAA","status":"running","started":null,"command":"sh"}]}'
	END
	chmod +x "$BATS_TEST_TMPDIR/exec/cx-provider-local"
	run --separate-stderr cx-ps
	[ "${lines[1]}" = "0123456789ab  web      RAAAAAAAAAA  running  -        sh" ]
	cx-ps --json | jq -e '.v == 1 and .processes[0].id == "0123456789ab"'
}
