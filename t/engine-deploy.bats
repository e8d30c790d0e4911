load helpers

setup_file() {
	rack_up 21
}

teardown_file() {
	rack_down
}

setup() {
	APP=$(echo "a$BATS_TEST_NUMBER")
	HOST=web.$APP.t$N.test
	export CX_APP=$APP
	DIR=$BATS_TEST_TMPDIR/$APP
	busybox_app "$DIR" "one"
	cd "$DIR"
}

teardown() {
	cx apps delete "$APP" --force >&2 || true
}

@test "cx deploy: --create makes the app, and it answers by name over verified TLS" {
	run --separate-stderr cx deploy --create
	dump
	[ "$status" -eq 0 ]
	jq -e '.release.status == "active" and (.release.id | test("^R[A-Z]{10}$"))' <<< "$output"
	[ "$(get "$HOST")" = one ]
	run --separate-stderr cx services url web
	[ "$output" = "https://$HOST:8443" ]
}

@test "cx deploy: an app that does not exist is refused (1), and nothing is made" {
	run --separate-stderr cx deploy
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"--create"* ]]
	[ ! -e "$CX_SPOOL/apps/$APP" ]
}

@test "the pipeline by hand does what cx deploy does, and each stage keeps to the schema" {
	cx apps create "$APP"
	cx-manifest convox.yml > one.json
	cx-build < one.json > two.json
	cx-deploy < two.json > three.json
	for f in one two three; do valid pipeline < $f.json; done
	[ "$(jq -r .release.status three.json)" = active ]
	[ "$(get "$HOST")" = one ]
	echo two > www/index.html
	cx-manifest convox.yml | cx-build -a "$APP" | cx-deploy -a "$APP" > /dev/null
	[ "$(get "$HOST")" = two ]
}

@test "a cx-build earlier on the path replaces ours" {
	cx deploy --create > "$BATS_TEST_TMPDIR/first.json"
	mkdir "$BATS_TEST_TMPDIR/mine"
	printf '#!/bin/sh\ntouch "%s/used"\nexec jq -c ". + {build: $(jq -c .build %s)}"\n' "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/first.json" > "$BATS_TEST_TMPDIR/mine/cx-build"
	chmod +x "$BATS_TEST_TMPDIR/mine/cx-build"
	run --separate-stderr env PATH="$BATS_TEST_TMPDIR/mine:$PATH" CX_EXEC_PATH="$BATS_TEST_TMPDIR/mine" cx deploy
	dump
	[ "$status" -eq 0 ]
	[ -e "$BATS_TEST_TMPDIR/used" ]
	[ "$(jq -r .build.id "$BATS_TEST_TMPDIR/first.json")" = "$(jq -r .build.id <<< "$output")" ]
}

@test "nothing changed: the same build, no upload" {
	first=$(cx deploy --create)
	second=$(cx build)
	[ "$(jq -r .build.id <<< "$first")" = "$(jq -r .build.id <<< "$second")" ]
}

@test "a redeploy under load loses no request" {
	cx deploy --create > /dev/null
	hammer "$HOST" "$BATS_TEST_TMPDIR/codes"
	echo two > www/index.html
	cx deploy > /dev/null
	[ "$(get "$HOST")" = two ]
	calm
}

@test "a release that crashes fails (1) with cause and last lines, and the old one serves every request" {
	cx deploy --create > /dev/null
	old=$(jq -r .active "$CX_SPOOL/apps/$APP/state.json")
	hammer "$HOST" "$BATS_TEST_TMPDIR/codes"
	sed -i 's/^CMD.*/CMD ["sh", "-c", "echo no such table: users; exit 3"]/' Dockerfile
	run --separate-stderr cx deploy
	dump
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"no such table: users"* ]]
	[[ "$stderr" == *3* ]]
	calm
	[ "$(get "$HOST")" = one ]
	[ "$(jq -r .active "$CX_SPOOL/apps/$APP/state.json")" = "$old" ]
	cx releases | grep -q failed
	git checkout -q 2>/dev/null || true
	sed -i "s/^CMD.*/CMD [\"sh\", \"-c\", \"trap 'exit 0' TERM; httpd -f -p 3000 -h \/www \& wait\"]/" Dockerfile
	echo three > www/index.html
	cx deploy > /dev/null
	[ "$(get "$HOST")" = three ]
}

@test "a release that never becomes healthy fails (1) and says on which address it listens instead" {
	cx deploy --create > /dev/null
	hammer "$HOST" "$BATS_TEST_TMPDIR/codes"
	sed -i 's/-p 3000/-p 127.0.0.1:3000/' Dockerfile
	run --separate-stderr cx deploy
	dump
	[ "$status" -eq 1 ]
	[[ "$stderr" == *127.0.0.1* && "$stderr" == *0.0.0.0* ]]
	calm
	[ "$(get "$HOST")" = one ]
}

