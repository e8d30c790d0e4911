load helpers
load spool

setup() {
	fake_rack
	cx apps create 2>/dev/null
}

teardown() {
	fake_end
}

@test "cx-promote: promotes the newest release, follows its events to the last, and ends with 0" {
	fake_converge active
	fake_release > /dev/null
	r=$(fake_release)
	run --separate-stderr cx promote
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[[ "$stderr" == *health*web*release*"$r"* ]]
	[ "$(cx releases --json | jq -r '.releases[] | select(.active).id')" = "$r" ]
	cx releases | grep -q "^$r  \*  active"
}

@test "cx-promote: an ID names an older release" {
	fake_converge active
	r=$(fake_release)
	fake_release > /dev/null
	cx promote "$r"
	[ "$(cx apps info --json | jq -r .app.active)" = "$r" ]
}

@test "cx-promote: a release that fails is an answer (1) with its reason; the old one stays" {
	fake_converge active
	old=$(fake_release)
	cx promote
	fake_end
	fake_converge failed
	r=$(fake_release)
	run --separate-stderr cx promote
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"it listens on 127.0.0.1"* ]]
	[[ "$stderr" == *"cx releases logs $r"* ]]
	[ "$(cx apps info --json | jq -r .app.active)" = "$old" ]
	cx releases | grep "$r" | grep -q failed
}

@test "cx-promote: while the rack does not run, it says so within seconds (111), and the wish is kept" {
	r=$(fake_release)
	run --separate-stderr timeout 10 cx promote
	[ "$status" -eq 111 ]
	[[ "$stderr" == *"the rack is not running: cx rack start"* ]]
	fake_converge active
	wait_until 5 sh -c "[ \"\$(cx apps info --json | jq -r .app.active)\" = $r ]"
}

@test "cx-promote: Ctrl-C detaches (130) and says how to follow again; the promotion goes on" {
	fake_converge silent
	r=$(fake_release)
	# A shell's background job ignores the interrupt; python starts it as a terminal would.
	python3 - > "$BATS_TEST_TMPDIR/out" <<-'END'
	import os, signal, subprocess, sys, time
	p = subprocess.Popen(["cx-promote"], stderr=subprocess.PIPE, start_new_session=True,
	                     preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
	end = time.time() + 5
	state = os.environ["CX_SPOOL"] + "/apps/docs/state.json"
	while not os.path.exists(state) and time.time() < end:
	    time.sleep(0.02)
	time.sleep(0.3)
	os.killpg(p.pid, signal.SIGINT)
	err = p.communicate(timeout=5)[1].decode()
	print(p.returncode, err)
	END
	cat "$BATS_TEST_TMPDIR/out" >&2
	grep -q '^130 ' "$BATS_TEST_TMPDIR/out"
	grep -q "goes on" "$BATS_TEST_TMPDIR/out"
	grep -q "cx releases logs $r -f" "$BATS_TEST_TMPDIR/out"
	[ "$(jq -r .attempt "$CX_SPOOL/apps/docs/app.json")" = "$(jq -r .attempt "$CX_SPOOL/apps/docs/state.json")" ]
}

@test "cx-promote: without a release, or of one without a build, the answer is no (1)" {
	run --separate-stderr cx promote
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"cx deploy"* ]]
	cx env set A=1
	run --separate-stderr cx promote
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"no build"* ]]
	[ "$(jq -r .attempt "$CX_SPOOL/apps/docs/app.json")" = null ]
}

@test "cx-promote: an unknown release is an answer (1), a malformed ID is refused (100)" {
	run --separate-stderr cx promote RAAAAAAAAAA
	[ "$status" -eq 1 ]
	for id in R 'R/../../x' BAAAAAAAAAA raaaaaaaaaa; do
		run --separate-stderr cx promote "$id"
		[ "$status" -eq 100 ]
	done
	run --separate-stderr cx promote a b
	[ "$status" -eq 100 ]
}

@test "cx-promote: a converger killed between its result and its last event leaves nobody waiting" {
	fake_converge silent
	r=$(fake_release)
	cx-promote 2> "$BATS_TEST_TMPDIR/err" 3>&- &
	pid=$!
	wait_until 5 test -s "$CX_SPOOL/apps/docs/releases/$r/events"
	jq -c '.result = "active" | .active = .promoting | .promoting = null' "$CX_SPOOL/apps/docs/state.json" > "$BATS_TEST_TMPDIR/s"
	mv "$BATS_TEST_TMPDIR/s" "$CX_SPOOL/apps/docs/state.json"
	wait "$pid"
}

@test "cx-promote: one that another promotion overtook before it began is told so (1)" {
	fake_release > /dev/null
	a=$(cx-provider-local release promote | jq -r .attempt)
	one=$(jq -r .release "$CX_SPOOL/apps/docs/app.json")
	fake_release > /dev/null
	cx-provider-local release promote > /dev/null
	fake_converge active
	run --separate-stderr timeout 10 cx-provider-local release events "$one" --follow --attempt "$a"
	[ "$status" -eq 0 ]
	jq -e 'select(.at == "release" and .state == "fail").reason | test("another")' <<< "$output"
}

@test "cx-promote: --json prints the release and what became of it" {
	fake_converge active
	r=$(fake_release)
	cx promote --json 2>/dev/null | jq -e --arg r "$r" '.v == 1 and .release == {id: $r, status: "active"}'
	fake_end
	fake_converge failed
	run --separate-stderr cx promote --json
	[ "$status" -eq 1 ]
	jq -e '.release.status == "failed"' <<< "$output"
	tail -1 <<< "$stderr" | jq -e '.error.class == "no"'
}
