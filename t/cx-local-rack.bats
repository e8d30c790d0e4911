load helpers

# Installing and removing is in t/cx-install.bats, t/cx-uninstall.bats and t/engine-rack.bats.

@test "cx-local-rack: --help prints the usage (0), an unknown verb or a word too many is wrong usage (100)" {
	make_spool
	run --separate-stderr cx-local-rack --help
	[ "$status" -eq 0 ]
	[[ $output == "usage: cx-local-rack install"* ]]
	for args in "" reinstall "get x" "status x" "trust x" "logs a b"; do
		# shellcheck disable=SC2086
		run --separate-stderr cx-local-rack $args
		[ "$status" -eq 100 ] || { echo "$args: $status"; return 1; }
	done
}

@test "cx-local-rack: get prints rack.json with what the daemons do, and never a key" {
	make_spool
	head -c 32 /dev/zero > "$CX_SPOOL/key"
	run --separate-stderr cx-local-rack get
	[ "$status" -eq 0 ] || { dump; return 1; }
	echo "$output" | valid rack
	[ "$(echo "$output" | jq -r '.rack.name + " " + .rack.status')" = "t stopped" ]
	[ "$(echo "$output" | jq '[.. | strings | select(test("PRIVATE|/key"))] | length')" -eq 0 ]
}

@test "cx-local-rack: logs shows the last lines of one daemon, or of all with their names; an unknown one is named (1)" {
	make_spool
	seq 30 > "$CX_SPOOL/log/dns.log"
	echo routed > "$CX_SPOOL/log/router.log"
	run --separate-stderr cx-local-rack logs -n 2 cx-dns
	[ "$status" -eq 0 ] || { dump; return 1; }
	[[ $output == *29*30* && $output != *28* && $output != *routed* ]]
	run --separate-stderr cx-local-rack logs
	[[ $output == *30* && $output == *routed* ]]
	run --separate-stderr cx-local-rack logs nobody
	[ "$status" -ne 0 ]
	[[ $stderr == *nobody* ]]
}

@test "cx-local-rack: what changes the machine needs root, and says so (111)" {
	make_spool
	chmod -R a+rX "$CX_SPOOL" "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR"
	user=()
	[ "$(id -u)" -ne 0 ] || user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	for verb in start stop restart trust untrust; do
		run --separate-stderr "${user[@]}" env PATH="$PATH" CX_SPOOL="$CX_SPOOL" "$(command -v cx-local-rack)" $verb
		[ "$status" -eq 111 ] || { echo "$verb: $status"; dump; return 1; }
		[[ $stderr == *sudo* ]]
	done
}
