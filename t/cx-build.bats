# cx-build against an engine that is only played (t/fixtures/cx-build/engine.py): what it sends, what it makes of replies.
load helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
	make_spool
	mkdir -p e app/sub "$CX_SPOOL/apps/hello/builds"
	echo '{"v":1,"name":"hello","created":"2026-01-01T00:00:00.000Z","status":"running","release":null,"attempt":null,"scale":{}}' \
		> "$CX_SPOOL/apps/hello/app.json"
	python3 "$ROOT/t/fixtures/cx-build/engine.py" "$PWD/e.sock" "$PWD/e" 3>&- &
	engine=$!
	export CX_ENGINE=unix://$PWD/e.sock CX_APP=hello
	doc '{"web":{"build":{"path":"."}}}'
	wait_until 10 test -e e/ready
	cd app
	printf 'FROM scratch\nARG A\nARG B=1\n' > Dockerfile
	echo hi > file
}

teardown() {
	kill "$engine" 2>/dev/null || :
	dump
}

# doc SERVICES: the document that build() feeds.
doc() {
	jq -cn --argjson s "$1" '{v:1,other:{kept:true},manifest:{file:"convox.yml",text:"as: written\n",services:$s}}' \
		> "$BATS_TEST_TMPDIR/doc.json"
}

build() {
	run --separate-stderr cx-build "$@" < "$BATS_TEST_TMPDIR/doc.json"
}

requests() {
	cat "$BATS_TEST_TMPDIR/e/requests"
}

builds() {
	requests | grep -c '^POST /build '
}

# context [N]: names in the Nth context that the engine got, one line.
context() {
	tar tf "$BATS_TEST_TMPDIR/e/context.${1:-1}.tar" | tr '\n' ' '
}

record() {
	cat "$CX_SPOOL/apps/hello/builds/$1/build.json"
}

# reply LINES: what the engine says to a build.
reply() {
	printf '%s\n' "$@" > "$BATS_TEST_TMPDIR/e/reply"
}

@test "cx-build: --help prints the usage (0), an unknown option is wrong usage (100)" {
	run --separate-stderr cx-build --help
	[ "$status" -eq 0 ]
	[ "$output" = "usage: cx-build [-a APP] [--development] [--no-cache] [DIR]" ]
	run --separate-stderr cx-build --nonsense
	[ "$status" -eq 100 ]
	[[ $stderr == usage:* ]]
	run --separate-stderr cx-build a b
	[ "$status" -eq 100 ]
}

@test "cx-build: the document comes back with the build added and the rest untouched" {
	build
	[ "$status" -eq 0 ]
	id=$(jq -r .build.id <<< "$output")
	[ "$(jq -r .build.images.web <<< "$output")" = "t/hello/web:$id" ]
	[ "$(jq -c 'del(.build)' <<< "$output")" = "$(cat "$BATS_TEST_TMPDIR/doc.json")" ]
	record "$id" | valid build
	[ "$(record "$id" | jq -r .status)" = complete ]
	[ "$(record "$id" | jq -r .manifest)" = "as: written" ]
	jq -e 'select(.at != "build" or .build == null)' "$CX_SPOOL/apps/hello/builds/$id/log" && false
	requests | grep -q "\"t\": \\[\"t/hello/web:$id\"\\]"
}

@test "cx-build: an app that does not exist is a no (1) with the way to make it" {
	build -a other
	[ "$status" -eq 1 ]
	[[ $stderr == *"cx apps create other"* ]]
	[[ $stderr == *"cx deploy --create"* ]]
	[ ! -e "$BATS_TEST_TMPDIR/e/requests" ]
}

@test "cx-build: a document that is none is refused (100)" {
	for bad in '[]' '{"v":2}' '{"v":1,"manifest":{"text":"x","services":[]}}' \
		'{"v":1,"manifest":{"text":"x","services":{"Bad Name":{"image":"x"}}}}' \
		'{"v":1,"manifest":{"text":"x","services":{"web":{"build":3}}}}' \
		'{"v":1,"manifest":{"text":"x","services":{"web":{"build":{"args":{"A":[1]}}}}}}' '{"v":1,' '{"v":1,"v":1}'; do
		run --separate-stderr cx-build <<< "$bad"
		[ "$status" -eq 100 ] || { echo "$bad"; false; }
	done
}

