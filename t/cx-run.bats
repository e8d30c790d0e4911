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

@test "cx-run: --help prints the usage on stdout (0)" {
	run --separate-stderr cx-run --help
	[ "$status" -eq 0 ]
	[[ "$output" == "usage: cx-run "* && -z "$stderr" ]]
}

@test "cx-run: wrong usage prints it on stderr (100)" {
	for words in "" "--nope web" "-r" "--detach" "-r RAAAAAAAAAA"; do
		# shellcheck disable=SC2086
		run --separate-stderr cx-run $words
		dump
		[ "$status" -eq 100 ]
		[[ "$stderr" == *"usage: cx-run "* && -z "$output" ]]
	done
}

@test "cx-run: its own failures are 125: no release, no engine, no provider" {
	run --separate-stderr cx-run web true
	dump
	[ "$status" -eq 125 ]
	[[ "$stderr" == *"no active release"*"hint: "* ]]
	run --separate-stderr env CX_PROVIDER=none cx-run web true
	[ "$status" -eq 125 ]
}

@test "cx-run: options end at the service; global options work in any place before it" {
	echo_provider
	[ "$(cx-run -r RAAAAAAAAAA -a demo web ls -la --json -- -a x 'a  b' | tr '\n' '|')" = \
		"process|run|-r|RAAAAAAAAAA|--|web|ls|-la|--json|--|-a|x|a  b|" ]
	[ "$(cx-run web -a x | tr '\n' '|')" = "process|run|--|web|-a|x|" ]
}

@test "cx-run: --detach prints the ID, or the provider's JSON" {
	printf '#!/bin/sh\necho %s\n' "'{\"v\":1,\"process\":{\"id\":\"0123456789ab\"}}'" > "$BATS_TEST_TMPDIR/exec/cx-provider-local"
	chmod +x "$BATS_TEST_TMPDIR/exec/cx-provider-local"
	[ "$(cx-run --detach web true)" = 0123456789ab ]
	cx-run --json --detach web true | jq -e '.process.id == "0123456789ab"'
}
