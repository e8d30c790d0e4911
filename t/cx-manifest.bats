load helpers

# Each folder of t/fixtures/cx-manifest is a case: in.yml, perhaps env (NAME=VALUE lines to expand it with); the manifest in
# out.json, its keys in order, unless it is refused; in err what is said.
@test "cx-manifest: every case gives the manifest, or the findings and 100, that its folder holds" {
	for d in "$ROOT"/t/fixtures/cx-manifest/*/; do
		name=${d%/} name=${name##*/} args=
		[ ! -f "$d/env" ] || args="--env-file $d/env"
		status=0
		# shellcheck disable=SC2086
		cx-manifest $args - < "$d/in.yml" > "$name.out" 2> "$name.err" || status=$?
		echo "$status" > "$name.status"
	done
	/usr/bin/python3 "$ROOT/t/fixtures/cases.py" "$ROOT/t/fixtures/cx-manifest" . "$ROOT/share/cx/schema/pipeline.json"
}

setup() {
	cd "$BATS_TEST_TMPDIR"
}

release() { # TEXT ENV
	jq -cn --arg t "$1" --argjson e "$2" '{text: $t, file: "convox.yml", env: $e}' | cx-manifest --release
}

@test "cx-manifest: a syntax error names line and column and is permanent (100)" {
	printf 'services:\n  web: {port: [\n' > convox.yml
	run --separate-stderr cx-manifest
	[ "$status" -eq 100 ]
	[[ "$stderr" == "cx-manifest: convox.yml:"[0-9]*:[0-9]*": "* ]]
	[ -z "$output" ]
}

@test "cx-manifest: findings are JSON objects with --json" {
	printf 'services:\n  web: {port: abc}\n' > convox.yml
	run --separate-stderr cx-manifest --json
	[ "$status" -eq 100 ]
	jq -e '.error | .class == "bad" and .file == "convox.yml" and .line == 2 and .column == 15 and (.hint | length > 0)' <<< "$stderr"
}

@test "cx-manifest: no secret of the environment enters the document unless it is asked to expand" {
	printf 'services:\n  web: {image: "app:${SECRET}"}\n' > convox.yml
	SECRET=s3cret run --separate-stderr cx-manifest
	[ "$status" -eq 0 ]
	[[ "$output" != *s3cret* ]]
	SECRET=s3cret run --separate-stderr cx-manifest --expand get services.web.image
	[ "$output" = app:s3cret ]
}

@test "cx-manifest: a value cannot inject structure, and a plain one is typed by what it becomes" {
	printf 'services:\n  web:\n    image: x\n    port: ${PORT}\n    test: "${EVIL}"\n' > convox.yml
	printf 'PORT=3000\nEVIL="a}, evil: {build: ."\n' > env
	run --separate-stderr cx-manifest --env-file env
	[ "$status" -eq 0 ]
	jq -e '.manifest.services | keys == ["web"] and .web.port.port == 3000 and .web.test == "a}, evil: {build: ."' <<< "$output"
}

@test "cx-manifest: all variables that are missing are named at once" {
	printf 'services:\n  web: {image: "${A}", test: "${B:?say B}", command: "${C:-c}"}\n' > convox.yml
	: > env
	run --separate-stderr cx-manifest --env-file env
	[ "$status" -eq 100 ]
	[[ "$stderr" == *"variable A is not set"* && "$stderr" == *"B is not set: say B"* && "$stderr" != *"C is"* ]]
}

@test "cx-manifest: --release gives a service exactly what its whitelist names" {
	run --separate-stderr release $'environment: [ALL=1]\nservices:\n  web: {environment: [A, B=b]}\n  api: {environment: ["*"]}\n' '{"A":"1","C":"3"}'
	[ "$status" -eq 0 ]
	jq -e '.manifest.services | .web.env == {"ALL":"1","A":"1","B":"b"} and .api.env == {"ALL":"1","A":"1","C":"3"}' <<< "$output"
}

@test "cx-manifest: --release names all required variables that are not set, and how to set them" {
	run --separate-stderr release $'services:\n  web: {environment: [A, B, C=1]}\n' '{}'
	[ "$status" -eq 100 ]
	[[ "$stderr" == *"convox.yml:2:23: services.web.environment: the variable A is required, and not set"* ]]
	[[ "$stderr" == *"convox.yml:2:26: services.web.environment: the variable B is required, and not set"* ]]
	[[ "$stderr" == *"hint: cx env set A=... B=..."* && "$stderr" != *" C "* ]]
}

@test "cx-manifest: an alias bomb is refused quickly (100)" {
	{
		echo 'x-a: &a [x, x, x, x, x, x, x, x, x, x]'
		prev=a
		for n in b c d e f g h i j; do
			echo "x-$n: &$n [*$prev, *$prev, *$prev, *$prev, *$prev, *$prev, *$prev, *$prev, *$prev, *$prev]"
			prev=$n
		done
		printf 'services:\n  web: {environment: *j}\n'
	} > convox.yml
	run --separate-stderr timeout 10 cx-manifest
	[ "$status" -eq 100 ]
}