@test "cx-build: an empty pipe means that the stage before failed, and nothing is built (100)" {
	run --separate-stderr bash -c ': | cx-build'
	[ "$status" -eq 100 ]
	[[ $stderr == *"the stage before failed"* ]]
	[ ! -e "$BATS_TEST_TMPDIR/e/requests" ] || [ "$(builds)" -eq 0 ]
}

@test "cx-build: .dockerignore decides what is sent, the Dockerfile and it always go along" {
	n=0
	while IFS= read -r want; do
		n=$((n + 1))
		rm -rf c
		mkdir -p c/src/deep c/node_modules/x c/docs
		touch c/Dockerfile c/a.txt c/b.md c/src/main.c c/src/b.md c/src/deep/b.md c/node_modules/x/b.md c/docs/README.md 'c/star*'
		rules=${want%% => *}
		printf '%b' "$rules" > c/.dockerignore
		(cd c && cx-build --no-cache < "$BATS_TEST_TMPDIR/doc.json" >/dev/null 2>&1)
		last=$BATS_TEST_TMPDIR/e/context.$n.tar
		got=$(tar tf "$last" | grep -v '/$' | grep -vx -e Dockerfile -e .dockerignore | tr '\n' ' ')
		[ "${got% }" = "${want##* => }" ] || { echo "rules: $rules"; echo "got:  ${got% }"; echo "want: ${want##* => }"; false; }
	done < "$ROOT/t/fixtures/cx-build/ignore"
	[ "$n" -ge 20 ]
}

@test "cx-build: a pattern that is malformed is named with file and line (100)" {
	printf 'ok\n# fine [\na[\n' > .dockerignore
	build
	[ "$status" -eq 100 ]
	[[ $stderr == *".dockerignore:3:1:"* ]]
	[ ! -e "$BATS_TEST_TMPDIR/e/context.1.tar" ]
}

@test "cx-build: DOCKERFILE.dockerignore wins over .dockerignore" {
	doc '{"web":{"build":{"path":".","manifest":"Other"}}}'
	cp Dockerfile Other
	echo file > .dockerignore
	echo sub > Other.dockerignore
	build
	[ "$status" -eq 0 ]
	[ "$(context)" = ".dockerignore Dockerfile Other Other.dockerignore file " ]
}

@test "cx-build: links stay links, owners are 0:0, modes stay, sockets are left out" {
	ln -s ../../outside link
	ln file hard
	chmod 750 file
	[ "$(id -u)" -ne 0 ] || chown 1234:1234 file
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")'
	mkfifo pipe
	build
	[ "$status" -eq 0 ]
	run tar tvf "$BATS_TEST_TMPDIR/e/context.1.tar" --numeric-owner
	[[ $output == *"-rwxr-x--- 0/0"*" file"* ]]
	[[ $output == *" link -> ../../outside"* ]]
	[[ $output == *"h"*" hard link to file"* ]]
	[[ $output != *sock* ]]
	[[ $output != *1234* ]]
}

@test "cx-build: odd names arrive byte for byte" {
	long=$(printf 'x%.0s' {1..200})
	mkdir -p "$long"
	touch "$long/$long" $'new\nline' 'héllo' $'lat\xe9n' ' blank '
	build
	[ "$status" -eq 0 ]
	python3 - "$BATS_TEST_TMPDIR/e/context.1.tar" <<-'END'
	import os, sys, tarfile
	t = tarfile.open(sys.argv[1], encoding="utf-8", errors="surrogateescape")
	got = {os.fsencode(m.name.rstrip("/")) for m in t}
	want = {os.fsencode(os.path.relpath(os.path.join(d, n), ".")) for d, ds, fs in os.walk(".") for n in ds + fs}
	assert got == want, (got ^ want)
	END
}