@test "a wrong port is named" {
	sed -i 's/-p 3000/-p 4000/' Dockerfile
	run --separate-stderr cx deploy --create
	dump
	[ "$status" -eq 1 ]
	[[ "$stderr" == *4000* ]]
}

@test "a build that fails is shown with its command and last lines (1), and nothing is released" {
	cx apps create "$APP"
	printf 'RUN ["/bin/sh", "-c", "echo compiling; echo syntax error on line 7; exit 2"]\n' >> Dockerfile
	run --separate-stderr cx deploy
	dump
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"syntax error on line 7"* ]]
	[ -z "$(ls "$CX_SPOOL/apps/$APP/releases")" ]
	cx builds | grep -q failed
}

@test "cx env set makes a release without a build; promote shows it, rollback takes it back" {
	sed -i 's/^    port:/    environment: [WORD=none]\n    port:/' convox.yml
	sed -i "s/^CMD.*/CMD [\"sh\", \"-c\", \"trap 'exit 0' TERM; echo \$WORD > \/www\/index.html; httpd -f -p 3000 -h \/www \& wait\"]/" Dockerfile
	cx deploy --create > /dev/null
	[ "$(get "$HOST")" = none ]
	cx env set WORD='two words' >&2
	[ "$(get "$HOST")" = none ]
	cx promote
	[ "$(get "$HOST")" = "two words" ]
	[ "$(cx builds --json | jq '.builds | length')" -eq 1 ]
	cx rollback
	[ "$(get "$HOST")" = none ]
}

@test "cx scale changes how many run, and loses no request" {
	cx deploy --create > /dev/null
	hammer "$HOST" "$BATS_TEST_TMPDIR/codes"
	cx scale web=3
	wait_until 30 sh -c '[ "$(cx ps --json | jq "[.processes[] | select(.status == \"running\")] | length")" -eq 3 ]'
	cx scale web=1
	wait_until 60 sh -c '[ "$(cx ps --json | jq "[.processes[]] | length")" -eq 1 ]'
	calm
}

@test "two apps stand side by side; one is deleted without touching the other" {
	cx deploy --create > /dev/null
	busybox_app "$BATS_TEST_TMPDIR/other" "other"
	cx -a other -C "$BATS_TEST_TMPDIR/other" deploy --create > /dev/null
	[ "$(get "$HOST")" = one ]
	[ "$(get "web.other.t$N.test")" = other ]
	before=$(cx ps --json | jq -r '.processes[].id')
	cx apps delete other --force
	[ ! -e "$CX_SPOOL/apps/other" ]
	[ ! -e "$CX_SPOOL/routes/other.json" ]
	[ "$(cx ps --json | jq -r '.processes[].id')" = "$before" ]
	[ "$(get "$HOST")" = one ]
	run get "web.other.t$N.test" -o /dev/null -w '%{http_code}'
	[ "$output" = 404 ]
}

@test "two apps of two services each call one another by name over verified TLS; one goes, the other stays" {
	for pair in "left right" "right left"; do
		set -- $pair
		cp -R "$ROOT/build/examples/hello" "$BATS_TEST_TMPDIR/$1"
		sed -i "s/api.hello.convox/api.$2.t$N.test/; s/count: 2/count: 1/" "$BATS_TEST_TMPDIR/$1/convox.yml"
		cx -a "$1" -C "$BATS_TEST_TMPDIR/$1" deploy --create > /dev/null
	done
	[[ "$(get "web.left.t$N.test")" == *"asked https://api.right.t$N.test: request 1 served by api process"* ]]
	[[ "$(get "web.right.t$N.test")" == *"asked https://api.left.t$N.test: request 1 served by api process"* ]]
	cx apps delete right --force
	[ "$(get "api.left.t$N.test" -o /dev/null -w '%{http_code}')" = 200 ]
	[ "$(cx -a left ps --json | jq '.processes | length')" -eq 2 ]
	# Its other half is gone by name, and it says so itself.
	[[ "$(get "web.left.t$N.test")" == *"cannot ask https://api.right.t$N.test"* ]]
	cx apps delete left --force
}

@test "a crash restarts the same container, and no route points at a dead one meanwhile" {
	cx deploy --create > /dev/null
	id=$(cx ps --json | jq -r '.processes[0].id')
	cx exec "$id" kill -9 1 || cx exec "$id" sh -c 'kill -9 -1' || true
	curl -sS --unix-socket "${CX_ENGINE#unix://}" -X POST "http://engine/v1.41/containers/$id/kill" >&2
	wait_until 20 get "$HOST" --fail -o /dev/null
	[ "$(cx ps --json | jq -r '.processes[0].id')" = "$id" ]
}
