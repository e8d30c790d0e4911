load helpers

setup() {
	make_spool
	export CX_EXEC_PATH=$BATS_TEST_TMPDIR/path
	mkdir "$CX_EXEC_PATH"
	steady cx-one
	steady cx-two
	STATUS=$CX_SPOOL/run/supervise.json
}

teardown() {
	local p
	p=$(jq -r '.pid, .daemons[].pid // empty' "$STATUS" 2>/dev/null) || true
	for p in $p; do
		! tr '\0' '\n' < "/proc/$p/environ" 2>/dev/null | grep -qxF "CX_SPOOL=$CX_SPOOL" || kill -9 "$p" || true
	done
}

# program NAME: a daemon of bash, its body on stdin.
program() {
	{ echo '#!/bin/bash'; cat; } > "$CX_EXEC_PATH/$1.new"
	chmod +x "$CX_EXEC_PATH/$1.new"
	mv "$CX_EXEC_PATH/$1.new" "$CX_EXEC_PATH/$1"
}

# steady NAME: ready at once, ends on SIGTERM and writes that down.
steady() {
	program "$1" <<-EOF
	trap 'echo $1 >> "$BATS_TEST_TMPDIR/stopped"; exit 0' TERM
	echo "hello from $1"
	echo >&3
	exec 3>&-
	read -r _ <> <(:)
	EOF
}

up() {
	cx-supervise -d --daemons cx-one,cx-two 3>&-
}

field() {
	jq -r --arg n "$1" ".daemons[] | select(.name == \$n) | .$2" "$STATUS"
}

is() {
	[ "$(field "$1" "$2")" = "$3" ]
}

gone() {
	[ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"
}

@test "cx-supervise: --help prints the usage, wrong usage is refused (100)" {
	run --separate-stderr cx-supervise --help
	[ "$status" -eq 0 ] && [[ $output == "usage: cx-supervise"* ]] || { dump; false; }
	run --separate-stderr cx-supervise surplus
	[ "$status" -eq 100 ] && [ -z "$output" ] || { dump; false; }
	run --separate-stderr cx-supervise --daemons a,,b
	[ "$status" -eq 100 ] || { dump; false; }
}

@test "cx-supervise: -d returns 0 only when every daemon is ready" {
	program cx-two <<-EOF
	until [ -e "$BATS_TEST_TMPDIR/go" ]; do read -rt 0.05 _ <> <(:); done
	touch "$BATS_TEST_TMPDIR/was-ready"
	echo >&3
	read -r _ <> <(:)
	EOF
	{ up; echo $? > "$BATS_TEST_TMPDIR/rc"; } 3>&- &
	wait_until 5 is cx-one state up
	is cx-two state starting
	[ ! -e "$BATS_TEST_TMPDIR/rc" ]
	touch "$BATS_TEST_TMPDIR/go"
	wait_until 5 test -s "$BATS_TEST_TMPDIR/rc"
	[ "$(cat "$BATS_TEST_TMPDIR/rc")" -eq 0 ] && [ -e "$BATS_TEST_TMPDIR/was-ready" ]
	is cx-two state up
}

@test "cx-supervise: a daemon that is killed starts again later each time, the other is left alone" {
	up
	local one two
	two=$(field cx-two pid)
	for i in 1 2 3; do
		one=$(field cx-one pid)
		kill -9 "$one"
		wait_until 5 is cx-one restarts "$i"
		is cx-one exit 137
		wait_until 5 is cx-one state up
		[ "$(field cx-one pid)" != "$one" ]
	done
	is cx-two pid "$two"
	is cx-two restarts 0
	# 0.2, 0.4, then 0.8 seconds.
	kill -9 "$(field cx-one pid)"
	wait_until 2 is cx-one state backoff
	run wait_until 0.8 is cx-one state up
	[ "$status" -eq 1 ]
	wait_until 5 is cx-one state up
}

@test "cx-supervise: exit 100 is a failure that is not tried again at once, and -d says why (111)" {
	program cx-two <<-'EOF'
	echo "cx-two: the port is spoken for" >&2
	exit 100
	EOF
	run --separate-stderr up
	[ "$status" -eq 111 ] && [[ $stderr == *"cx-two: the port is spoken for"* ]] || { dump; false; }
	is cx-two state failed
	is cx-two exit 100
	is cx-one state up
	run wait_until 1 is cx-two restarts 2
	[ "$status" -eq 1 ]
}

@test "cx-supervise: what a daemon prints is in its log with the time" {
	up
	wait_until 2 grep -Eq '^20[0-9-]+T[0-9:.]+Z hello from cx-one$' "$CX_SPOOL/log/one.log"
	grep -q 'hello from cx-two$' "$CX_SPOOL/log/two.log"
}

@test "cx-supervise: a second one is refused (111), the owner is named" {
	up
	run --separate-stderr up
	[ "$status" -eq 111 ] && [[ $stderr == *"cx-supervise"*"$(jq .pid "$STATUS")"* ]] || { dump; false; }
}

@test "cx-supervise: SIGTERM stops the last one first and ends it with 0" {
	cx-supervise --daemons cx-one,cx-two 3>&- &
	local super=$! rc=0
	wait_until 5 is cx-two state up
	wait_until 5 is cx-one state up
	kill "$super"
	wait "$super" || rc=$?
	[ "$rc" -eq 0 ]
	[ "$(cat "$BATS_TEST_TMPDIR/stopped")" = $'cx-two\ncx-one' ]
	is cx-one state stopped
	is cx-two pid null
}

@test "cx-supervise: SIGHUP starts each anew" {
	up
	local super one two
	super=$(jq .pid "$STATUS") one=$(field cx-one pid) two=$(field cx-two pid)
	kill -HUP "$super"
	renewed() { is cx-one state up && is cx-two state up && ! is cx-one pid "$one" && ! is cx-two pid "$two"; }
	wait_until 5 renewed
	[ "$(jq .pid "$STATUS")" = "$super" ]
	[ "$(cat "$BATS_TEST_TMPDIR/stopped")" = $'cx-one\ncx-two' ]
}

@test "cx-supervise: after it was killed, the next one ends what was left before it starts its own" {
	up
	local one two
	one=$(field cx-one pid) two=$(field cx-two pid)
	kill -9 "$(jq .pid "$STATUS")"
	kill -0 "$one"
	up
	gone "$one" && gone "$two"
	run ! is cx-one pid "$one"
	is cx-one state up
}

@test "cx-supervise: a log of 5 MB is put aside, one old one is kept" {
	head -c 5300000 /dev/zero | tr '\0' 'x' > "$CX_SPOOL/log/one.log"
	up
	wait_until 2 grep -q 'hello from cx-one' "$CX_SPOOL/log/one.log"
	[ "$(stat -c %s "$CX_SPOOL/log/one.log.1")" -eq 5300000 ]
	[ "$(stat -c %s "$CX_SPOOL/log/one.log")" -lt 1000 ]
}
