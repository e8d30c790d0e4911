load helpers

setup() {
	make_spool
	mkdir -p "$CX_SPOOL/apps/demo"
	echo '{"v":1,"name":"demo","created":"2026-01-01T00:00:00.000Z","status":"running","release":null,"attempt":null,"scale":{}}' > "$CX_SPOOL/apps/demo/app.json"
	mkdir "$BATS_TEST_TMPDIR/exec"
	export CX_EXEC_PATH=$BATS_TEST_TMPDIR/exec CX_APP=demo CX_ENGINE=unix://$BATS_TEST_TMPDIR/no.sock
}

@test "cx-stop: --help prints the usage on stdout (0)" {
	run --separate-stderr cx-stop --help
	[ "$status" -eq 0 ]
	[[ "$output" == "usage: cx-stop "* && -z "$stderr" ]]
}

@test "cx-stop: wrong usage prints it on stderr (100)" {
	for words in "" "--timeout" "--timeout 3" "--nope web"; do
		# shellcheck disable=SC2086
		run --separate-stderr cx-stop $words
		dump
		[ "$status" -eq 100 ]
		[[ "$stderr" == "usage: cx-stop "* && -z "$output" ]]
	done
	run --separate-stderr cx-stop --timeout soon web
	[ "$status" -eq 100 ]
}

@test "cx-stop: no engine is 111, with a hint, and leaves no request" {
	run --separate-stderr cx-stop web
	dump
	[ "$status" -eq 111 ]
	[[ "$stderr" == *"cannot be reached"*"hint: "* ]]
	[ -z "$(ls "$CX_SPOOL/apps/demo/requests" 2> /dev/null)" ]
}