@test "cx-build: ARGs that the Dockerfile declares come from the environment, the manifest's win, others do not leak" {
	cat > "$BATS_TEST_TMPDIR/cx-seal" <<-'END'
	#!/bin/sh
	cat >/dev/null
	echo '{"A":"env","B":"env","SECRET":"s","VER":"7"}'
	END
	chmod +x "$BATS_TEST_TMPDIR/cx-seal"
	mkdir -p "$CX_SPOOL/apps/hello/releases/RAAAAAAAAAA"
	echo '{"v":1,"id":"RAAAAAAAAAA","app":"hello","created":"2026-01-01T00:00:00.000Z","manifest":"","build":null,"status":"created"}' \
		> "$CX_SPOOL/apps/hello/releases/RAAAAAAAAAA/release.json"
	echo sealed > "$CX_SPOOL/apps/hello/releases/RAAAAAAAAAA/env"
	doc '{"web":{"build":{"path":".","args":{"B":"manifest","C":"3"}}}}'
	CX_EXEC_PATH=$BATS_TEST_TMPDIR build
	[ "$status" -eq 0 ]
	args=$(requests | sed -n 's,^POST /build ,,p' | jq -r '.buildargs[0]')
	[ "$args" = '{"A":"env","B":"manifest","C":"3"}' ]
}

@test "cx-build: the same build is made once and tagged for each service, in the order of the manifest" {
	mkdir other
	cp Dockerfile other
	doc '{"zeta":{"build":{"path":"."}},"alpha":{"build":{"path":"other"}},"beta":{"build":{"path":"./"}},"gamma":{"build":{"path":".","args":{"A":"1"}}}}'
	build
	[ "$status" -eq 0 ]
	[ "$(builds)" -eq 3 ]
	run -0 bash -c "grep '^POST /build ' '$BATS_TEST_TMPDIR/e/requests' | sed 's,^POST /build ,,' | jq -r '.t | map(split(\":\")[0]) | join(\" \")' | paste -sd,"
	[ "$output" = "t/hello/zeta t/hello/beta,t/hello/alpha,t/hello/gamma" ]
}

@test "cx-build: an image that the engine has is tagged without a pull, an absent one is pulled" {
	doc '{"db":{"image":"postgres:15"},"cache":{"image":"reg.example:5000/a/redis"}}'
	echo postgres:15 > "$BATS_TEST_TMPDIR/e/images"
	build
	[ "$status" -eq 0 ]
	[ "$(requests | grep -c '^POST /images/create')" -eq 1 ]
	requests | grep -q '^POST /images/create {"fromImage": \["reg.example:5000/a/redis"\], "tag": \["latest"\]}'
	requests | grep -q '^POST /images/postgres:15/tag {"repo": \["t/hello/db"\]'
	requests | grep -q '^POST /images/reg.example:5000/a/redis/tag'
}

@test "cx-build: a pull that fails is a failed build (1) with a hint" {
	doc '{"db":{"image":"nosuch"}}'
	echo '{"errorDetail":{"message":"pull access denied for nosuch"},"error":"pull access denied for nosuch"}' > "$BATS_TEST_TMPDIR/e/pull"
	build
	[ "$status" -eq 1 ]
	[[ $stderr == *"pull access denied for nosuch"* ]]
	[[ $stderr == *"docker pull"* ]]
}

@test "cx-build: nothing changed means the same build and no upload; each change of input is a new build" {
	build
	id=$(jq -r .build.id <<< "$output")
	build
	[ "$status" -eq 0 ]
	[ "$(jq -r .build.id <<< "$output")" = "$id" ]
	[ "$(builds)" -eq 1 ]
	touch file
	build
	[ "$(builds)" -eq 1 ]
	echo more >> file
	build
	[ "$(builds)" -eq 2 ]
	chmod 700 file
	build
	[ "$(builds)" -eq 3 ]
	mv file file2
	build
	[ "$(builds)" -eq 4 ]
	build --development
	[ "$(builds)" -eq 5 ]
	doc '{"web":{"build":{"path":".","args":{"A":"2"}}}}'
	build
	[ "$(builds)" -eq 6 ]
	build --no-cache
	[ "$(builds)" -eq 7 ]
	requests | tail -1 | grep -q '"nocache": \["1"\]'
}

