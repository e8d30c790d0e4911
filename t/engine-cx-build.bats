# cx-build with a real engine: BuildKit and the classic builder, from a base image of busybox alone.
load helpers

api() { # METHOD PATH
	curl -sS --unix-socket "${CX_ENGINE#unix://}" -X "$1" "http://engine/v1.41$2"
}

setup_file() {
	export BASE=cxtest-base:$$
	mkdir -p "$BATS_FILE_TMPDIR/root/bin"
	cp /bin/busybox "$BATS_FILE_TMPDIR/root/bin/"
	for a in sh echo cat sleep ls stat env find wget; do ln -s busybox "$BATS_FILE_TMPDIR/root/bin/$a"; done
	tar -C "$BATS_FILE_TMPDIR/root" -c . | curl -sS --fail --unix-socket "${CX_ENGINE#unix://}" -X POST -T - \
		"http://engine/v1.41/images/create?fromSrc=-&repo=${BASE%:*}&tag=${BASE#*:}" >&2
}

teardown_file() {
	for i in $(api GET '/images/json' | jq -r '.[].RepoTags[]? | select(startswith("t/hello/") or startswith("cxtest-base:"))'); do
		api DELETE "/images/$i?force=1" > /dev/null
	done
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	make_spool
	mkdir -p app "$CX_SPOOL/apps/hello/builds"
	echo '{"v":1,"name":"hello","created":"2026-01-01T00:00:00.000Z","status":"running","release":null,"attempt":null,"scale":{}}' \
		> "$CX_SPOOL/apps/hello/app.json"
	export CX_APP=hello
	cd app
	printf 'services:\n  web:\n    build: .\n    port: 3000\n' > convox.yml
}

teardown() {
	dump
}

# dockerfile LINE...: behind FROM the base image.
dockerfile() {
	printf '%s\n' "FROM $BASE" "$@" > Dockerfile
}

build() {
	run --separate-stderr cx-build "$@" < /dev/null
}

image() { # SERVICE
	jq -r ".build.images.$1" <<< "$output"
}

# inside SERVICE FORMAT-PATH: the image's configuration
config() {
	api GET "/images/$(image "$1")/json" | jq -r "$2"
}

