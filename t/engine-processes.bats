# cx ps, stop, logs, run and exec against a real engine, with a spool made by hand: no daemon of the rack runs.
load helpers

api() {
	curl -sS --max-time 30 --unix-socket "${CX_ENGINE#unix://}" -X "$1" "http://engine/v1.41$2" "${@:3}"
}

setup_file() {
	: "${CX_ENGINE:?names the engine}"
	export RACK=p$$ SUBNET=10.184.${TEST_SUBNET:-44}
	export IMAGE=cx-test-$RACK
	local root=$BATS_FILE_TMPDIR/root
	mkdir -p "$root/bin" "$root/tmp"
	cp /bin/busybox "$root/bin/"
	for a in sh cat echo sleep env false true grep kill stty wc yes head id seq date printf tr ls; do ln -sf busybox "$root/bin/$a"; done
	echo plain > "$root/tmp/plain"
	tar -C "$root" -c . | api POST "/images/create?fromSrc=-&repo=$IMAGE&changes=ENV%20PATH%3D/bin" \
		-H 'Content-Type: application/x-tar' --data-binary @- > /dev/null
	api POST /networks/create -H 'Content-Type: application/json' -d '{"Name":"cx-'"$RACK"'","CheckDuplicate":true,
		"IPAM":{"Config":[{"Subnet":"'"$SUBNET"'.0/24","Gateway":"'"$SUBNET"'.1"}]}}' > /dev/null
}

teardown_file() {
	remove_containers
	api DELETE "/networks/cx-$RACK" > /dev/null
	api DELETE "/images/$IMAGE?force=1" > /dev/null
}

containers() {
	api GET "/containers/json?all=1&filters=%7B%22label%22%3A%5B%22convox.rack%3D$RACK%22%5D%7D" | jq -r "${1:-.[].Id}"
}

remove_containers() {
	for c in $(containers); do api DELETE "/containers/$c?force=1&v=1" > /dev/null; done
}

setup() {
	export CX_APP=demo CX_SPOOL=$BATS_TEST_TMPDIR/spool
	local app=$CX_SPOOL/apps/demo
	mkdir -p "$app/builds/BAAAAAAAAAA" "$app/releases/RAAAAAAAAAA" "$CX_SPOOL/ca" "$CX_SPOOL/routes"
	echo pem > "$CX_SPOOL/ca/bundle.pem"
	cat > "$CX_SPOOL/rack.json" <<-END
	{"v":1,"name":"$RACK","domain":"convox","address":"127.84.44.1","network":"cx-$RACK","subnet":"$SUBNET.0/24","gateway":"$SUBNET.1",
	"ports":{"https":443,"http":80,"dns":53},"uid":65534,"gid":65534,"engine":"$CX_ENGINE","resolvers":[],"keep":5,"created":"2026-01-01T00:00:00.000Z"}
	END
	cat > "$app/app.json" <<-END
	{"v":1,"name":"demo","created":"2026-01-01T00:00:00.000Z","status":"running","release":"RAAAAAAAAAA","attempt":null,"scale":{}}
	END
	cat > "$app/state.json" <<-END
	{"v":1,"app":"demo","active":"RAAAAAAAAAA","promoting":null,"attempt":null,"result":"active","services":[],"resources":[]}
	END
	cat > "$app/builds/BAAAAAAAAAA/build.json" <<-END
	{"v":1,"id":"BAAAAAAAAAA","app":"demo","status":"complete","created":"2026-01-01T00:00:00.000Z","manifest":"x","images":{"web":"$IMAGE"}}
	END
	local manifest='services:\n  web:\n    build: .\n    environment:\n      - GREETING=none\n    scale:\n      memory: 32\n'
	cat > "$app/releases/RAAAAAAAAAA/release.json" <<-END
	{"v":1,"id":"RAAAAAAAAAA","app":"demo","parent":null,"build":"BAAAAAAAAAA","manifest":"$manifest","created":"2026-01-01T00:00:00.000Z","status":"active"}
	END
}

teardown() {
	[ -z "${FOLLOWER-}" ] || kill "$FOLLOWER" 2> /dev/null || true
	remove_containers
}