@test "cx-build: an image that the engine lost means a new build" {
	build
	id=$(jq -r .build.id <<< "$output")
	kill "$engine"
	wait "$engine" || :
	rm "$BATS_TEST_TMPDIR"/e/ready "$BATS_TEST_TMPDIR"/e.sock
	python3 "$ROOT/t/fixtures/cx-build/engine.py" "$BATS_TEST_TMPDIR/e.sock" "$BATS_TEST_TMPDIR/e" 3>&- &
	engine=$!
	wait_until 10 test -e "$BATS_TEST_TMPDIR/e/ready"
	build
	[ "$status" -eq 0 ]
	[ "$(jq -r .build.id <<< "$output")" != "$id" ]
}

@test "cx-build: --development ends the Dockerfile at the mark, or builds the stage of that name" {
	printf 'FROM scratch\nARG A\n## convox:production\nARG NEVER\nFROM no\n' > Dockerfile
	build --development
	[ "$status" -eq 0 ]
	[ "$(jq .development <<< "$output")" = true ]
	[ "$(record "$(jq -r .build.id <<< "$output")" | jq .development)" = true ]
	[ "$(tar xOf "$BATS_TEST_TMPDIR/e/context.1.tar" Dockerfile)" = "$(printf 'FROM scratch\nARG A\n')" ]
	printf 'FROM scratch AS base\nFROM base as Development\nFROM base\n' > Dockerfile
	build --development
	[ "$status" -eq 0 ]
	requests | tail -1 | grep -q '"target": \["development"\]'
	build
	[ "$(jq 'has("development")' <<< "$output")" = false ]
	requests | tail -1 | grep -qv target
}

@test "cx-build: a failed step is shown with its command and last lines, and recorded (1)" {
	reply '{"stream":"Step 1/2 : FROM scratch\n"}' '{"stream":" ---\u003e 123\n"}' '{"stream":"Step 2/2 : RUN make all\n"}' \
		'{"stream":"one\n"}' '{"stream":"\u001b[91mtw"}' '{"stream":"o\n\u001b[0m"}' '{"stream":"nul\u0000byte\n"}' \
		'{"errorDetail":{"code":3},"error":"The command '"'/bin/sh -c make all'"' returned a non-zero code: 3"}'
	build
	[ "$status" -eq 1 ]
	[ -z "$output" ]
	[[ $stderr == *"web 2/2"*"RUN make all"* ]]
	[[ $stderr == *"| one"*"| two"*"| nulbyte"* ]]
	[[ $stderr == *"exit status 3"* ]]
	run -0 bash -c "cat '$CX_SPOOL'/apps/hello/builds/*/build.json"
	valid build <<< "$output"
	[ "$(jq -r .status <<< "$output")" = failed ]
	[[ $(jq -r .reason <<< "$output") == *"RUN make all: the command ended with exit status 3" ]]
	run -0 bash -c "tail -1 '$CX_SPOOL'/apps/hello/builds/*/log"
	[ "$(jq -c '[.state, .id, .text, .log]' <<< "$output")" = '["fail","web","RUN make all",["one","two","nulbyte"]]' ]
}

@test "cx-build: BuildKit's trace becomes steps, cached or not, with their output" {
	python3 - "$BATS_TEST_TMPDIR/e/reply" <<-'END'
	import base64, json, sys
	def f(n, v):
	    if isinstance(v, int): return bytes([n << 3, v])
	    v = v.encode() if isinstance(v, str) else v
	    return bytes([n << 3 | 2, len(v)]) + v
	def trace(b): return json.dumps({"id": "moby.buildkit.trace", "aux": base64.b64encode(b).decode()})
	now = f(1, 5)
	v = lambda d, name, *rest: f(1, f(1, d) + f(3, name) + b"".join(rest))
	lines = [
	    trace(v("a", "[1/3] FROM x", f(5, now)) + v("a", "[1/3] FROM x", f(4, 1), f(5, now), f(6, now))),
	    trace(v("b", "[2/3] RUN make", f(5, now))),
	    trace(f(3, f(1, "b") + f(3, 1) + f(4, "half a ")) + f(3, f(1, "b") + f(3, 2) + f(4, "line\nlast"))),
	    trace(v("b", "[2/3] RUN make", f(5, now), f(6, now))),
	    trace(v("c", "[3/3] RUN fail", f(5, now), f(6, now), f(7, "executor failed running [x]: exit code: 127"))),
	    trace(v("d", "[3/3] RUN other", f(5, now), f(6, now), f(7, "context canceled"))),
	    json.dumps({"error": "executor failed running [x]: exit code: 127"})]
	open(sys.argv[1], "w").write("\r\n".join(lines) + "\r\n")
	END
	build
	[ "$status" -eq 1 ]
	run -0 bash -c "jq -r '[.id // \"\", .state, .text // \"\", .reason // \"\"] | join(\"|\")' '$CX_SPOOL'/apps/hello/builds/*/log"
	[[ $output == *"web 1/3|skip|FROM x|"* ]]
	[[ $output == *"web 2/3|start|RUN make|"*"web 2/3|progress|half a line|"*"web 2/3|progress|last|"*"web 2/3|done|RUN make|"* ]]
	[[ $output == *"web 3/3|fail|RUN fail|"* ]]
	[[ $output == *"web|fail|RUN fail|the command ended with exit status 127" ]]
	[[ $stderr == *"a command that the image does not have"* ]]
}

