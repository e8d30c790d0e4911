load helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
}

# convert CASE DIR: runs the case of that folder in a copy of its files; leaves out.yml and report.
convert() {
	local status=0 args=
	rm -rf "$2" && cp -R "$1/in" "$2"
	[ ! -f "$1/args" ] || args=$(< "$1/args")
	# shellcheck disable=SC2086 # several arguments
	(cd "$2" && cx-init $args > "$2.stdout" 2> "$2.report") || status=$?
	echo "exit $status" >> "$2.report"
	# What cx-manifest honours is its own promise: its findings are not ours, nor is the sum that counts them.
	mv "$2.report" "$2.raw"
	if grep -q '  dropped  convox.yml: line' "$2.raw"; then
		sed '/  dropped  convox.yml: line/d; /cannot be kept$/d; /hint: .*Local Rack/d' "$2.raw" > "$2.report"
	else
		cp "$2.raw" "$2.report"
	fi
	[ ! -s "$2.stdout" ]
}

found() {
	if grep -q '^cx-init: .* cannot be kept$' app.report; then cat "$1"; else sed '/cannot be kept$/d' "$1"; fi
}

# Each folder of t/fixtures/cx-init is a case: the app's files in in/, args, and the result: report, and out.yml when one is written.
@test "cx-init: every case gives the convox.yml and the report that its folder holds, and cx-manifest takes it" {
	bad=0 n=0
	for d in "$ROOT"/t/fixtures/cx-init/*/; do
		n=$((n + 1))
		convert "$d" "$PWD/app" || { echo "$d: standard output" >&2; bad=1; }
		found "$d/report" | diff - app.report >&2 || { echo "$d: report" >&2; bad=1; }
		if [ -f "$d/out.yml" ]; then
			diff "$d/out.yml" app/convox.yml >&2 || { echo "$d: convox.yml" >&2; bad=1; }
			cx-manifest --strict check app/convox.yml 2> why || grep -q 'convox.yml: line' app.raw || { cat why; echo "$d: refused" >&2; bad=1; }
		elif [ -e app/convox.yml ]; then
			echo "$d: a convox.yml that should not be there" >&2
			bad=1
		fi
	done
	[ "$bad" -eq 0 ]
	[ "$n" -ge 50 ]
}

@test "cx-init: a convox.yml that is there is never overwritten (1), and nothing is left behind" {
	mkdir app && cd app
	printf 'services:\n  web: {build: .}\n' > compose.yaml
	echo mine > convox.yml
	run --separate-stderr cx-init
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"convox.yml is there already"*"hint: --check"* ]]
	[ "$(cat convox.yml)" = mine ]
	rm convox.yml && ln -s nowhere convox.yml
	run --separate-stderr cx-init
	[ "$status" -eq 1 ]
	[ ! -e nowhere ]
	[ "$(find . -mindepth 1 | sort | tr '\n' ' ')" = "./compose.yaml ./convox.yml " ]
}

@test "cx-init: of two at once, one writes, and the other says no (1)" {
	printf 'services:\n  web: {build: .}\n' > compose.yaml
	for i in 1 2 3 4 5 6; do
		cx-init 2> "err$i" & pids[i]=$!
	done
	done=0 no=0
	for p in "${pids[@]}"; do
		st=0; wait "$p" || st=$?
		case $st in 0) done=$((done + 1)) ;; 1) no=$((no + 1)) ;; esac
	done
	[ "$done" -eq 1 ]
	[ "$no" -eq 5 ]
	cx-manifest --strict check
	[ -z "$(find . -name '.convox.yml.*')" ]
}

@test "cx-init: --check writes nothing and is 1 when something cannot be kept, 0 otherwise, also beside a convox.yml" {
	printf 'services:\n  web: {build: .}\n' > compose.yaml
	touch convox.yml
	run --separate-stderr cx-init --check
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[[ "$stderr" == *"nothing is written"* ]]
	printf 'services:\n  web: {build: ., user: me}\n' > compose.yaml
	run --separate-stderr cx-init --check
	[ "$status" -eq 1 ]
	[ ! -s convox.yml ]
}

@test "cx-init: -o - prints the manifest alone on standard output; -o FILE writes that file" {
	printf 'services:\n  web: {build: ., ports: [3000]}\n' > compose.yaml
	run --separate-stderr cx-init -o -
	[ "$status" -eq 0 ]
	[ "$(cx-manifest --strict get services.web.port.port - <<< "$output")" = 3000 ]
	[ ! -e convox.yml ]
	run --separate-stderr cx-init -o other.yml
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(cx-manifest --strict get services.web.port.port other.yml)" = 3000 ]
	run --separate-stderr cx-init -o nowhere/convox.yml
	[ "$status" -ne 0 ]
}

@test "cx-init: --json prints the report as one object, with text and places, and nothing on standard error" {
	printf 'services:\n  web: {build: ., user: me}\n' > compose.yaml
	run --separate-stderr cx-init --json
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
	jq -e '.v == 1 and .from == "compose.yaml" and .written == "convox.yml" and .count == {"kept":1,"changed":0,"dropped":1}
		and .report[1].verdict == "dropped" and .report[1].file == "compose.yaml" and .report[1].line == 2
		and .report[1].column == 19 and (.report[1].hint | length > 0)' <<< "$output"
	diff <(jq -j .text <<< "$output") convox.yml
}

@test "cx-init: a full standard output does not look like success" {
	printf 'services:\n  web: {build: .}\n' > compose.yaml
	run --separate-stderr sh -c 'cx-init -o - > /dev/full'
	[ "$status" -eq 111 ]
}

@test "cx-init: a FIFO, a folder or a device is not read as a file, and not waited for" {
	mkfifo compose.yaml pipe.env
	run --separate-stderr timeout 5 cx-init
	[ "$status" -eq 100 ]
	[[ "$stderr" == *"not a regular file"* ]]
	mkdir dir.yml
	run --separate-stderr cx-init --from dir.yml
	[ "$status" -eq 100 ]
	rm compose.yaml
	printf 'services:\n  web: {build: ., env_file: [pipe.env]}\n' > compose.yaml
	run --separate-stderr timeout 5 cx-init --check
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"pipe.env cannot be read"* ]]
}

@test "cx-init: a link that leads out of the app's folder is not followed" {
	mkdir app
	echo 'LEAK=secret' > outside.env
	ln -s ../outside.env app/in.env
	printf 'services:\n  web: {build: ., env_file: in.env}\n' > app/compose.yaml
	cd app
	run --separate-stderr cx-init
	[ "$status" -eq 0 ]
	if grep -q LEAK convox.yml; then false; fi
	[[ "$stderr" == *"in.env"* ]]
}

@test "cx-init: no value that looks like a secret is written, neither in the manifest nor in the report" {
	printf 'services:\n  web:\n    build: .\n    environment: {DB_PASSWORD: hunter2hunter2, URL: "x://u:pw12345@h/"}\n' > compose.yaml
	run --separate-stderr cx-init --json
	[ "$status" -eq 0 ]
	[[ "$output" != *hunter2* && "$output" != *pw12345* ]]
	[[ "$output" == *DB_PASSWORD* ]]
}

@test "cx-init: an alias bomb, and extends that multiply, end in a bounded time and say so" {
	{
		echo 'a: &a {x: 1}'
		prev=a
		for l in b c d e f g h i; do
			echo "$l: &$l [*$prev, *$prev, *$prev, *$prev, *$prev, *$prev, *$prev, *$prev, *$prev, *$prev]"
			prev=$l
		done
		printf 'services:\n  web:\n    build: .\n    environment: *i\n    volumes: *i\n    ports: *i\n'
	} > compose.yaml
	run --separate-stderr timeout 10 cx-init --check
	[ "$status" -le 1 ]
	{
		echo services:
		echo '  s0: {build: ., environment: {A: 1}}'
		for i in $(seq 1 40); do echo "  s$i: {extends: s$((i - 1)), environment: {V$i: x}}"; done
	} > compose.yaml
	run --separate-stderr timeout 10 cx-init --check
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"too deep"* ]]
}

@test "cx-init: a large file is refused (100)" {
	{ echo 'services: {web: {build: .}}'; head -c 11000000 /dev/zero | tr '\0' '#'; } > compose.yaml
	run --separate-stderr cx-init
	[ "$status" -eq 100 ]
}

@test "cx-init: cx init is found by cx, and wrong usage is 100" {
	run --separate-stderr cx init --help
	[ "$status" -eq 0 ]
	[[ "$output" == "usage: cx-init "* ]]
	run --separate-stderr cx-init extra
	[ "$status" -eq 100 ]
	run --separate-stderr cx-init --from
	[ "$status" -eq 100 ]
}
