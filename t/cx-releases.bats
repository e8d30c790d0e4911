load helpers
load spool

setup() {
	fake_rack
	cx apps create 2>/dev/null
}

teardown() {
	fake_end
}

@test "cx-releases: newest first, the active one marked; --json keeps to the schema" {
	fake_converge active
	one=$(fake_release)
	cx promote
	two=$(cx env set A=1)
	run --separate-stderr cx releases
	[[ "${lines[0]}" == ID*STATUS*BUILD*CREATED* ]]
	[[ "${lines[1]}" == "$two"*created* ]]
	[[ "${lines[2]}" == "$one  *  active"* ]]
	cx releases --json | valid releases
	cx releases info "$one" --json | valid release
	run --separate-stderr cx releases info "$two"
	[[ "$output" == *Parent*"$one"* ]]
}

@test "cx-releases: a clock that was set back does not change which is newest" {
	one=$(fake_release)
	f=$CX_SPOOL/apps/docs/releases/$one/release.json
	jq -c '.created = "2099-12-31T23:59:59.999Z"' "$f" > "$BATS_TEST_TMPDIR/r"
	mv "$BATS_TEST_TMPDIR/r" "$f"
	two=$(fake_release)
	[ "$(cx releases --json | jq -r '.releases[0].id')" = "$two" ]
	[ "$(cx releases --json | jq -r '.releases[0].created')" = 2100-01-01T00:00:00.000Z ]
	[ "$(cx releases --json | jq -r '.releases[0].parent')" = "$one" ]
}

@test "cx-releases: logs replays what happened, logs -f ends with the attempt" {
	fake_converge active
	r=$(fake_release)
	cx promote
	run --separate-stderr cx releases logs "$r"
	[ "$status" -eq 0 ]
	[[ "$stderr" == *health*web* ]]
	run --separate-stderr timeout 5 cx releases logs "$r" -f
	[ "$status" -eq 0 ]
	cx releases logs "$r" --json | jq -es 'length == 4 and .[3].state == "done"'
}

@test "cx-releases: logs -f attaches to a promotion that another terminal began" {
	fake_converge silent
	r=$(fake_release)
	a=$(cx-provider-local release promote | jq -r .attempt)
	cx-releases logs "$r" -f 2> "$BATS_TEST_TMPDIR/err" 3>&- &
	pid=$!
	wait_until 5 grep -q . "$CX_SPOOL/apps/docs/releases/$r/events"
	echo '{"v":1,"at":"release","id":"'"$r"'","state":"done","attempt":"'"$a"'","release":"'"$r"'"}' >> "$CX_SPOOL/apps/docs/releases/$r/events"
	wait "$pid"
	grep -q "ok.*release.*$r" "$BATS_TEST_TMPDIR/err"
}

@test "cx-releases: an event is passed on within 50 ms" {
	fake_converge silent
	r=$(fake_release)
	a=$(cx-provider-local release promote | jq -r .attempt)
	wait_until 5 test -s "$CX_SPOOL/apps/docs/releases/$r/events"
	python3 - "$r" "$a" <<-'END'
	import json, os, subprocess, sys, time
	r, a = sys.argv[1:]
	f = f"{os.environ['CX_SPOOL']}/apps/docs/releases/{r}/events"
	p = subprocess.Popen(["cx-provider-local", "release", "events", "--follow", r], stdout=subprocess.PIPE)
	p.stdout.readline(); p.stdout.readline()
	took = []
	for i in range(20):
	    time.sleep(0.02)
	    t = time.monotonic()
	    with open(f, "a") as o: o.write(json.dumps({"at": "health", "state": "progress", "attempt": a, "n": i}) + "\n")
	    assert json.loads(p.stdout.readline())["n"] == i
	    took.append(time.monotonic() - t)
	p.terminate()
	took.sort()
	print(took)
	assert took[10] < 0.05, took
	END
}

@test "cx-releases: a broken line among the events is passed over" {
	fake_converge active
	r=$(fake_release)
	cx promote
	printf '{"cut off\n\xff\xfe\n' >> "$CX_SPOOL/apps/docs/releases/$r/events"
	[ "$(cx releases logs "$r" --json | jq -es length)" -eq 4 ]
}

@test "cx-releases: manifest prints it as it was written" {
	r=$(fake_release)
	cx releases manifest > "$BATS_TEST_TMPDIR/m"
	printf 'services:\n  web:\n    port: 3000\n' | cmp - "$BATS_TEST_TMPDIR/m"
	cx releases manifest "$r" | cmp - "$BATS_TEST_TMPDIR/m"
}

@test "cx-releases: unknown and malformed IDs, and wrong usage" {
	run --separate-stderr cx releases info RAAAAAAAAAA
	[ "$status" -eq 1 ]
	for args in 'info' 'info R' 'logs ../../x' 'logs' 'frob' 'list x'; do
		run --separate-stderr sh -c "cx-releases $args"
		[ "$status" -eq 100 ]
	done
	run --separate-stderr cx -a nope releases
	[ "$status" -eq 1 ]
}

@test "cx-releases: a release.json that is damaged is not a crash" {
	r=$(fake_release)
	echo '{"v":1,"id":7,"created":[]}' > "$CX_SPOOL/apps/docs/releases/$r/release.json"
	run --separate-stderr cx releases
	[ "$status" -eq 0 ]
	echo '{"a":1,"a":2' > "$CX_SPOOL/apps/docs/releases/$r/release.json"
	run --separate-stderr cx releases info "$r"
	[ "$status" -eq 100 ]
}
