load helpers
load router

# Which process gets a request, and what becomes of one that no process can take now.

setup() {
	cd "$BATS_TEST_TMPDIR"
	ROUTES=$BATS_TEST_TMPDIR/routes
	mkdir "$ROUTES"
	STARTED=()
}

teardown() { stop_all; }

# put FILE SERVICES-JSON: publishes a route file by a rename.
put() {
	printf '{"v":1,"app":"%s","services":[%s],"resources":[]}\n' "$1" "$2" > "$ROUTES/.$1.T"
	valid routes < "$ROUTES/.$1.T" || return 1
	mv "$ROUTES/.$1.T" "$ROUTES/$1.json"
}

# svc HOST BACKENDS [KEY=JSON...]: a service of route files.
svc() {
	local host=$1 backends=$2 more="" a
	shift 2
	for a; do more+=",\"${a%%=*}\":${a#*=}"; done
	printf '{"name":"web","hosts":["%s"],"scheme":"http","state":"running","backends":[%s]%s}' "$host" "$backends" "$more"
}

to() { printf '{"address":"127.0.0.1","port":%s,"process":"p%s"%s}' "$1" "$1" "${2:+,$2}"; }

# many N [CURL OPTION...]: asks N times for the name, on one connection.
many() {
	local n=$1
	shift
	curl -sS --max-time 20 -H 'Host: web.a.convox' "$@" "http://127.0.0.1:$PLAIN/name?[1-$n]"
}

@test "cx-router: wildcard hosts and path prefixes: the longest host, then the longest path" {
	backend one
	backend two
	backend three
	put a "$(svc '*.shop.test' "$(to "$PORT_one")"),$(svc shop.test "$(to "$PORT_two")"),$(svc shop.test "$(to "$PORT_three")" 'path="/api"')"
	router
	for want in "x.shop.test / one" "x.y.shop.test / one" "shop.test / two" "shop.test /api three" "shop.test /api/x three" \
		"shop.test /api?x three" "shop.test /apix two"; do
		read -r host path name <<< "$want"
		run -0 curl -sS -o /dev/null -D - -H "Host: $host" "http://127.0.0.1:$PLAIN$path"
		[[ "$output" == *"X-Backend: $name"* ]] || { echo "$want: $output"; return 1; }
	done
}

@test "cx-router: weights are shares, and a weight of 0 gets nothing" {
	backend one
	backend two
	backend three
	put a "$(svc web.a.convox "$(to "$PORT_one" '"weight":3'),$(to "$PORT_two"),$(to "$PORT_three" '"weight":0')")"
	router
	many 40 > names
	[ "$(grep -c one names)" -eq 30 ] && [ "$(grep -c two names)" -eq 10 ]
}

@test "cx-router: least outstanding requests go past the process that is busy" {
	backend one
	backend two
	put a "$(svc web.a.convox "$(to "$PORT_one"),$(to "$PORT_two")" 'algorithm="least_outstanding_requests"')"
	router
	ask /slow/3 3>&- > /dev/null &
	slow=$!
	wait_until 5 grep -q slow one.log two.log
	busy=one
	grep -q slow one.log || busy=two
	many 10 > names
	run ! grep -q "$busy" names
	[ "$(wc -l < names)" -eq 10 ]
	kill "$slow"
}

@test "cx-router: a sticky cookie keeps a client at its process, is renewed, and is worth nothing when the process is gone" {
	backend one
	backend two
	both="$(to "$PORT_one"),$(to "$PORT_two")"
	put a "$(svc web.a.convox "$both" sticky=120)"
	router
	first=$(ask /name -c jar -D head)
	grep -qiE '^set-cookie: AWSALB=[0-9a-f]{16}; Expires=[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT; Path=/' head
	grep -qiE '^set-cookie: AWSALBCORS=[0-9a-f]{16}; .*SameSite=None; Secure' head
	many 10 -b "AWSALB=$(sed -nE 's/.*AWSALB=([0-9a-f]{16}).*/\1/p' head | head -1)" > names
	[ "$(sort -u names)" = "$first" ]
	many 10 -b 'x=1; AWSALB=0000000000000000' | sort -u | tr '\n' ' ' | grep -q 'one two'
	many 10 -b 'AWSALB=../../etc/passwd' | sort -u | tr '\n' ' ' | grep -q 'one two'
	[ "$(ask /name -D - -b "AWSALB=nonsense" -o /dev/null | grep -ci '^set-cookie: AWSALB=')" -eq 1 ]
	# Its process leaves: another one, and a new cookie.
	left=two
	port=$PORT_two
	[ "$first" = one ] || { left=one; port=$PORT_one; }
	put a "$(svc web.a.convox "$(to "$port")" sticky=120)"
	wait_until 5 sh -c "curl -sS -H 'Host: web.a.convox' -b '$(grep -oi 'AWSALB=[0-9a-f]*' head | head -1)' http://127.0.0.1:$PLAIN/name | grep -q $left"
}