log() {
	cat "$CX_SPOOL"/apps/hello/builds/*/log
}

builders() {
	echo buildkit classic
}

@test "cx-build: builds an image whose steps saw the files, the links and the arguments, with either builder" {
	for b in $(builders); do
		export CX_BUILDER=$b
		dockerfile 'ARG A=no' 'COPY . /src' "RUN echo arg=\$A; cat /src/link; stat -c %u:%g:%a /src/file; cat /src/secret || echo no-secret" "ENV DONE=$b"
		printf 'services:\n  web:\n    build:\n      path: .\n      args:\n        A: "yes%s"\n' "$b" > convox.yml
		echo content > file
		chmod 640 file
		chown 1000:1000 file
		ln -sf file link
		echo x > secret
		echo secret > .dockerignore
		build
		[ "$status" -eq 0 ] || { echo "$b"; false; }
		config web .Config.Env | grep -q "DONE=$b"
		run -0 log
		[[ $output == *'"text":"arg=yes'"$b"'"'*'"text":"content"'*'"text":"0:0:640"'*'"text":"no-secret"'* ]]
		rm -r "$CX_SPOOL"/apps/hello/builds/*
	done
}

@test "cx-build: a failed step shows its command and last lines, leaves no image, and is a no (1) with either builder" {
	for b in $(builders); do
		export CX_BUILDER=$b
		dockerfile "RUN echo $BATS_TEST_NUMBER$RANDOM; echo before; sh -c 'echo tool: broken >&2; exit 4'"
		build
		[ "$status" -eq 1 ] || { echo "$b"; false; }
		[ -z "$output" ]
		[[ $stderr == *"tool: broken"* ]]
		[[ $stderr == *"exit status 4"* ]]
		run -0 bash -c "cat '$CX_SPOOL'/apps/hello/builds/*/build.json"
		valid build <<< "$output"
		[ "$(jq -r .status <<< "$output")" = failed ]
		run -0 bash -c "tail -1 '$CX_SPOOL'/apps/hello/builds/*/log"
		# Two streams: each keeps its order, their mixture is the engine's.
		jq -e '.log[-3:] | index("tool: broken") != null and (map(select(. != "tool: broken")) | last == "before")' <<< "$output"
		rm -r "$CX_SPOOL"/apps/hello/builds/*
	done
}

@test "cx-build: a wrong Dockerfile and a missing file are told in the engine's words with a hint (1)" {
	dockerfile 'RUNN x'
	build
	[ "$status" -eq 1 ]
	[[ $stderr == *"unknown instruction: RUNN"*"hint:"* ]]
	dockerfile 'COPY nosuch /'
	build
	[ "$status" -eq 1 ]
	[[ $stderr == *"nosuch"*".dockerignore"* ]]
}

@test "cx-build: unchanged source gives the same build in well under a second; another build reuses cached steps" {
	dockerfile "RUN echo $RANDOM$RANDOM" 'COPY file /'
	echo 1 > file
	build
	[ "$status" -eq 0 ]
	id=$(jq -r .build.id <<< "$output")
	t=$(date +%s%N)
	build
	t=$((($(date +%s%N) - t) / 1000000))
	[ "$(jq -r .build.id <<< "$output")" = "$id" ]
	[ "$t" -lt 500 ]
	echo 2 > file
	build
	[ "$status" -eq 0 ]
	next=$(jq -r .build.id <<< "$output")
	[ "$next" != "$id" ]
	grep -q '"id":"web 2/3","state":"skip"' "$CX_SPOOL/apps/hello/builds/$next/log"
	grep -q '"id":"web 3/3","state":"done"' "$CX_SPOOL/apps/hello/builds/$next/log"
	build --no-cache
	last=$(jq -r .build.id <<< "$output")
	grep -q '"id":"web 2/3","state":"done"' "$CX_SPOOL/apps/hello/builds/$last/log"
}

@test "cx-build: SIGTERM stops the step that runs in the engine" {
	for b in $(builders); do
		export CX_BUILDER=$b
		n=86$RANDOM
		dockerfile "RUN echo now; exec sleep $n"
		cx-build > out 2> err < /dev/null 3>&- &
		pid=$!
		wait_until 30 pgrep -f "^sleep $n\$"
		kill -TERM "$pid"
		rc=0
		wait "$pid" || rc=$?
		[ "$rc" -eq 143 ]
		wait_until 30 bash -c "! pgrep -f '^sleep $n\$'"
		run -0 bash -c "cat '$CX_SPOOL'/apps/hello/builds/*/build.json"
		[ "$(jq -r .status <<< "$output")" = failed ]
		rm -r "$CX_SPOOL"/apps/hello/builds/*
	done
}

@test "cx-build: --development stops at the mark, and builds the stage of that name" {
	dockerfile 'ENV AT=dev' '## convox:production' 'ENV AT=prod'
	build --development
	[ "$status" -eq 0 ]
	[ "$(config web '.Config.Env[-1]')" = AT=dev ]
	build
	[ "$(config web '.Config.Env[-1]')" = AT=prod ]
	printf 'FROM %s AS development\nENV AT=stage\nFROM development\nENV AT=final\n' "$BASE" > Dockerfile
	build --development
	[ "$(config web '.Config.Env[-1]')" = AT=stage ]
}

@test "cx-build: services with the same build share an image, image: is tagged" {
	dockerfile 'ENV X=1'
	printf 'services:\n  web:\n    build: .\n  worker:\n    build: .\n    command: sh\n  base:\n    image: %s\n' "$BASE" > convox.yml
	build
	[ "$status" -eq 0 ]
	[ "$(config web .Id)" = "$(config worker .Id)" ]
	[ "$(config base .Id)" = "$(api GET "/images/$BASE/json" | jq -r .Id)" ]
}

@test "cx-build: an image that no registry has is a failed build with a reason, and leaves no names behind" {
	printf 'services:\n  base:\n    image: %s\n  web:\n    image: 127.0.0.1:1/nosuch:1\n' "$BASE" > convox.yml
	build
	[ "$(api GET '/images/json?filters=%7B%22reference%22%3A%5B%22t/hello/base%22%5D%7D' |
		jq "[.[].RepoTags[]? | select(endswith(\"$(ls "$CX_SPOOL/apps/hello/builds")\"))] | length")" = 0 ]
	[ "$status" -eq 1 ] || [ "$status" -eq 111 ]
	[[ $stderr == *"127.0.0.1:1"* ]]
	[[ $stderr == *hint:* ]]
}