@test "cx-build: a reply that cannot be read fails the build (111)" {
	for bad in 'not json' '[]' '{"id":"moby.buildkit.trace","aux":"CgEK"}' '{"id":"moby.buildkit.trace","aux":"!"}'; do
		reply "$bad"
		build --no-cache
		[ "$status" -eq 111 ] || { echo "$bad"; false; }
	done
}

@test "cx-build: an engine without BuildKit and Podman build with the classic builder" {
	touch "$BATS_TEST_TMPDIR/e/classic"
	build
	[ "$status" -eq 0 ]
	[ "$(requests | grep '^POST /build' | grep -o '"version": \["."\]' | tr '\n' ' ')" = '"version": ["2"] "version": ["1"] ' ]
	cmp "$BATS_TEST_TMPDIR/e/context.1.tar" "$BATS_TEST_TMPDIR/e/context.2.tar"
	rm "$BATS_TEST_TMPDIR/e/classic" "$BATS_TEST_TMPDIR/e/requests"
	touch "$BATS_TEST_TMPDIR/e/podman"
	reply '{"stream":"STEP 1/2: FROM x\n"}' '{"stream":"STEP 2/2: RUN y\nout\n"}' '{"stream":"COMMIT z\n"}' '{"stream":"Successfully built 1\n"}'
	build --no-cache
	[ "$status" -eq 0 ]
	[ "$(requests | grep '^POST /build' | grep -o '"version": \["."\]')" = '"version": ["1"]' ]
	[[ $stderr == *"web 2/2  RUN y"* ]]
}

@test "cx-build: a BuildKit that hangs is given up, and the classic builder builds; when that hangs too, it is said (111)" {
	touch "$BATS_TEST_TMPDIR/e/deaf"
	head -c 3000000 /dev/zero > large
	CX_BUILD_STALL=1 build
	[ "$status" -eq 0 ] || { dump; false; }
	[[ $stderr == *"BuildKit hangs"* ]]
	[ "$(requests | grep -c '^POST /build.*"version": \["1"\]')" -eq 1 ]
	rm large
	echo new > file
	touch "$BATS_TEST_TMPDIR/e/slow"
	CX_BUILD_STALL=1 build
	[ "$status" -eq 111 ] || { dump; false; }
	[[ $stderr == *"nothing was taken for 1 seconds"*"hint: its builder hangs: restart the container engine"* ]]
	touch "$BATS_TEST_TMPDIR/e/go"
	rm "$BATS_TEST_TMPDIR/e/deaf"
}

@test "cx-build: steps that want secrets are refused with file and line (100)" {
	mkdir s
	printf 'FROM x\nRUN <<E\nRUN --mount=type=secret,id=no x\nE\nRUN --network=none \\\n --mount=type=secret,id=x y\n' > s/Dockerfile
	doc '{"web":{"build":{"path":"s"}}}'
	build
	[ "$status" -eq 100 ]
	[[ $stderr == *"s/Dockerfile:5:1:"* ]]
}