# service NAME COMMAND...: starts a container as cx-converge would, prints its ID.
service() {
	local id cmd name=$1
	shift
	cmd=$(printf '%s\n' "$@" | jq -R . | jq -sc .)
	id=$(api POST "/containers/create?name=$RACK.demo.service.$name.RAAAAAAAAAA.$RANDOM" -H 'Content-Type: application/json' -d '{"Image":"'"$IMAGE"'",
		"Cmd":'"$cmd"',"Labels":{"convox.rack":"'"$RACK"'","convox.app":"demo","convox.release":"RAAAAAAAAAA","convox.type":"service","convox.service":"'"$name"'","convox.index":"1"},
		"HostConfig":{"NetworkMode":"cx-'"$RACK"'"}}' | jq -r .Id)
	api POST "/containers/$id/start" >&2
	echo "${id:0:12}"
}

# in_terminal COMMAND...: runs it on a terminal of 40 columns and 12 rows; keys come from $KEYS.
in_terminal() {
	python3 - "$@" <<-'END'
	import fcntl, os, pty, struct, sys, termios, time
	pid, fd = pty.fork()
	if pid == 0:
	    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 40, 0, 0))
	    os.execvp(sys.argv[1], sys.argv[1:])
	out, keys = b"", os.environ.get("KEYS", "").encode()
	while True:
	    try:
	        b = os.read(fd, 4096)
	    except OSError:
	        break
	    if not b:
	        break
	    out += b
	    if keys and b"ready" in out:
	        if os.environ.get("RESIZE"):
	            fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
	        os.write(fd, keys)
	        keys = b""
	_, st = os.waitpid(pid, 0)
	sys.stdout.buffer.write(out)
	sys.exit(os.waitstatus_to_exitcode(st))
	END
}

@test "cx-ps: shows each process with service, release, status and command" {
	id=$(service web sh -c 'sleep 100')
	run --separate-stderr cx-ps
	dump
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" =~ ^ID\ +SERVICE\ +RELEASE\ +STATUS\ +STARTED\ +COMMAND$ ]]
	[[ "${lines[1]}" =~ ^$id\ +web\ +RAAAAAAAAAA\ +running\ .*sh\ -c\ \'sleep\ 100\'$ ]]
	cx-ps --json | valid processes
	cx-ps info web --json | valid process
	cx-ps --json | jq -e --arg id "$id" '.v == 1 and (.processes | length) == 1 and .processes[0].id == $id and .processes[0].status == "running"'
}

@test "cx-ps info: tells why a process ended" {
	id=$(service web sh -c 'exit 7')
	wait_until 10 eval "cx-ps info $id --json | jq -e '.process.status == \"crashed\"'"
	run --separate-stderr cx-ps info "${id:0:6}"
	dump
	[[ "$output" == *"Exit      7"* && "$output" == *"Status    crashed"* ]]
	run --separate-stderr cx-ps info ffffffffffff
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"cx ps -a demo"* ]]
}

@test "cx-run: stdout, stderr and the exit status are the command's own" {
	run --separate-stderr cx-run web sh -c 'echo out; echo err >&2; exit 42' < /dev/null
	dump
	[ "$status" -eq 42 ]
	[ "$output" = out ]
	[ "$stderr" = err ]
	[ -z "$(containers)" ]
}

@test "cx-run: arguments are passed as given, dashes too; one with blanks goes to a shell" {
	run --separate-stderr cx-run web echo -a '$HOME' 'a  b' --json -- x < /dev/null
	dump
	[ "$output" = "-a \$HOME a  b --json -- x" ]
	run --separate-stderr cx-run web 'echo one; echo $GREETING' < /dev/null
	[ "${lines[1]}" = none ]
}

@test "cx-run: the environment is the service's whitelist and the rack's, the memory limit and CA are the service's" {
	run --separate-stderr cx-run web sh -c 'env; cat /etc/cx/ca-bundle.pem' < /dev/null
	dump
	for v in APP=demo RELEASE=RAAAAAAAAAA RACK_URL=https://rack.convox GREETING=none SSL_CERT_FILE=/etc/cx/ca-bundle.pem pem; do
		grep -qx "$v" <<< "$output"
	done
}

@test "cx-run: sees what the release sealed, but only what its service names; -r chooses the release" {
	dir=$CX_SPOOL/apps/demo/releases
	cp -r "$dir/RAAAAAAAAAA" "$dir/RBBBBBBBBBB"
	sed -i s/RAAAAAAAAAA/RBBBBBBBBBB/ "$dir/RBBBBBBBBBB/release.json"
	cx-seal init
	cx-seal seal demo/RBBBBBBBBBB <<< '{"GREETING":"sealed","SECRET":"s3"}' > "$dir/RBBBBBBBBBB/env"
	[ "$(cx-run web 'echo $GREETING $SECRET $RELEASE' < /dev/null)" = "none RAAAAAAAAAA" ]
	[ "$(cx-run -r RBBBBBBBBBB web 'echo $GREETING $SECRET $RELEASE' < /dev/null)" = "sealed RBBBBBBBBBB" ]
}

