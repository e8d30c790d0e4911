load helpers
load spool

setup() {
	fake_rack
}

teardown() {
	fake_end
}

@test "cx-apps: lists what was created, by name, and --json keeps to the schema" {
	cx apps create zoo
	cx apps create docs
	run --separate-stderr cx apps
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == NAME*STATUS*RELEASE*CREATED ]]
	[[ "${lines[1]}" == docs*running* ]]
	[[ "${lines[2]}" == zoo* ]]
	cx apps --json | valid apps
	cx apps info docs --json | valid app
	cx apps create third --json | valid app
}

@test "cx-apps: create takes the name of the folder when none is given" {
	unset CX_APP
	mkdir "$BATS_TEST_TMPDIR/My_Site"
	cx -C "$BATS_TEST_TMPDIR/My_Site" apps create
	[ -e "$CX_SPOOL/apps/my-site/app.json" ]
}

@test "cx-apps: an app that exists is not made again (1)" {
	cx apps create docs
	run --separate-stderr cx apps create docs
	[ "$status" -eq 1 ]
	[[ "$stderr" == *already* ]]
}

@test "cx-apps: a bad name is refused (100) and nothing is made" {
	for name in Docs 1docs docs- 'a b' ../x . .new "$(printf 'a%.0s' {1..41})" 'a/b' 'é'; do
		run --separate-stderr cx apps create -- "$name"
		[ "$status" -eq 100 ]
	done
	[ "$(cx apps --json | jq '.apps | length')" -eq 0 ]
	[ -z "$(find "$CX_SPOOL/apps" -name app.json)" ]
}

@test "cx-apps: an unknown app is an answer (1) that names the near one" {
	cx apps create docs
	run --separate-stderr cx apps info dosc
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"did you mean docs?"* ]]
	run --separate-stderr cx apps info nothinglikeit
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"cx apps create nothinglikeit"* ]]
}

@test "cx-apps: delete without a terminal needs --force (100)" {
	cx apps create docs
	run --separate-stderr sh -c 'cx apps delete docs < /dev/null'
	[ "$status" -eq 100 ]
	[[ "$stderr" == *--force* ]]
	[ "$(jq -r .status "$CX_SPOOL/apps/docs/app.json")" = running ]
}

@test "cx-apps: on a terminal the name must be typed" {
	cx apps create docs
	fake_converge active
	echo wrong > "$BATS_TEST_TMPDIR/in"
	run script -qec 'cx apps delete docs' /dev/null < "$BATS_TEST_TMPDIR/in"
	[ "$status" -eq 1 ]
	[ -e "$CX_SPOOL/apps/docs/app.json" ]
	echo docs > "$BATS_TEST_TMPDIR/in"
	run script -qec 'cx apps delete docs' /dev/null < "$BATS_TEST_TMPDIR/in"
	[ "$status" -eq 0 ]
	[ ! -e "$CX_SPOOL/apps/docs" ]
}

@test "cx-apps: delete --force waits until the app is gone" {
	cx apps create docs
	fake_converge active
	run --separate-stderr cx apps delete docs --force
	[ "$status" -eq 0 ]
	[ ! -e "$CX_SPOOL/apps/docs" ]
	run --separate-stderr cx apps delete docs --force
	[ "$status" -eq 1 ]
}

@test "cx-apps: delete while the rack does not run says so (111) and stays wanted" {
	cx apps create docs
	run --separate-stderr cx apps delete docs --force
	[ "$status" -eq 111 ]
	[[ "$stderr" == *"cx rack start"* ]]
	[ "$(cx apps --json | jq -r '.apps[0].status')" = deleting ]
	run --separate-stderr cx env set A=1
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"being deleted"* ]]
	run --separate-stderr cx apps create docs
	[ "$status" -eq 1 ]
}

@test "cx-apps: create killed at any instant leaves no app or a whole one, and the next create works" {
	for i in $(seq 40); do
		kill_at "0.00$((i % 4))$((i % 10))" cx-apps create "app$i"
	done
	wait_until 5 cx apps create last
	cx apps --json | valid apps
	for d in "$CX_SPOOL"/apps/*/; do
		jq -e '.v == 1 and .status == "running"' "$d/app.json"
		[ -d "$d/builds" ] && [ -d "$d/releases" ]
	done
	[ -z "$(ls "$CX_SPOOL/apps/.new")" ]
}

@test "cx-apps: of many creates of one name at once one wins" {
	for i in 1 2 3 4 5; do
		sh -c 'cx apps create same 2>/dev/null; echo $? > "$0"' "$BATS_TEST_TMPDIR/st.$i" 3>&- &
	done
	wait
	[ "$(cat "$BATS_TEST_TMPDIR"/st.* | sort | tr -d '\n')" = 01111 ]
}

@test "cx-apps: a spool that cannot be written is a system error (111) with a hint" {
	[ "$(id -u)" -eq 0 ] || skip "needs root to become another user"
	chmod 711 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR/.." || true
	run --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups cx-apps create docs
	[ "$status" -eq 111 ]
	[ -n "$stderr" ]
}

@test "cx-apps: without a rack the answer is no (1) and how to get one" {
	CX_SPOOL=$BATS_TEST_TMPDIR/none run --separate-stderr cx apps
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"cx install local"* ]]
}

@test "cx-apps: wrong usage shows the usage (100)" {
	for args in 'frob' 'delete' 'create a b' 'list x' '--frob' 'info a b'; do
		run --separate-stderr sh -c "cx-apps $args"
		[ "$status" -eq 100 ]
		[[ "$stderr" == *"usage: cx-apps"* ]]
	done
	run --separate-stderr cx-apps --help
	[ "$status" -eq 0 ]
	[[ "$output" == "usage: cx-apps"* ]]
}

@test "cx-apps: another provider is asked when CX_PROVIDER names one" {
	mkdir "$BATS_TEST_TMPDIR/p"
	printf '#!/bin/sh\necho "{\\"v\\":1,\\"apps\\":[{\\"name\\":\\"$*\\"}]}"\n' > "$BATS_TEST_TMPDIR/p/cx-provider-other"
	chmod +x "$BATS_TEST_TMPDIR/p/cx-provider-other"
	CX_EXEC_PATH=$BATS_TEST_TMPDIR/p CX_PROVIDER=other run --separate-stderr cx apps
	[[ "${lines[1]}" == "app list"* ]]
	CX_PROVIDER=../x run --separate-stderr cx apps
	[ "$status" -eq 100 ]
}