@test "cx-build: a path outside of the app, also by a link, and a missing Dockerfile are refused (100)" {
	mkdir ../outside
	cp Dockerfile ../outside
	ln -s ../outside link
	for p in ../outside /etc link nosuch; do
		doc "{\"web\":{\"build\":{\"path\":\"$p\"}}}"
		build
		[ "$status" -eq 100 ] || { echo "$p"; false; }
	done
	doc '{"web":{"build":{"path":"sub"}}}'
	build
	[ "$status" -eq 100 ]
	[[ $stderr == *"there is no Dockerfile in sub"* ]]
	[[ $stderr == *hint:* ]]
	[ -z "$(ls "$CX_SPOOL/apps/hello/builds")" ]
}

@test "cx-build: SIGINT ends the engine's build by closing the connection, the record is failed (130)" {
	touch "$BATS_TEST_TMPDIR/e/hang"
	cx-build < "$BATS_TEST_TMPDIR/doc.json" > out 2> err 3>&- &
	pid=$!
	wait_until 10 test -e "$BATS_TEST_TMPDIR/e/hanging"
	kill -INT "$pid" # background jobs of a shell ignore SIGINT until a program catches it
	rc=0
	wait "$pid" || rc=$?
	[ "$rc" -eq 130 ]
	wait_until 10 test -e "$BATS_TEST_TMPDIR/e/gone"
	run -0 bash -c "cat '$CX_SPOOL'/apps/hello/builds/*/build.json"
	[ "$(jq -c '[.status,.reason]' <<< "$output")" = '["failed","interrupted by SIGINT"]' ]
}

@test "cx-build: SIGTERM likewise (143); a killed builder's record is failed when the next build begins" {
	touch "$BATS_TEST_TMPDIR/e/hang"
	cx-build < "$BATS_TEST_TMPDIR/doc.json" > out 2> err 3>&- &
	pid=$!
	wait_until 10 test -e "$BATS_TEST_TMPDIR/e/hanging"
	kill -TERM "$pid"
	rc=0
	wait "$pid" || rc=$?
	[ "$rc" -eq 143 ]
	rm "$BATS_TEST_TMPDIR/e/hanging"
	rm -r "$CX_SPOOL"/apps/hello/builds/B*
	cx-build < "$BATS_TEST_TMPDIR/doc.json" > out 2> err 3>&- &
	pid=$!
	wait_until 10 test -e "$BATS_TEST_TMPDIR/e/hanging"
	kill -KILL "$pid"
	wait "$pid" || :
	dead=$(ls "$CX_SPOOL/apps/hello/builds")
	[ "$(record "$dead" | jq -r .status)" = running ]
	rm "$BATS_TEST_TMPDIR/e/hang"
	rm out err
	build
	[ "$status" -eq 0 ]
	[ "$(record "$dead" | jq -r .status)" = failed ]
	record "$dead" | valid build
	[[ $(record "$dead" | jq -r .reason) == *killed* ]]
}

# slow_build COMMAND: runs it while the engine waits in the middle of the upload of `big`; sets rc.
slow_build() {
	rm -f "$BATS_TEST_TMPDIR/e/requests" "$BATS_TEST_TMPDIR/e/go"
	touch "$BATS_TEST_TMPDIR/e/slow"
	truncate -s 64M big
	cx-build --no-cache < "$BATS_TEST_TMPDIR/doc.json" > ../out 2> ../err 3>&- &
	pid=$!
	wait_until 20 grep -q '^POST /build' "$BATS_TEST_TMPDIR/e/requests"
	eval "$1"
	touch "$BATS_TEST_TMPDIR/e/go"
	rc=0
	wait "$pid" || rc=$?
}

@test "cx-build: a file that grows while it is sent is cut with a warning, and the build is not reused" {
	slow_build 'echo more >> big'
	[ "$rc" -eq 0 ]
	grep -q 'big  grew while the build read it' ../err
	[ "$(tar tvf "$BATS_TEST_TMPDIR/e/context.1.tar" big | awk '{print $3}')" -eq $((64 << 20)) ]
	[ "$(record "$(jq -r .build.id ../out)" | jq .digest)" = null ]
}