@test "cx-run: more memory than scale.memory ends it, with the reason" {
	run --separate-stderr cx-run web 'a=$(yes | head -c 200000000); echo done' < /dev/null
	dump
	[ "$status" -ne 0 ]
	[[ "$output" != *done* && "$stderr" == *"out of memory"* ]]
}

@test "cx-run: stdin is passed to its end, 4 MB both ways, byte for byte" {
	head -c 4000000 /dev/urandom > "$BATS_TEST_TMPDIR/in"
	cx-run web cat < "$BATS_TEST_TMPDIR/in" > "$BATS_TEST_TMPDIR/out"
	cmp "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
	[ "$(printf 'a\nb\n' | cx-run web wc -l)" -eq 2 ]
}

@test "cx-run: a command that is not there is 127, one that cannot be run 126, an unknown service 125" {
	run -127 --separate-stderr cx-run web no-such-command < /dev/null
	dump
	run --separate-stderr cx-run web /tmp/plain < /dev/null
	[ "$status" -eq 126 ]
	run --separate-stderr cx-run nope true < /dev/null
	[ "$status" -eq 125 ]
	[[ "$stderr" == *"it has: web"* ]]
	run --separate-stderr cx-run -r RZZZZZZZZZZ web true < /dev/null
	[ "$status" -eq 125 ]
	[ -z "$(containers)" ]
}

@test "cx-run: SIGTERM is passed on, and the container is removed" {
	cx-run web sh -c 'trap "exit 9" TERM; echo ready; sleep 100 & wait' < /dev/null > "$BATS_TEST_TMPDIR/out" 3>&- &
	pid=$!
	wait_until 10 grep -q ready "$BATS_TEST_TMPDIR/out"
	kill -TERM "$pid"
	st=0
	wait "$pid" || st=$?
	[ "$st" -eq 9 ]
	[ -z "$(containers)" ]
}

@test "cx-run: a second signal kills a command that ignores the first; the status is 128 and the signal" {
	cx-run web sh -c 'trap "" TERM; echo ready; while :; do sleep 1; done' < /dev/null > "$BATS_TEST_TMPDIR/out" 3>&- &
	pid=$!
	wait_until 10 grep -q ready "$BATS_TEST_TMPDIR/out"
	kill -TERM "$pid"
	kill -INT "$pid"
	wait_until 10 eval "kill -INT $pid; [ -z \"\$(containers)\" ]"
	st=0
	wait "$pid" || st=$?
	[ "$st" -eq 143 ] || [ "$st" -eq 130 ]
}

@test "cx-run: on a terminal the command has one, of the same size, and follows its changes" {
	export KEYS=$'\n' RESIZE=1
	run in_terminal cx-run web sh -c 'trap "stty size; exit 5" WINCH; echo ready; while :; do sleep 0.1; done'
	echo "$output" >&2
	[ "$status" -eq 5 ]
	[[ "$output" == *"33 99"* ]]
	[ -z "$(containers)" ]
}

@test "cx-run: on a terminal Ctrl-C reaches the command" {
	export KEYS=$'\x03'
	run in_terminal cx-run web sh -c 'trap "echo caught; exit 6" INT; echo ready; while :; do sleep 0.1; done'
	echo "$output" >&2
	[ "$status" -eq 6 ]
	[[ "$output" == *caught* ]]
}

@test "cx-run --detach: prints the ID, the process is in cx ps, and removed at its end" {
	run --separate-stderr cx-run --detach web sleep 100
	dump
	[ "$status" -eq 0 ]
	[[ "$output" =~ ^[0-9a-f]{12}$ ]]
	cx-ps --json | jq -e --arg id "$output" '.processes[] | select(.id == $id and .type == "process" and .status == "running")'
	api POST "/containers/$output/kill" > /dev/null
	wait_until 10 eval '[ -z "$(containers)" ]'
	cx-run --json --detach web true | valid started
}

