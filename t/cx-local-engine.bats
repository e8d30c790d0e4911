load helpers

setup() {
	make_spool
	mkdir -p "$CX_SPOOL/apps/demo"
	echo '{"v":1,"name":"demo","created":"2026-01-01T00:00:00.000Z","status":"running","release":null,"attempt":null,"scale":{}}' > "$CX_SPOOL/apps/demo/app.json"
	mkdir "$BATS_TEST_TMPDIR/exec"
	export CX_EXEC_PATH=$BATS_TEST_TMPDIR/exec CX_APP=demo CX_ENGINE=unix://$BATS_TEST_TMPDIR/no.sock
}

@test "cx-local-engine: --help prints the usage on stdout (0)" {
	run --separate-stderr cx-local-engine --help
	[ "$status" -eq 0 ]
	[[ "$output" == "usage: cx-local-engine "* && -z "$stderr" ]]
}

@test "cx-local-engine: wrong usage is 100" {
	for words in "" "process" "process nonsense" "process list x" "process get" "process stop" "log x" "process logs"; do
		# shellcheck disable=SC2086
		run --separate-stderr cx-local-engine $words
		dump
		[ "$status" -eq 100 ]
		[ -z "$output" ]
	done
}

@test "cx-local-engine: without a rack it says how to get one (1)" {
	rm "$CX_SPOOL/rack.json"
	run --separate-stderr cx-local-engine process list
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"cx install local"* ]]
}
