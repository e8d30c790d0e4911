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

@test "cx-exec: --help prints the usage on stdout (0)" {
	run --separate-stderr cx-exec --help
	[ "$status" -eq 0 ]
	[[ "$output" == "usage: cx-exec "* && -z "$stderr" ]]
}

@test "cx-exec: wrong usage prints it on stderr (100)" {
	for words in "" "web" "--nope web true"; do
		# shellcheck disable=SC2086
		run --separate-stderr cx-exec $words
		dump
		[ "$status" -eq 100 ]
		[[ "$stderr" == "usage: cx-exec "* && -z "$output" ]]
	done
}

@test "cx-exec: no engine is a failure of its own (125), with a hint" {
	run --separate-stderr cx-exec web true
	dump
	[ "$status" -eq 125 ]
	[[ "$stderr" == *"cannot be reached"*"hint: "* ]]
}

@test "cx-exec: the command's words are passed as given" {
	echo_provider
	[ "$(cx-exec -a demo web ls -la --json -- -a 'a  b' | tr '\n' '|')" = "process|exec|--|web|ls|-la|--json|--|-a|a  b|" ]
}
