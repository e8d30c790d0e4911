load helpers

# What it lists and removes in a real engine is in t/engine-rack.bats.

@test "cx-local-sweep: --help prints the usage (0), anything else than its two verbs is wrong usage (100)" {
	run --separate-stderr cx-local-sweep --help
	[ "$status" -eq 0 ]
	[ "$output" = "usage: cx-local-sweep list | remove NAME" ]
	for args in "" list "remove a b" "purge a"; do
		# shellcheck disable=SC2086
		run --separate-stderr cx-local-sweep $args
		[ "$status" -eq 100 ] || { echo "$args: $status"; return 1; }
		[[ $stderr == "usage: "* ]]
	done
}

@test "cx-local-sweep: what is no name of a rack is refused before the engine is asked (100)" {
	export CX_ENGINE=unix://$BATS_TEST_TMPDIR/none.sock
	for name in "" "A" "1a" "a/b" '*' 'a"b'; do
		run --separate-stderr cx-local-sweep remove "$name"
		[ "$status" -eq 100 ] || { echo "$name: $status"; return 1; }
	done
	CX_ENGINE=tcp://127.0.0.1:1 run --separate-stderr cx-local-sweep list a
	[ "$status" -eq 100 ]
	[[ $stderr == *"not a Unix socket"* ]]
}

@test "cx-local-sweep: an engine that is away is said with its socket (111)" {
	export CX_ENGINE=unix://$BATS_TEST_TMPDIR/none.sock
	for verb in list remove; do
		run --separate-stderr cx-local-sweep $verb a
		[ "$status" -eq 111 ]
		[[ $stderr == *"$BATS_TEST_TMPDIR/none.sock"*"hint: "* ]]
	done
	CX_JSON=1 run --separate-stderr cx-local-sweep remove a
	[ "$(jq -r .error.class <<< "${stderr##*$'\n'}")" = sys ]
}