@test "cx-router: a process that is marked as draining gets no new request, and the one under way ends well" {
	backend one
	backend two
	put a "$(svc web.a.convox "$(to "$PORT_one")")"
	router
	ask /slow/1 > slow.out 3>&- &
	slow=$!
	wait_until 5 grep -q slow one.log
	put a "$(svc web.a.convox "$(to "$PORT_one" '"draining":true'),$(to "$PORT_two")")"
	wait_until 5 says /name two
	many 8 > names
	[ "$(sort -u names)" = two ]
	wait "$slow"
	[ "$(cat slow.out)" = late ]
}

@test "cx-router: when the time of a drain is over, what is under way ends: 502 before the answer, cut within it" {
	backend one
	backend two
	put a "$(svc web.a.convox "$(to "$PORT_one")" drain=1)"
	router
	curl -sS -m 20 -H 'Host: web.a.convox' -w '%{http_code}' "http://127.0.0.1:$PLAIN/slow/15" > slow.out 3>&- &
	slow=$!
	curl -sSN -m 20 -H 'Host: web.a.convox' "http://127.0.0.1:$PLAIN/events" > events.out 2> events.err 3>&- &
	events=$!
	wait_until 5 grep -q slow one.log
	wait_until 5 grep -q data events.out
	put a "$(svc web.a.convox "$(to "$PORT_two")" drain=1)"
	wait "$slow"
	grep -q 'taken out of service.*' slow.out
	[[ "$(cat slow.out)" == *502 ]]
	run ! wait "$events"
}

@test "cx-router: a process that closes without a byte costs a GET nothing, but is not tried with it all over" {
	backend one
	# Processes that close each connection as soon as it sent something.
	for i in 1 2 3; do
		port=$(free_port)
		python3 -c '
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(50)
n = 0
while True:
    c, _ = s.accept()
    if c.recv(65536):
        n += 1
        open(sys.argv[2], "a").write("x")
    c.close()' "$port" "closes.$i" 3>&- &
		STARTED+=($!)
		wait_until 5 listens 127.0.0.1 "$port"
		eval "C$i=$port"
	done
	put a "$(svc web.a.convox "$(to "$C1"),$(to "$PORT_one")")"
	router
	for _ in 1 2 3 4; do [ "$(ask /name)" = one ]; done
	put a "$(svc web.a.convox "$(to "$C1"),$(to "$C2"),$(to "$C3")")"
	wait_until 5 says /name 502
	rm -f closes.*
	[ "$(code /name)" = 502 ]
	[ "$(cat closes.* | wc -c)" -le 2 ]
	rm -f closes.*
	[ "$(code /echo -d x)" = 502 ]
	[ "$(cat closes.* | wc -c)" -eq 1 ]
}

@test "cx-router: a paused service lets requests wait, and answers them all when it goes on" {
	backend one
	put a "$(svc web.a.convox "$(to "$PORT_one")" paused=true hold=20)"
	router
	for i in 1 2 3; do ask /name > "wait.$i" 3>&- & waits+=($!); done
	ask /echo -d body > wait.4 3>&- &
	waits+=($!)
	sleep 0.3
	[ ! -s one.log ] || run ! grep -q '"line"' one.log
	put a "$(svc web.a.convox "$(to "$PORT_one")")"
	wait "${waits[@]}"
	[ "$(cat wait.1 wait.2 wait.3 | sort | uniq -c | xargs)" = "3 one" ]
	[ "$(cat wait.4)" = body ]
	put a "$(svc web.a.convox "$(to "$PORT_one")" paused=true hold=1)"
	wait_until 10 says /name 'it is paused'
	[ "$(code /name)" = 503 ]
}

@test "cx-router: with hold a process that restarts costs no request: refused ones wait until it listens" {
	backend one
	put a "$(svc web.a.convox "$(to "$PORT_one")" hold=20)"
	router
	[ "$(ask /name)" = one ]
	kill "$PID_one"
	wait "$PID_one" || true
	wait_until 5 silent 127.0.0.1 "$PORT_one"
	ask /name > out 3>&- &
	waits=$!
	sleep 0.3
	python3 "$ROOT/t/fixtures/cx-router/backend.py" "$PORT_one" again "$BATS_TEST_TMPDIR/again.log" 3>&- &
	STARTED+=($!)
	wait "$waits"
	[ "$(cat out)" = again ]
	# And one that has no process at all, until it has.
	put b "$(svc web.b.convox "" hold=20 | sed 's/running/starting/')"
	wait_until 5 sh -c "curl -sS -m 1 -H 'Host: web.b.convox' http://127.0.0.1:$PLAIN/name; [ \$? -eq 28 ]"
	curl -sS -m 20 -H 'Host: web.b.convox' "http://127.0.0.1:$PLAIN/name" > out 3>&- &
	waits=$!
	put b "$(svc web.b.convox "$(to "$PORT_one")")"
	wait "$waits"
	[ "$(cat out)" = again ]
}

