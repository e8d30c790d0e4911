load helpers
load spool

setup() {
	fake_rack
	cx apps create 2>/dev/null
}

teardown() {
	fake_end
}

@test "cx-rollback: goes back to the release that was active before, as a copy of its build and environment" {
	fake_converge active
	one=$(fake_release)
	cx promote
	two=$(cx env set WORD=new --promote)
	run --separate-stderr cx rollback
	[ "$status" -eq 0 ]
	three=$(cx apps info --json | jq -r .app.active)
	[ "$three" != "$one" ] && [ "$three" != "$two" ]
	[ "$(cx releases info "$three" --json | jq -r .release.build)" = "$(cx releases info "$one" --json | jq -r .release.build)" ]
	[ -z "$(cx env)" ]
	[[ "$stderr" == *"$three is a copy of $one"* ]]
	cx rollback "$two"
	[ "$(cx env get WORD)" = new ]
}

@test "cx-rollback: with nothing to go back to the answer is no (1)" {
	run --separate-stderr cx rollback
	[ "$status" -eq 1 ]
	fake_converge active
	fake_release > /dev/null
	cx promote
	run --separate-stderr cx rollback
	[ "$status" -eq 1 ]
	run --separate-stderr cx rollback a b
	[ "$status" -eq 100 ]
	[[ "$stderr" == *"usage: cx-rollback"* ]]
}