@test "cx-build: a file that shrinks while it is sent fails the build (111) and names it" {
	slow_build 'truncate -s 10 big'
	[ "$rc" -eq 111 ] || { echo "rc=$rc"; cat ../err; false; }
	grep -q 'cx-build: big shrank while the build read it' ../err
}

@test "cx-build: a file that vanishes while others are sent is left out with a warning" {
	echo x > zzz
	slow_build 'rm zzz'
	[ "$rc" -eq 0 ]
	grep -q 'zzz  vanished while the build read it' ../err
	[[ $(context) == *"big file "* ]]
}

@test "cx-build: the engine is down: the system refused (111), and no record is made" {
	export CX_ENGINE=unix://$BATS_TEST_TMPDIR/none.sock
	build
	[ "$status" -eq 111 ]
	[[ $stderr == *"container engine cannot be reached"* ]]
	[ -z "$(ls "$CX_SPOOL/apps/hello/builds")" ]
}

@test "cx-build: the source archive has what .dockerignore leaves, without .git, for the owner only" {
	mkdir -p .git sub/node_modules
	touch .git/HEAD sub/x sub/node_modules/y convox.yml
	printf 'convox.yml\n**/node_modules\n' > .dockerignore
	build
	[ "$status" -eq 0 ]
	archive=$CX_SPOOL/apps/hello/builds/$(jq -r .build.id <<< "$output")/source.tar.gz
	[ "$(stat -c %a "$archive")" = 600 ]
	[ "$(tar tzf "$archive" | tr '\n' ' ')" = ".dockerignore Dockerfile convox.yml file sub/ sub/x " ]
}

@test "cx-build: variables in build keys take the environment, and need nothing else" {
	cat > "$BATS_TEST_TMPDIR/cx-manifest" <<-'END'
	#!/bin/sh
	cat > "$BATS_TEST_TMPDIR/asked"
	jq -c '{v:1,manifest:{services:{web:{build:{path:"."},image:null},db:{image:"pg:9"}}}}' < "$BATS_TEST_TMPDIR/asked"
	END
	chmod +x "$BATS_TEST_TMPDIR/cx-manifest"
	doc '{"web":{"build":{"path":".","target":null},"environment":[{"name":"REQUIRED","default":null}]},"db":{"image":"pg:${V}"}}'
	CX_EXEC_PATH=$BATS_TEST_TMPDIR build
	[ "$status" -eq 0 ]
	[ "$(jq -rc .text "$BATS_TEST_TMPDIR/asked")" = '{"services":{"web":{"build":{"path":"."}},"db":{"image":"pg:${V}"}}}' ]
	requests | grep -q '"fromImage": \["pg"\], "tag": \["9"\]'
	[ "$(jq -r .manifest.services.db.image <<< "$output")" = 'pg:${V}' ]
}

@test "cx-build: with a folder, or without a document on stdin, it runs cx-manifest there; its failure is ours" {
	cat > "$BATS_TEST_TMPDIR/cx-manifest" <<-'END'
	#!/bin/sh
	[ -f convox.yml ] || { echo "cx-manifest: no convox.yml" >&2; exit 100; }
	cat "$BATS_TEST_TMPDIR/doc.json"
	END
	chmod +x "$BATS_TEST_TMPDIR/cx-manifest"
	export CX_EXEC_PATH=$BATS_TEST_TMPDIR
	run --separate-stderr cx-build < /dev/null
	[ "$status" -eq 100 ]
	[ "$stderr" = "cx-manifest: no convox.yml" ]
	touch convox.yml
	run --separate-stderr cx-build < /dev/null
	[ "$status" -eq 0 ]
	cd /
	run --separate-stderr cx-build "$BATS_TEST_TMPDIR/app" < /dev/null
	[ "$status" -eq 0 ]
	[ "$(builds)" -eq 1 ]
	true | run --separate-stderr cx-build "$BATS_TEST_TMPDIR/app"
	run --separate-stderr cx-build "$BATS_TEST_TMPDIR/nosuch" < /dev/null
	[ "$status" -eq 100 ]
}

@test "cx-build: a full stdout does not look like success" {
	run --separate-stderr bash -c "cx-build < '$BATS_TEST_TMPDIR/doc.json' > /dev/full"
	[ "$status" -eq 111 ]
}
