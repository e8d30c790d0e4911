load helpers
load spool

setup() {
	fake_rack active
	cx apps create 2>/dev/null
}

teardown() {
	fake_end
}

@test "cx-scale: lists, and records what is wanted in both forms" {
	fake_release > /dev/null
	cx promote 2>/dev/null
	run --separate-stderr cx scale
	[[ "${lines[1]}" == web*1*1*running ]]
	run --separate-stderr cx scale web=2 worker=0
	[ "$status" -eq 0 ]
	[[ "${lines[1]}" == web*2*1* ]]
	[ "$(jq -c .scale "$CX_SPOOL/apps/docs/app.json")" = '{"web":{"count":2},"worker":{"count":0}}' ]
	cx scale web --count 3 --json | valid services
	[ "$(jq -c .scale.web.count "$CX_SPOOL/apps/docs/app.json")" = 3 ]
}

@test "cx-scale: nonsense is refused (100) and changes nothing; an unknown service is an answer (1)" {
	fake_release > /dev/null
	cx promote 2>/dev/null
	for args in 'web' 'web=' 'web=-1' 'web=1.5' 'web=x' 'web=1001' 'web=99999999999999999999' '=1' 'Web=1' '--count 2' '--count 2 web worker' '--count x web' 'web=1 worker=y'; do
		run --separate-stderr sh -c "cx-scale $args"
		echo "$args: $status $stderr" >&2
		[ "$status" -eq 100 ]
	done
	run --separate-stderr cx scale wbe=2
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"did you mean web?"* ]]
	[ "$(jq -c .scale "$CX_SPOOL/apps/docs/app.json")" = '{}' ]
}
