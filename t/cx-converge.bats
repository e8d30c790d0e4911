load helpers

@test "cx-converge: --help prints the usage, anything else is wrong usage (100)" {
	run --separate-stderr cx-converge --help
	[ "$status" -eq 0 ]
	[[ "$output" == "usage: cx-converge"* ]]
	run --separate-stderr cx-converge --nothing
	[ "$status" -eq 100 ]
	[ -z "$output" ]
	run --separate-stderr cx-converge operand
	[ "$status" -eq 100 ]
}

@test "cx-converge: without a rack it says how to get one (1)" {
	export CX_SPOOL=$BATS_TEST_TMPDIR/none
	run --separate-stderr cx-converge --once
	[ "$status" -eq 1 ]
	[[ "$stderr" == *hint* ]]
}

@test "cx-converge: a rack.json that is no JSON is permanent (100)" {
	make_spool
	echo '{' > "$CX_SPOOL/rack.json"
	run --separate-stderr cx-converge --once
	[ "$status" -eq 100 ]
}

@test "cx-converge --once: an engine that is away is worth another try (111)" {
	make_spool
	run --separate-stderr cx-converge --once
	dump
	[ "$status" -eq 111 ]
	[[ "$stderr" == *"/nonexistent/docker.sock"* ]]
}

@test "cx-converge: waits for an engine that is away, holds the lock, and ends on SIGTERM (0)" {
	make_spool
	cd "$BATS_TEST_TMPDIR"
	cx-converge 2> err 3>&- &
	pid=$!
	wait_until 5 grep -q 'this pass failed' err
	run --separate-stderr cx-converge
	[ "$status" -eq 111 ]
	[[ "$stderr" == *"cx-converge"* ]]
	kill "$pid"
	wait "$pid"
}

@test "cx-converge: every resource type is whole" {
	for f in "$ROOT"/share/cx/resource/*.json; do
		jq -e '.v == 1 and (.image | test(":")) and .port > 0 and (.url | contains("${host}") and contains("${port}"))' "$f"
	done
}