@test "cx-run: a reader that goes away ends the command" {
	run bash -c 'cx-run web yes < /dev/null | head -n 1; exit ${PIPESTATUS[0]}'
	[ "$status" -eq 141 ]
	[ "$output" = y ]
	[ -z "$(containers)" ]
}

@test "cx-exec: runs in a process of the service with pipes apart and passes the status" {
	service web sh -c 'echo mark > /tmp/mark; sleep 100' > /dev/null
	wait_until 10 cx-exec web ls /tmp/mark
	run --separate-stderr cx-exec web sh -c 'cat /tmp/mark; cat; echo err >&2; exit 3' <<< "stdin"
	dump
	[ "$status" -eq 3 ]
	[ "$output" = $'mark\nstdin' ]
	[ "$stderr" = err ]
}

@test "cx-exec: 127 and 126 as docker has them, 125 for a process that is not there" {
	id=$(service web sleep 100)
	run -127 --separate-stderr cx-exec "$id" no-such-command < /dev/null
	dump
	[ -z "$output" ]
	run --separate-stderr cx-exec "$id" /tmp/plain < /dev/null
	[ "$status" -eq 126 ]
	run --separate-stderr cx-exec nope true < /dev/null
	[ "$status" -eq 125 ]
	[[ "$stderr" == *"cx ps -a demo"* ]]
}

@test "cx-exec: a signal reaches the command, and no process is left behind" {
	id=$(service web sleep 100)
	cx-exec "$id" sh -c 'trap "exit 8" TERM; echo ready; while :; do sleep 0.1; done' < /dev/null > "$BATS_TEST_TMPDIR/out" 3>&- &
	pid=$!
	wait_until 10 grep -q ready "$BATS_TEST_TMPDIR/out"
	kill -TERM "$pid"
	st=0
	wait "$pid" || st=$?
	[ "$st" -eq 8 ]
}

@test "cx-exec: on a terminal the command has one" {
	id=$(service web sleep 100)
	export KEYS=$'x\n'
	run in_terminal cx-exec "$id" sh -c 'until stty size | grep "12 40"; do sleep 0.1; done; echo ready; read a; echo "got $a"; exit 4'
	echo "$output" >&2
	[ "$status" -eq 4 ]
	[[ "$output" == *"got x"* ]]
}

@test "cx-stop: asks converge through the spool, and waits until it is done" {
	id=$(service web sleep 100)
	cx-stop --json web > "$BATS_TEST_TMPDIR/out" 3>&- &
	pid=$!
	request=$CX_SPOOL/apps/demo/requests/stop-$id.json
	wait_until 10 [ -e "$request" ]
	jq -e --arg id "$id" '.v == 1 and .op == "stop" and (.process | startswith($id))' "$request"
	kill -0 "$pid"
	rm "$request"
	wait "$pid"
	valid stopped < "$BATS_TEST_TMPDIR/out"
	jq -e --arg id "$id" '.stopped[0].id == $id and .stopped[0].service == "web"' "$BATS_TEST_TMPDIR/out"
}

