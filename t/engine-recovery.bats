load helpers

setup_file() {
	rack_up 22
	busybox_app "$BATS_FILE_TMPDIR/app" one
	cd "$BATS_FILE_TMPDIR/app" || return 1
	cx -a app deploy --create > /dev/null
}

teardown_file() {
	rack_down
}

setup() {
	export CX_APP=app
	HOST=web.app.t$N.test
	cd "$BATS_FILE_TMPDIR/app"
}

pid_of() {
	jq -r --arg n "$1" '.daemons[] | select(.name == $n).pid' "$CX_SPOOL/run/supervise.json"
}

is_up() {
	[ "$(jq -r --arg n "$1" '.daemons[] | select(.name == $n).state' "$CX_SPOOL/run/supervise.json")" = up ]
}

changed() {
	local now
	now=$(pid_of "$1")
	[ "$now" != "$2" ] && [ "$now" != null ] && is_up "$1"
}

@test "kill -9 of each daemon: it is back by itself, and the app answers" {
	for d in cx-converge cx-router cx-dns; do
		old=$(pid_of $d)
		kill -9 "$old"
		wait_until 20 changed $d "$old"
		wait_until 20 get "$HOST" --fail -o /dev/null
	done
	cx deploy > /dev/null
	[ "$(get "$HOST")" = one ]
}

@test "kill -9 of cx deploy at any time: what is recorded goes on, and the next deploy works" {
	for delay in 0.05 0.2 0.5 1 1.5 2.5; do
		echo "v$delay" > www/index.html
		setsid cx deploy > /dev/null 2>&1 3>&- &
		pid=$!
		sleep "$delay" # the moment of the kill is the input of this test
		kill -9 -- "-$pid" 2> /dev/null || true
		wait "$pid" 2> /dev/null || true
		[ "$(get "$HOST" -o /dev/null -w '%{http_code}')" = 200 ]
	done
	echo final > www/index.html
	run --separate-stderr cx deploy
	dump
	[ "$status" -eq 0 ]
	[ "$(get "$HOST")" = final ]
	[ "$(cx ps --json | jq '.processes | length')" -eq 1 ]
}

@test "kill -9 of cx-converge in the middle of a rollout: the deploy still ends, and rightly" {
	echo midway > www/index.html
	cx deploy > out.json 2> err.txt 3>&- &
	pid=$!
	wait_until 20 sh -c 'jq -e "select(.promoting != null)" "$CX_SPOOL/apps/app/state.json"'
	kill -9 "$(pid_of cx-converge)"
	wait "$pid" || { cat err.txt >&2; false; }
	[ "$(get "$HOST")" = midway ]
	rm -f out.json err.txt
}

@test "the rack stopped and started: everything comes back" {
	cx rack stop >&2
	run get "$HOST"
	[ "$status" -ne 0 ]
	cx rack start >&2
	wait_until 20 get "$HOST" --fail -o /dev/null
}

@test "the supervisor killed: its daemons end or are taken over, and cx rack start brings the rack back" {
	kill -9 "$(jq -r .pid "$CX_SPOOL/run/supervise.json")"
	cx rack start >&2
	wait_until 20 get "$HOST" --fail -o /dev/null
	run --separate-stderr cx rack status
	[ "$status" -eq 0 ]
}

# engine_again SIGNAL: ends the tests' engine and starts it as it was.
engine_again() {
	local dir pid args
	dir=$(dirname "${CX_ENGINE#unix://}")
	pid=$(cat "$dir/pid")
	mapfile -d '' -t args < "/proc/$pid/cmdline"
	kill "-$1" "$pid"
	wait_until 30 gone_pid "$pid"
	setsid "${args[@]}" >> "$dir/log" 2>&1 < /dev/null 3>&- &
	wait_until 60 curl -sf --unix-socket "${CX_ENGINE#unix://}" http://engine/_ping
}

@test "the engine stopped or killed, and started again: every container, network and route comes back by itself" {
	for signal in TERM KILL; do
		engine_again $signal
		wait_until 40 get "$HOST" --fail -o /dev/null
		run --separate-stderr cx rack status
		[ "$status" -eq 0 ]
		wait_until 20 sh -c '[ "$(cx ps --json | jq "[.processes[] | select(.status == \"running\")] | length")" = 1 ]'
	done
	echo after > www/index.html
	cx deploy > /dev/null
	[ "$(get "$HOST")" = after ]
}
