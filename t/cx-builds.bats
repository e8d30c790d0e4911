load helpers
load spool

setup() {
	fake_rack
	cx apps create 2>/dev/null
}

@test "cx-builds: lists newest first with status and how long it took" {
	b=$(fake_build)
	run --separate-stderr cx builds
	[[ "${lines[0]}" == ID*STATUS*CREATED*ELAPSED* ]]
	[[ "${lines[1]}" == "$b  complete"* ]]
	cx builds --json | valid builds
	run --separate-stderr cx builds info "$b"
	[[ "$output" == *"Status"*complete*"Image"*"t/docs/web:$b"* ]]
}

@test "cx-builds: logs prints what the build printed" {
	b=$(fake_build)
	run --separate-stderr cx builds logs "$b"
	[ "$status" -eq 0 ]
	[ "${lines[1]}" = "Step 1/2" ]
	[ -z "$stderr" ]
	cx builds logs "$b" --json | jq -es 'length == 3'
}

@test "cx-builds: logs -f follows a running build to its end" {
	b=$(fake_build)
	f=$CX_SPOOL/apps/docs/builds/$b
	jq -c '.status = "running"' "$f/build.json" > "$f/.b" && mv "$f/.b" "$f/build.json"
	cx-builds logs -f "$b" > "$BATS_TEST_TMPDIR/out" 3>&- &
	pid=$!
	wait_until 5 grep -q 'Step 1/2' "$BATS_TEST_TMPDIR/out"
	echo '{"at":"build","id":"web","state":"progress","text":"Step 2/2"}' >> "$f/log"
	wait_until 5 grep -q 'Step 2/2' "$BATS_TEST_TMPDIR/out"
	jq -c '.status = "complete"' "$f/build.json" > "$f/.b" && mv "$f/.b" "$f/build.json"
	wait "$pid"
}

@test "cx-builds: a build whose process is gone is shown as failed" {
	b=$(fake_build)
	f=$CX_SPOOL/apps/docs/builds/$b
	sleep 0 & gone=$!
	wait $gone
	jq -c --argjson p $gone '.status = "running" | .pid = $p' "$f/build.json" > "$f/.b" && mv "$f/.b" "$f/build.json"
	cx builds | grep -q "$b  failed.*gone"
	timeout 5 cx builds logs -f "$b"
}

@test "cx-builds: a build that is not complete is not released (1)" {
	b=$(fake_build)
	f=$CX_SPOOL/apps/docs/builds/$b
	jq -c '.status = "failed"' "$f/build.json" > "$f/.b" && mv "$f/.b" "$f/build.json"
	run --separate-stderr cx-provider-local release create --build "$b"
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"cx builds logs $b"* ]]
}

@test "cx-builds: escape sequences in a log do not reach the terminal" {
	b=$(fake_build)
	printf '%s\n' '{"at":"build","id":"\u001b[31m","state":"progress","text":"a\u001b]0;x\u0007b"}' >> "$CX_SPOOL/apps/docs/builds/$b/log"
	cx builds logs "$b" > "$BATS_TEST_TMPDIR/out"
	run grep -q $'\033' "$BATS_TEST_TMPDIR/out"
	[ "$status" -eq 1 ]
}

@test "cx-builds: unknown and malformed IDs, and wrong usage" {
	run --separate-stderr cx builds info BAAAAAAAAAA
	[ "$status" -eq 1 ]
	for args in 'info' 'info RAAAAAAAAAA' 'logs' 'frob'; do
		run --separate-stderr sh -c "cx-builds $args"
		[ "$status" -eq 100 ]
	done
}