@test "cx-router: maintenance is a page with its text, for machines as well, while the others are served" {
	backend one
	put a "$(svc web.a.convox "$(to "$PORT_one")" 'maintenance="Back at <five>."')"
	put b "$(svc web.b.convox "$(to "$PORT_one")")"
	router
	run -0 ask /name -H 'Accept: text/html' -w '%{http_code}'
	[[ "$output" == *"Back at &lt;five&gt;."*503 ]]
	run -0 ask /name -H 'Accept: application/json'
	jq -e '.status == 503 and .app == "a" and .service == "web"' <<< "$output"
	[ "$(curl -sS -H 'Host: web.b.convox' "http://127.0.0.1:$PLAIN/name")" = one ]
	run ! grep -q 'web.a.convox' one.log
}

@test "cx-router: health checks take a process out and bring it back; when all are unhealthy all get requests" {
	backend one
	backend two
	put a "$(svc web.a.convox "$(to "$PORT_one"),$(to "$PORT_two")" 'health={"path":"/status/200","interval":1,"timeout":1,"healthy":1,"unhealthy":1}')"
	router
	wait_until 5 sh -c "grep -c 'is healthy' router.err | grep -q 2"
	many 6 | sort -u | tr '\n' ' ' | grep -q 'one two'
	kill -STOP "$PID_two"
	wait_until 8 grep -q "$PORT_two.*unhealthy: no answer in time" router.err
	many 6 > names
	[ "$(sort -u names)" = one ]
	kill -CONT "$PID_two"
	wait_until 8 sh -c "grep -c '$PORT_two.* is healthy' router.err | grep -q 2"
	many 6 | sort -u | tr '\n' ' ' | grep -q 'one two'
	# A new one gets nothing before its first check; a path that answers 500 is unhealthy: fail open.
	put a "$(svc web.a.convox "$(to "$PORT_one"),$(to "$PORT_two")" 'health={"path":"/status/500","interval":1,"timeout":1,"healthy":1,"unhealthy":1}')"
	wait_until 8 sh -c "grep -c 'unhealthy: answered 500' router.err | grep -q 2"
	many 6 | sort -u | tr '\n' ' ' | grep -q 'one two'
}

@test "cx-router: of two files with one host the first by name has it, and both are named" {
	backend one
	backend two
	put b "$(svc web.a.convox "$(to "$PORT_two")")"
	router
	[ "$(ask /name)" = two ]
	put a "$(svc web.a.convox "$(to "$PORT_one")")"
	wait_until 5 says /name one
	grep -q 'web.a.convox is in routes/a.json and in routes/b.json' router.err
	rm "$ROUTES/a.json"
	wait_until 5 says /name two
}

@test "cx-router: a setting that is wrong is named with its place, and the former routes stay" {
	backend one
	put a "$(svc web.a.convox "$(to "$PORT_one")")"
	router
	printf '{"v":1,"app":"a","services":[%s],"resources":[]}' "$(svc web.a.convox "$(to 0)" sticky=120)" > "$ROUTES/a.json"
	wait_until 5 grep -q 'routes/a.json is not used: services.web: backends\[0\]: port is no number of 1 to 65535' router.err
	[ "$(ask /name)" = one ]
}

@test "cx-router: a changed file among 1,000 apps with 10,000 hosts is live within milliseconds" {
	backend one
	backend two
	python3 - "$ROUTES" "$PORT_one" <<-'END'
	import json, sys
	for i in range(1000):
	    services = [{"name": f"s{k}", "hosts": [f"s{k}.app{i}.convox"], "scheme": "http", "state": "running",
	                 "backends": [{"address": "127.0.0.1", "port": int(sys.argv[2]), "process": "p"}]} for k in range(10)]
	    json.dump({"v": 1, "app": f"app{i}", "services": services, "resources": []}, open(f"{sys.argv[1]}/app{i}.json", "w"))
	END
	route a web.a.convox "$PORT_one"
	router
	python3 - "$ROUTES" "$PLAIN" "$PORT_one" "$PORT_two" <<-'END'
	import json, os, socket, sys, time
	routes, plain, ports = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
	s = socket.create_connection(("127.0.0.1", plain)); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
	def name():
	    s.sendall(b"GET /name HTTP/1.1\r\nHost: web.a.convox\r\n\r\n")
	    out = b""
	    while not out.endswith((b"one\n", b"two\n")):
	        out += s.recv(65536)
	    return out[-4:-1]
	times = []
	for i in range(10):
	    want = (b"two", b"one")[i % 2]
	    text = json.dumps({"v": 1, "app": "a", "services": [{"name": "web", "hosts": ["web.a.convox"], "scheme": "http", "state": "running",
	        "backends": [{"address": "127.0.0.1", "port": int(ports[(i + 1) % 2]), "process": "p"}]}], "resources": []})
	    open(routes + "/.a.T", "w").write(text)
	    start = time.monotonic()
	    os.rename(routes + "/.a.T", routes + "/a.json")
	    while name() != want:
	        assert time.monotonic() - start < 2
	    times.append((time.monotonic() - start) * 1000)
	times.sort()
	print("ms:", *("%.2f" % t for t in times), file=sys.stderr)
	assert times[5] < 10, times  # the machine is shared: the figure itself is in the benchmark
	END
}
