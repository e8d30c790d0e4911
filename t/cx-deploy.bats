load helpers
load spool

# Stages of the test's own stand in for cx-manifest and cx-build, so that no engine is needed.
setup() {
	fake_rack active
	export CX_EXEC_PATH=$BATS_TEST_TMPDIR/stages STAGES=$BATS_TEST_TMPDIR/stages
	mkdir "$STAGES" "$BATS_TEST_TMPDIR/docs"
	cat > "$STAGES/cx-manifest" <<-'END'
	#!/bin/sh
	echo "manifest in $PWD" >> "$STAGES/ran"
	[ -e convox.yml ] || { echo "cx-manifest: convox.yml:1:1: broken" >&2; exit 100; }
	echo '{"v":1,"manifest":{"file":"convox.yml","text":"services: {}","services":{},"resources":{}}}'
	END
	cat > "$STAGES/cx-build" <<-'END'
	#!/bin/bash
	echo "build $*" >> "$STAGES/ran"
	. "$ROOT/t/spool.bash"
	doc=$(cat)
	[ ! -e fail ] || { echo "cx-build: step 3 failed" >&2; exit "$(cat fail)"; }
	jq -c --arg id "$(fake_build "${CX_APP:-docs}")" '. + {build: {id: $id, images: {}}, extra: "kept"}' <<< "$doc"
	END
	chmod +x "$STAGES"/*
	cd "$BATS_TEST_TMPDIR/docs"
	PATH=$STAGES:$PATH
	touch convox.yml
	unset CX_APP
	exec < /dev/null
}

teardown() {
	fake_end
}

@test "cx-deploy: runs the stages, releases, promotes, and prints the document; URLs on stderr" {
	cx apps create docs
	run --separate-stderr cx deploy
	echo "$stderr" >&2
	[ "$status" -eq 0 ]
	jq -e '.release.status == "active" and .build.id and .manifest and .extra == "kept"' <<< "$output"
	[ "$(jq -r .release.id <<< "$output")" = "$(cx apps info --json | jq -r .app.active)" ]
	[[ "$stderr" == *"https://web.docs.convox:8443"* ]]
	[ "$(cat "$STAGES/ran")" = "manifest in $PWD"$'\n'"build " ]
}

@test "cx-deploy: a terminal gets the URLs and not the document" {
	cx apps create docs
	run script -qec 'cx deploy' /dev/null
	[ "$status" -eq 0 ]
	[[ "$output" == *"https://web.docs.convox:8443"* ]]
	[[ "$output" != *'"manifest"'* ]]
}

@test "cx-deploy: --create makes the app that is missing; without it the answer is no (1) and nothing is made" {
	run --separate-stderr cx deploy
	[ "$status" -eq 1 ]
	[[ "$stderr" == *--create* ]]
	[ ! -e "$CX_SPOOL/apps/docs" ]
	[ "$(grep -c build "$STAGES/ran")" -eq 0 ]
	cx deploy --create > /dev/null
	[ -e "$CX_SPOOL/apps/docs/app.json" ]
}

@test "cx-deploy: DIR is where it works, and names the app" {
	cd /
	run --separate-stderr cx deploy --create "$BATS_TEST_TMPDIR/docs"
	[ "$status" -eq 0 ]
	[ -e "$CX_SPOOL/apps/docs/app.json" ]
	run --separate-stderr cx deploy /nonexistent
	[ "$status" -eq 100 ]
}

@test "cx-deploy: as a filter it takes the document, and runs only the stages that are missing" {
	cx apps create docs
	cx-manifest > one.json
	cx-build < one.json > two.json
	: > "$STAGES/ran"
	cx-deploy < two.json > three.json
	[ ! -s "$STAGES/ran" ]
	jq -e '.release.status == "active"' three.json
	cx-manifest | cx-deploy > four.json
	[ "$(jq -r .build.id four.json)" != "$(jq -r .build.id two.json)" ]
	cx-deploy --json < two.json | jq -e '.release.id'
}

@test "cx-deploy: an empty standard input means that it runs the stages itself" {
	cx apps create docs
	cx-deploy < /dev/null > out.json
	jq -e .build.id out.json
	: > empty
	cx-deploy < empty | jq -e .build.id
	# CI systems give every command an empty pipe.
	: | cx deploy | jq -e .build.id
}

@test "cx-deploy: an empty pipe means that the stage before failed: nothing here is built instead (100)" {
	cx apps create docs
	run --separate-stderr bash -c 'false | cx-deploy'
	[ "$status" -eq 100 ]
	[[ $stderr == *"the stage before failed"*"hint: "*"name the folder: ."* ]]
	[ "$(cx builds --json | jq '.builds | length')" -eq 0 ]
	: | cx-deploy . | jq -e .build.id
}

@test "cx-deploy: a pipe that stays open with nothing in it is said on stderr" {
	cx apps create docs
	run --separate-stderr bash -c 'sleep 2.3 | cx deploy'
	[ "$status" -eq 0 ]
	[[ $stderr == "waiting for a pipeline document on standard input; "* ]]
}

@test "cx-deploy: a stage's failure is the status, said once, and nothing is released" {
	cx apps create docs
	for st in 1 100 111; do
		echo $st > fail
		run --separate-stderr cx deploy
		[ "$status" -eq $st ]
		[ "$stderr" = "cx-build: step 3 failed" ]
		[ -z "$output" ]
	done
	rm convox.yml
	run --separate-stderr cx deploy --create
	[ "$status" -eq 100 ]
	[ "$stderr" = "cx-manifest: convox.yml:1:1: broken" ]
	[ "$(cx releases --json | jq '.releases | length')" -eq 0 ]
}

@test "cx-deploy: a broken manifest makes no app, even with --create" {
	rm convox.yml
	run --separate-stderr cx deploy --create
	[ "$status" -eq 100 ]
	[ ! -e "$CX_SPOOL/apps/docs" ]
}

@test "cx-deploy: a release that fails is an answer (1), and the document says so" {
	cx apps create docs
	fake_end
	fake_converge failed
	run --separate-stderr cx deploy
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"it listens on 127.0.0.1"* ]]
	[ "$(jq -r .release.status <<< "$output")" = failed ]
}

@test "cx-deploy: garbage, a document without its parts, or 100 MB on standard input are refused (100)" {
	cx apps create docs
	for doc in 'x' '{}' '[]' '{"v":2,"manifest":{}}' '{"v":1,"manifest":{},"build":{}}' '{"v":1,"manifest":{},"build":{"id":"../../x"}}' '{"v":1,"v":1,"manifest":{}}'; do
		run --separate-stderr cx-deploy <<< "$doc"
		echo "$doc: $status $stderr" >&2
		[ "$status" -eq 100 ]
	done
	run --separate-stderr sh -c 'head -c 100000000 /dev/urandom | cx-deploy'
	[ "$status" -eq 100 ]
	run --separate-stderr cx-deploy <<< '{"v":1,"manifest":{},"build":{"id":"BAAAAAAAAAA"}}'
	[ "$status" -eq 1 ]
	[ "$(cx releases --json | jq '.releases | length')" -eq 0 ]
}

@test "cx-deploy: while the rack does not run it says so (111); the promotion goes on when it does" {
	cx apps create docs
	fake_end
	run --separate-stderr timeout 10 cx deploy
	[ "$status" -eq 111 ]
	[[ "$stderr" == *"cx rack start"* ]]
	fake_converge active
	wait_until 5 sh -c 'cx apps info --json | jq -e .app.active'
}

@test "cx-deploy: wrong usage shows the usage (100)" {
	run --separate-stderr cx-deploy a b
	[ "$status" -eq 100 ]
	[[ "$stderr" == *"usage: cx-deploy"* ]]
	run --separate-stderr cx-deploy --frob
	[ "$status" -eq 100 ]
}
