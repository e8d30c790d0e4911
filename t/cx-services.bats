load helpers
load spool

setup() {
	fake_rack active
	cx apps create 2>/dev/null
}

teardown() {
	fake_end
}

@test "cx-services: lists what runs, and url prints one URL" {
	fake_release > /dev/null
	cx promote 2>/dev/null
	run --separate-stderr cx services
	[[ "${lines[0]}" == NAME*URL*STATUS*COUNT* ]]
	[[ "${lines[1]}" == web*https://web.docs.convox:8443*running*1/1* ]]
	cx services --json | valid services
	[ "$(cx services url web)" = https://web.docs.convox:8443 ]
	run --separate-stderr cx services url worker
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"no port"* ]]
	run --separate-stderr cx services url nope
	[ "$status" -eq 1 ]
	run --separate-stderr cx services url
	[ "$status" -eq 100 ]
}

@test "cx-services: an app without a release has none" {
	run --separate-stderr cx services
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 1 ]
	cx services --json | valid services
}