@test "cx-manifest: deep nesting, NUL bytes, other encodings and 100 MB of garbage are refused (100)" {
	head -c 100000 /dev/zero | tr '\0' '[' | timeout 10 cx-manifest - 2> err && false
	printf 'services:\n  web: "\0"\n' | timeout 10 cx-manifest - 2> err && false
	printf '\377\376s\0' | timeout 10 cx-manifest - 2> err && false
	run --separate-stderr sh -c 'head -c 100000000 /dev/urandom | timeout 20 cx-manifest -'
	[ "$status" -eq 100 ]
}

@test "cx-manifest: a missing file is wrong input (100) with a way on" {
	run --separate-stderr cx-manifest
	[ "$status" -eq 100 ]
	[[ "$stderr" == *hint:* ]]
}

@test "cx-manifest: a key that is not honoured is a warning, and an error with --strict" {
	printf 'services:\n  web: {singleton: true}\n' > convox.yml
	run --separate-stderr cx-manifest check
	[ "$status" -eq 0 ]
	[[ "$stderr" == *"convox.yml:2:9: warning: services.web.singleton"* ]]
	run --separate-stderr cx-manifest --strict check
	[ "$status" -eq 100 ]
}

@test "cx-manifest: a full disk is not success (111)" {
	printf 'services:\n  web:\n' > convox.yml
	run --separate-stderr sh -c 'cx-manifest > /dev/full'
	[ "$status" -eq 111 ]
}

@test "convox.yml(5): its reference is what the schema says (make doc/convox.yml.5)" {
	jq -rf "$ROOT/share/cx/schema/convox.yml.5.jq" "$ROOT/share/cx/schema/convox.json" > want
	[ "$(wc -l < want)" -gt 500 ]
	sed -e '1,/^\.\\" BEGIN/d' -e '/^\.\\" END/,$d' "$ROOT/doc/convox.yml.5" | diff want -
}

@test "convox.json: every key has a description, a default, examples and what each rack makes of it" {
	jq -e '[.. | objects | select(has("x-cx")) | select((.description | length) == 0 or (has("default") | not) or (.examples | length) == 0
		or (."x-cx" | (.local | length) == 0 or (.aws | length) == 0))] == []' "$ROOT/share/cx/schema/convox.json"
	jq -e '[.properties, .definitions.service.properties, .definitions.resource.properties, .definitions.timer.properties
		| to_entries[] | select(.value | has("x-cx") | not)] == []' "$ROOT/share/cx/schema/convox.json"
}

@test "cx-manifest: 10000 services are read in a moment and in 256 MB; many more are refused, and so are many missing variables" {
	{ echo services:; for i in $(seq 10000); do echo "  s$i: {port: 3000, environment: [A$i, B=1], scale: {memory: 64}}"; done; } > convox.yml
	# AddressSanitizer reserves terabytes of addresses.
	case ${CX_TEST_BIN-} in */sanitize/*) limit=unlimited ;; *) limit=262144 ;; esac
	(ulimit -v $limit && timeout 20 cx-manifest) > out
	[ "$(jq '.manifest.services | length' out)" -eq 10000 ]
	status=0
	jq -n --rawfile t convox.yml '{text: $t, env: {}}' | timeout 20 cx-manifest --release > /dev/null 2> err || status=$?
	[ "$status" -eq 100 ]
	grep -q '^cx-manifest: convox.yml:2:34: services.s1.environment: the variable A1 is required' err
	grep -q 'and 9950 more$' err
	{ echo services:; for i in $(seq 20001); do echo "  s$i:"; done; } > convox.yml
	run --separate-stderr timeout 20 cx-manifest
	[ "$status" -eq 100 ]
	[ "$stderr" = "cx-manifest: convox.yml:2:3: services: more than 20000 names" ]
}

@test "cx-manifest: errors are said before warnings when there are too many of both" {
	{ echo services:; for i in $(seq 60); do echo "  s$i: {singleton: true}"; done; echo "  bad: {port: x}"; } > convox.yml
	run --separate-stderr cx-manifest
	[ "$status" -eq 100 ]
	[[ "$stderr" == *'convox.yml:62:15: services.bad.port: "x" is not a port'* && "$stderr" == *"and 11 more"* ]]
}

@test "cx-manifest: --release says warnings, and with --quiet it does not" {
	run --separate-stderr release $'services:\n  web: {singleton: true}\n' '{}'
	[ "$status" -eq 0 ]
	[[ "$stderr" == *"warning: services.web.singleton"* ]]
	jq -cn '{text: "services:\n  web: {singleton: true}\n", env: {}}' > in
	run --separate-stderr sh -c 'cx-manifest --release --quiet < in'
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
}
