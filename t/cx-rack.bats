load helpers

@test "cx-rack: without a rack it says how to install one (1)" {
	CX_SPOOL=$BATS_TEST_TMPDIR/none run --separate-stderr cx-rack
	[ "$status" -eq 1 ]
	[[ $stderr == *"no rack"*"cx install local"* ]]
	[ -z "$output" ]
}

@test "cx-rack: shows the rack, and as JSON what rack.json says with its status" {
	make_spool
	run --separate-stderr cx-rack
	[ "$status" -eq 0 ] || { dump; return 1; }
	[[ $output == *"name"*"t"*"status"*"stopped"*"127.84.9.1"* ]]
	run --separate-stderr cx-rack --json
	[ "$(echo "$output" | jq -r '.rack | "\(.name) \(.status) \(.ports.https)"')" = "t stopped 8443" ]
	echo "$output" | valid rack
}

@test "cx-rack: status of a rack whose daemons do not run is no (1), with what to do" {
	make_spool
	run --separate-stderr cx-rack status
	[ "$status" -eq 1 ]
	[[ $stderr == *"cx rack start"* ]]
	run --separate-stderr cx-rack status --json
	[ "$status" -eq 1 ]
	echo "$output" | valid daemons
}

@test "cx-rack: a status file that names somebody else's process is not believed" {
	make_spool
	echo "{\"v\":1,\"pid\":$$,\"daemons\":[]}" > "$CX_SPOOL/run/supervise.json"
	run --separate-stderr cx-rack status
	[ "$status" -eq 1 ]
}

@test "cx-rack: logs shows the last lines of one daemon, and names the daemons when it has none such (1)" {
	make_spool
	seq 1 100 > "$CX_SPOOL/log/router.log"
	run --separate-stderr cx-rack logs -n 2 router
	[ "$status" -eq 0 ]
	[ "$output" = "99
100" ]
	run --separate-stderr cx-rack logs nothing
	[ "$status" -eq 1 ]
	[[ $stderr == *router* ]]
	run --separate-stderr cx-rack logs ../rack
	[ "$status" -ne 0 ]
}

@test "cx-rack: an unknown verb is wrong usage (100)" {
	make_spool
	run --separate-stderr cx-rack strat
	[ "$status" -eq 100 ]
	[[ $stderr == *"usage: cx-rack"* ]]
}