@test "cx-logs: lines of all processes in the order of their time, stderr too, with service and ID" {
	a=$(service web sh -c 'echo a1; sleep 0.3; echo a2 >&2; sleep 100')
	wait_until 10 eval "cx-logs | grep -q a1"
	b=$(service api sh -c 'echo b1; sleep 100')
	wait_until 10 eval "cx-logs | grep -q b1 && cx-logs | grep -q a2"
	run --separate-stderr cx-logs
	dump
	[ "$status" -eq 0 ]
	[ "$output" = "$(sort <<< "$output")" ]
	grep -Eq "^[0-9T:.-]+Z web/$a a2$" <<< "$output"
	run --separate-stderr cx-logs --service api
	[[ "${lines[0]}" == *" api/$b b1" && ${#lines[@]} -eq 1 ]]
	cx-logs --json | valid log
	cx-logs --json --filter a2 | jq -e '.stream == "stderr" and .text == "a2" and (.time | test("\\.[0-9]{9}Z$"))'
}

@test "cx-logs --tail and --since: the last lines of the whole, or those after a time" {
	service web seq 1 300 > /dev/null
	wait_until 10 eval "cx-logs | grep -q ' 300$'"
	[ "$(cx-logs | wc -l)" -eq 100 ]
	[ "$(cx-logs --tail 3 | cut -d' ' -f3 | tr '\n' ' ')" = "298 299 300 " ]
	[ "$(cx-logs --since 10m | wc -l)" -eq 300 ]
	[ "$(cx-logs --since 10m --tail 7 | wc -l)" -eq 7 ]
	[ "$(cx-logs --since "$(date -u -d '+1 hour' +%FT%TZ)" | wc -l)" -eq 0 ]
	run --separate-stderr cx-logs --since yesterday
	[ "$status" -eq 100 ]
}

@test "cx-logs: a line of 100 kB is one line, bytes that are no UTF-8 do not break it" {
	service web sh -c 'head -c 100000 /dev/zero | tr "\0" x; echo; printf "a\377b\n"' > /dev/null
	wait_until 10 eval "cx-logs --json | grep -q 'a.*b'"
	run --separate-stderr cx-logs --json
	[ "$(jq -r .text <<< "${lines[0]}" | wc -c)" -eq 100001 ]
	[ "$(jq -r .text <<< "${lines[1]}")" = $'a\xef\xbf\xbdb' ]
}

follow() {
	cx-logs -f --tail 1000 > "$BATS_TEST_TMPDIR/log" 2> "$BATS_TEST_TMPDIR/err" 3>&- &
	FOLLOWER=$!
}

@test "cx-logs -f: what was printed in a burst before is shown once" {
	id=$(service web seq 1 30000)
	api POST "/containers/$id/wait" > /dev/null
	cx-logs -f --since 1h > "$BATS_TEST_TMPDIR/log" 3>&- &
	FOLLOWER=$!
	wait_until 10 grep -q ' 30000$' "$BATS_TEST_TMPDIR/log"
	service api echo later > /dev/null
	wait_until 10 grep -q later "$BATS_TEST_TMPDIR/log"
	[ "$(wc -l < "$BATS_TEST_TMPDIR/log")" -eq 30001 ]
}

@test "cx-logs -f: a process that starts later joins in" {
	service web sh -c 'echo first; sleep 100' > /dev/null
	follow
	wait_until 10 grep -q first "$BATS_TEST_TMPDIR/log"
	service api sh -c 'echo second; sleep 100' > /dev/null
	wait_until 10 grep -q second "$BATS_TEST_TMPDIR/log"
	[ "$(grep -c . "$BATS_TEST_TMPDIR/log")" -eq 2 ]
}

@test "cx-logs -f: ends when its reader does, also when nothing is printed" {
	service web sh -c 'echo first; sleep 100' > /dev/null
	follow
	wait_until 10 grep -q first "$BATS_TEST_TMPDIR/log"
	provider=$(cat /proc/$FOLLOWER/task/$FOLLOWER/children)
	readers=$(cat /proc/${provider% }/task/${provider% }/children)
	[ "$(wc -w <<< "$readers")" -eq 2 ]
	kill "$FOLLOWER"
	for p in $provider $readers; do wait_until 5 eval "! kill -0 $p"; done
}

@test "cx-logs -f: over restarts of a process nothing is lost and nothing repeated" {
	id=$(service web sh -c 'seq 1 200; exit 1')
	follow
	for n in 2 3 4; do
		wait_until 10 eval "cx-ps info $id --json | jq -e '.process.status == \"crashed\"'"
		api POST "/containers/$id/start"
		wait_until 10 eval "[ \$(grep -c ' 200\$' $BATS_TEST_TMPDIR/log) -eq $n ]"
	done
	[ "$(wc -l < "$BATS_TEST_TMPDIR/log")" -eq 800 ]
	[ "$(cut -d' ' -f3 "$BATS_TEST_TMPDIR/log")" = "$(for _ in 1 2 3 4; do seq 1 200; done)" ]
}

@test "cx-logs -f: a connection that breaks is made again from where it was" {
	service web sh -c 'i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo $i; sleep 0.01; done; sleep 100' > /dev/null
	follow
	for n in 50 120 200; do
		wait_until 15 grep -q " $n\$" "$BATS_TEST_TMPDIR/log"
		# Each reader of the follower is a child with one connection.
		readers=$(cat /proc/$FOLLOWER/task/$FOLLOWER/children)
		for p in $readers; do kill -9 $(cat /proc/$p/task/$p/children) 2> /dev/null || true; done
	done
	wait_until 20 grep -q ' 400$' "$BATS_TEST_TMPDIR/log"
	[ "$(cut -d' ' -f3 "$BATS_TEST_TMPDIR/log")" = "$(seq 1 400)" ]
}
