load helpers
load router

setup() {
	cd "$BATS_TEST_TMPDIR"
	ROUTES=$BATS_TEST_TMPDIR/routes
	mkdir "$ROUTES"
	STARTED=()
}

teardown() { stop_all; }

@test "cx-router: a request reaches the service of its host, whatever its case, port, or a label above it" {
	backend one
	route a web.a.convox "$PORT_one"
	router
	for host in web.a.convox WEB.A.Convox web.a.convox:8443 x.web.a.convox a.b.web.a.convox; do
		run -0 curl -sS -H "Host: $host" "http://127.0.0.1:$PLAIN/name"
		[ "$output" = one ]
	done
	for host in a.convox other.a.convox webxa.convox xweb.a.convox; do
		run -0 curl -sS -o /dev/null -w '%{http_code}' -H "Host: $host" "http://127.0.0.1:$PLAIN/name"
		[ "$output" = 404 ]
	done
}

@test "cx-router: the process sees the client's address appended, scheme and port set, and no field of the hop before" {
	backend one
	route a web.a.convox "$PORT_one"
	router
	ask /x?y=1 -H 'X-Forwarded-For: 203.0.113.9' -H 'X-Forwarded-Proto: https' -H 'X-Forwarded-Port: 1' \
		-H 'Connection: keep-alive, X-Mine, X-Forwarded-For' -H 'X-Mine: 1' -H 'Keep-Alive: timeout=5' -H 'TE: trailers' \
		-H 'Proxy-Connection: close' -H 'Cookie: a=1; b=2' > seen.json
	python3 - "$PLAIN" <<-'END'
	import json, sys
	seen = json.load(open("seen.json"))
	assert seen["line"] == "GET /x?y=1 HTTP/1.1", seen
	fields = [tuple(f.split(": ", 1)) for f in seen["raw"].split("\r\n")[1:]]
	low = {}
	for k, v in fields:
	    assert k.lower() not in low, k
	    low[k.lower()] = v
	assert low["x-forwarded-for"] == "203.0.113.9, 127.0.0.1", low
	assert low["x-forwarded-proto"] == "http" and low["x-forwarded-port"] == sys.argv[1], low
	assert low["host"] == "web.a.convox" and low["cookie"] == "a=1; b=2", low
	for gone in "connection", "x-mine", "keep-alive", "te", "proxy-connection":
	    assert gone not in low, gone
	END
}

@test "cx-router: bodies pass whole in both directions, of known length and chunked" {
	backend one
	route a web.a.convox "$PORT_one"
	router
	head -c 5000000 /dev/urandom > big
	ask /echo --data-binary @big -o back
	cmp big back
	ask /echo --data-binary @big -H 'Transfer-Encoding: chunked' -o back
	cmp big back
	ask /continue --data-binary @big -H 'Expect: 100-continue' -o back
	cmp big back
	ask /echo --data-binary '' -o back
	[ ! -s back ]
	[ "$(ask /bytes/3000001 | wc -c)" -eq 3000001 ]
	[ "$(ask /chunked | md5sum)" = "$(yes chunked | head -5 | md5sum)" ]
	[ "$(ask /chunked --http1.0 | md5sum)" = "$(yes chunked | head -5 | md5sum)" ]
	[ "$(ask /close)" = "until the end" ]
	[ "$(ask /old)" = old ]
	[ "$(ask /then-close)$(ask /then-close)" = onceonce ]
}

@test "cx-router: answers without a body end at their head: HEAD, 204, 304" {
	backend one
	route a web.a.convox "$PORT_one"
	router
	for r in "HEAD /bytes/100" "GET /status/204" "GET /status/304"; do
		out=$(raw "$r HTTP/1.1\r\nHost: web.a.convox\r\n\r\nGET /name HTTP/1.1\r\nHost: web.a.convox\r\nConnection: close\r\n\r\n")
		[[ "$out" == *$'\r\n\r\nHTTP/1.1 200 '*$'\r\n\r\none' ]] || { echo "$r: $out"; return 1; }
	done
	out=$(raw "GET /status/204 HTTP/1.1\r\nHost: web.a.convox\r\nConnection: close\r\n\r\n")
	[[ "${out,,}" != *content-length* ]]
}

@test "cx-router: pipelined requests are answered in order on one connection, and empty lines between are passed over" {
	backend one
	route a web.a.convox "$PORT_one"
	router
	out=$(raw "POST /echo HTTP/1.1\r\nHost: web.a.convox\r\nContent-Length: 3\r\n\r\nabc\r\nPOST /echo HTTP/1.1\r\nHost: web.a.convox\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\nGET /name HTTP/1.1\r\nHost: web.a.convox\r\nConnection: close\r\n\r\n")
	bodies=$(tr -d '\r' <<< "$out" | sed -n '/^$/{n;p}' | sed 's/HTTP.*//' | tr -d '\n')
	[ "$bodies" = abcdefone ] || { echo "$out"; return 1; }
}

@test "cx-router: connections are kept on both sides, and a kept one that the process closed costs no request" {
	backend one
	route a web.a.convox "$PORT_one"
	router
	before=$(grep -c connection one.log)
	curl -sS -H 'Host: web.a.convox' "http://127.0.0.1:$PLAIN/name?[1-20]" -o /dev/null -w '%{http_code} %{num_connects}\n' > out
	[ "$(grep -c '^200' out)" -eq 20 ]
	[ "$(awk '{ n += $2 } END { print n }' out)" -eq 1 ]
	[ "$(grep -c connection one.log)" -eq $((before + 1)) ]
	kill "$PID_one"
	wait "$PID_one" || true
	python3 "$ROOT/t/fixtures/cx-router/backend.py" "$PORT_one" again "$BATS_TEST_TMPDIR/again.log" 3>&- &
	STARTED+=($!)
	wait_until 10 listens 127.0.0.1 "$PORT_one"
	[ "$(ask /name)" = again ]
	[ "$(ask /echo -d x)" = x ]
}

@test "cx-router: processes take turns, and one that refuses is passed over, for a POST with a body too" {
	backend one
	backend two
	dead=$(free_port)
	route a web.a.convox "$PORT_one" "$PORT_two" "$dead"
	router
	for _ in 1 2 3 4 5 6; do ask /name; done > names
	[ "$(grep -c one names)" -ge 2 ] && [ "$(grep -c two names)" -ge 2 ] && [ "$(wc -l < names)" -eq 6 ]
	for _ in 1 2 3 4 5 6; do
		[ "$(ask /echo -d body)" = body ]
	done
}

@test "cx-router: a POST that may have been acted on is never sent twice" {
	backend one
	backend two
	route a web.a.convox "$PORT_one" "$PORT_two"
	router
	[ "$(code /drop -d x)" = 502 ]
	[ "$(cat one.log two.log | grep -c 'POST /drop')" -eq 1 ]
}

@test "cx-router: an upgrade becomes a tunnel, byte for byte, half-closed as well" {
	backend one
	route a web.a.convox "$PORT_one"
	router
	python3 - "$PLAIN" <<-'END'
	import os, socket, sys, threading
	s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(10)
	s.sendall(b"GET /ws HTTP/1.1\r\nHost: web.a.convox\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly")
	f = s.makefile("rb")
	head = b""
	while not head.endswith(b"\r\n\r\n"):
	    head += f.readline()
	assert head.startswith(b"HTTP/1.1 101 ") and b"Upgrade: echo" in head, head
	assert f.read(5) == b"early"
	for i in range(200):
	    s.sendall(bytes([i])); assert f.read(1) == bytes([i])
	data = os.urandom(8 << 20)
	threading.Thread(target=s.sendall, args=(data,)).start()
	assert f.read(len(data)) == data
	s.shutdown(socket.SHUT_WR)
	assert f.read() == b"bye"
	END
}

@test "cx-router: an upgrade to h2c is not passed on, nor 101 without being asked for" {
	backend one
	route a web.a.convox "$PORT_one"
	router
	ask / -H 'Connection: Upgrade, HTTP2-Settings' -H 'Upgrade: h2c' -H 'HTTP2-Settings: AAMAAABkAAQAAP__' > seen
	run -1 grep -iE 'upgrade|http2-settings' seen
	[ "$(code /ws)" = 502 ]
}

@test "cx-router: events are passed on as they come, and the process sees it when the client leaves" {
	backend one
	route a web.a.convox "$PORT_one"
	router
	curl -sSN -H 'Host: web.a.convox' "http://127.0.0.1:$PLAIN/events" > events 3>&- &
	pid=$!
	wait_until 5 grep -q 'data: 3' events
	kill "$pid"
	wait "$pid" || true
	wait_until 5 grep -q left one.log
}

@test "cx-router: a slow process whose client left is let go at once" {
	backend one
	route a web.a.convox "$PORT_one"
	router
	curl -sS -H 'Host: web.a.convox' "http://127.0.0.1:$PLAIN/slow/8" 3>&- &
	pid=$!
	wait_until 5 grep -q slow one.log
	kill "$pid"
	wait "$pid" || true
	wait_until 4 grep -q '"status":460' access.log
}

@test "cx-router: a route that changes is live at once, and no request is lost in 50 changes under load" {
	backend one
	backend two
	route a web.a.convox "$PORT_one"
	router
	(
		for _ in $(seq 400); do code /name || true; echo; done > codes
	) 3>&- &
	load=$!
	curl -sS -H 'Host: web.a.convox' "http://127.0.0.1:$PLAIN/name?[1-400]" -o /dev/null -w '%{http_code}\n' > kept 3>&- &
	kept=$!
	for i in $(seq 25); do
		route a web.a.convox "$PORT_two"
		wait_until 2 says /name two
		route a web.a.convox "$PORT_one"
		wait_until 2 says /name one
	done
	wait "$load" "$kept"
	[ "$(sort -u codes kept)" = 200 ] || { sort codes kept | uniq -c; return 1; }
	[ "$(wc -l < codes)" -eq 400 ]
}

@test "cx-router: a route file that is broken keeps the app's former routes, and the others change" {
	backend one
	backend two
	route a web.a.convox "$PORT_one"
	router
	echo '{"v":1,"app":' > "$ROUTES/.a.T"
	mv "$ROUTES/.a.T" "$ROUTES/a.json"
	route b web.b.convox "$PORT_two"
	wait_until 5 sh -c "curl -sS -H 'Host: web.b.convox' http://127.0.0.1:$PLAIN/name | grep -q two"
	run -0 ask /name
	[ "$output" = one ]
	grep -q 'a.json' router.err
	rm "$ROUTES/a.json"
	wait_until 5 says /name 404
}

@test "cx-router: a kept connection to a process that left the routes is closed" {
	backend one
	backend two
	route a web.a.convox "$PORT_one"
	router
	ask /name
	established() { [ "$(ss -Htn state established "dport = :$PORT_one" | wc -l)" -eq "$1" ]; }
	established 1
	route a web.a.convox "$PORT_two"
	wait_until 5 established 0
}

@test "cx-router: pages say which service, what is wrong, and which command shows more" {
	route a web.a.convox 'state="crashed"' 'reason="exit status 3"' 'hint="<look> at it"'
	dead=$(free_port)
	route b web.b.convox "$dead"
	router
	run -0 ask /
	[[ "$output" == *"503"*"service web of app a"*"crashed"*"exit status 3"*"cx logs -a a --service web"*"cx ps -a a"* ]]
	run -0 ask / -H 'Accept: text/html,*/*'
	[[ "$output" == *"<!doctype html>"*"&lt;look&gt; at it"*"cx logs -a a"* ]]
	run -0 curl -sS -H 'Host: web.b.convox' "http://127.0.0.1:$PLAIN/"
	[[ "$output" == *"502"*"service web of app b"*"cx logs -a b"* ]]
	run -0 curl -sS -H 'Host: nobody.convox' "http://127.0.0.1:$PLAIN/"
	[[ "$output" == *"404"*"nobody.convox"*"cx apps"* ]]
}

@test "cx-router: an answer that is cut short is never taken for whole; one that is broken is 502" {
	backend one
	route a web.a.convox "$PORT_one"
	router
	run ask /short
	[ "$status" -eq 18 ]
	[ "$(code /drop)" = 502 ]
	[ "$(code /half-head)" = 502 ]
	[ "$(code /big-head/30000)" = 502 ]
	[ "$(code /big-head/15000)" = 200 ]
	[ "$(code /fields/199)" = 502 ]
	hex() { printf %b "$1" | od -An -tx1 | tr -d ' \n'; }
	for bad in 'nonsense\r\n\r\n' 'HTTP/1.1 20 OK\r\n\r\n' 'HTTP/2.0 200 OK\r\n\r\n' 'HTTP/1.1 200 OK\nContent-Length: 0\n\n' \
		'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab' \
		'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' \
		'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n' 'HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n' \
		'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' \
		'HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n' 'HTTP/1.1 101 X\r\n\r\n'; do
		[ "$(code "/raw/$(hex "$bad")")" = 502 ] || { echo "passed: $bad"; return 1; }
	done
	run ask "/raw/$(hex 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX')"
	[ "$status" -ne 0 ]
}

@test "cx-router: a response's head between 16 and 32 KiB of many fields passes, one above is 502 at once" {
	backend one
	route a web.a.convox "$PORT_one"
	router
	[ "$(ask /wide/120)" = ok ]
	[ "$(code /wide/180 --max-time 5)" = 502 ]
	[ "$(code /big-head/33000 --max-time 5)" = 502 ]
}

@test "cx-router: a process that answers before it read the body gets its answer through, and the rest is never a request" {
	backend one
	route a web.a.convox "$PORT_one"
	router
	python3 - "$PLAIN" <<-'END'
	import socket, sys
	for framing, body in [(b"Content-Length: 4000000", b"GET /evil HTTP/1.1\r\nHost: web.a.convox\r\n\r\n" * 90000)]:
	    s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(10)
	    s.sendall(b"POST /early HTTP/1.1\r\nHost: web.a.convox\r\n" + framing + b"\r\n\r\n")
	    try:
	        for i in range(0, 4000000, 4400):
	            s.sendall(body[i:i + 4400])
	    except OSError:
	        pass
	    out = b""
	    try:
	        while got := s.recv(65536):
	            out += got
	    except OSError:
	        pass
	    assert out.startswith(b"HTTP/1.1 413 "), out[:200]
	    assert out.count(b"HTTP/1.1") == 1, out
	END
	run -1 grep evil one.log
}

@test "cx-router: a process that does not answer in the service's time is 504" {
	backend one
	route a web.a.convox "$PORT_one" timeout=1
	router
	run -0 ask /slow/10 -w '%{http_code}'
	[[ "$output" == *"in time"*504 ]]
}

@test "cx-router: an upload may take longer than the time for an answer" {
	backend one
	route a web.a.convox "$PORT_one" timeout=1
	router
	python3 - "$PLAIN" <<-'END'
	import socket, sys, time
	s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(10)
	s.sendall(b"POST /echo HTTP/1.1\r\nHost: web.a.convox\r\nContent-Length: 8\r\nConnection: close\r\n\r\n")
	for i in range(8):
	    time.sleep(0.4)
	    s.sendall(b"x")
	out = b""
	while got := s.recv(65536):
	    out += got
	assert out.startswith(b"HTTP/1.1 200") and out.endswith(b"xxxxxxxx"), out
	END
}

@test "cx-router: plain http is sent to https, path, query and port kept" {
	http=$(free_port)
	router --http "127.0.0.1:$http" --https-port 8443
	run -0 curl -sS -o /dev/null -w '%{http_code} %{redirect_url}' -H 'Host: web.a.convox:80' "http://127.0.0.1:$http/a/b?c=d&e"
	[ "$output" = "301 https://web.a.convox:8443/a/b?c=d&e" ]
	run -0 curl -sS -o /dev/null -w '%{http_code}' -d x -H 'Host: web.a.convox' "http://127.0.0.1:$http/"
	[ "$output" = 301 ]
}

@test "cx-router: the access log is a JSON object a request, within a second" {
	backend one
	route a web.a.convox "$PORT_one"
	router
	ask '/name?q="\%00' -A 'x' > /dev/null
	curl -sS -H 'Host: no"body' "http://127.0.0.1:$PLAIN/" > /dev/null
	wait_until 3 grep -q 400 access.log
	python3 - <<-'END'
	import json
	first = json.loads(open("access.log").readline())
	assert first["status"] == 200 and first["app"] == "a" and first["service"] == "web" and first["bytes"] == 4, first
	assert first["path"] == '/name?q="\\%00' and first["method"] == "GET" and first["host"] == "web.a.convox", first
	for line in open("access.log"):
	    json.loads(line)
	END
}

@test "cx-router: SIGTERM lets a request under way end, takes no other, and ends with 0" {
	backend one
	route a web.a.convox "$PORT_one"
	router
	ask /slow/2 > out 3>&- &
	asked=$!
	wait_until 5 grep -q slow one.log
	kill "$ROUTER"
	wait_until 5 silent 127.0.0.1 $PLAIN
	wait "$asked"
	[ "$(cat out)" = late ]
	st=0
	wait "$ROUTER" || st=$?
	[ "$st" -eq 0 ]
}

@test "cx-router: a parent that is killed takes its worker with it" {
	router
	worker=$(pgrep -P "$ROUTER" -x cx-router | head -1)
	kill -9 "$ROUTER"
	wait_until 5 sh -c "! kill -0 $worker 2>/dev/null"
}

@test "cx-router: a worker that is killed is started again, and the others go on meanwhile" {
	backend one
	route a web.a.convox "$PORT_one"
	router --workers 3
	mapfile -t before < <(pgrep -P "$ROUTER" -x cx-router)
	[ "${#before[@]}" -eq 3 ]
	kill -9 "${before[1]}"
	for _ in $(seq 20); do [ "$(ask /name)" = one ]; done
	three() { [ "$(pgrep -P "$ROUTER" -x cx-router | wc -l)" -eq 3 ]; }
	wait_until 5 three
	pgrep -P "$ROUTER" -x cx-router | grep -qx "${before[0]}"
	grep -q "worker ${before[1]} ended by signal 9" router.err
	kill "$ROUTER"
	st=0
	wait "$ROUTER" || st=$?
	[ "$st" -eq 0 ]
}

@test "cx-router: several workers share the listeners, the routes, and one log of whole lines" {
	backend one
	db=$(free_port)
	route a web.a.convox "$PORT_one" 'x=1'
	printf '{"v":1,"app":"b","services":[],"resources":[{"name":"db","address":"127.84.9.8","port":%s,"backends":[{"address":"127.0.0.1","port":%s}]}]}' \
		"$db" "$PORT_one" > "$ROUTES/b.json"
	router --workers 4
	for i in $(seq 8); do
		curl -sS -H 'Host: web.a.convox' -H 'Connection: close' "http://127.0.0.1:$PLAIN/name?$i-[1-40]" -o /dev/null -w '%{http_code}\n' > "out$i" 3>&- &
	done
	wait $(jobs -p | grep -v -e "$PID_one" -e "$ROUTER") || true
	[ "$(cat out* | sort | uniq -c | awk '{ print $1, $2 }')" = "320 200" ]
	[ "$(curl -sS "http://127.84.9.8:$db/name")" = one ]
	all() { [ "$(grep -c '"status":200' access.log)" -eq 320 ]; }
	wait_until 3 all
	jq -e . access.log > /dev/null
	rm "$ROUTES/a.json"
	wait_until 5 says /name 404
	for _ in $(seq 20); do [ "$(code /name)" = 404 ]; done
}

@test "cx-router: SIGUSR2 runs the program anew with its sockets: no connection is refused, no request lost, no tunnel cut" {
	backend one
	route a web.a.convox "$PORT_one"
	router --workers 2
	python3 - "$PLAIN" 3>&- <<-'END' &
	import os, socket, sys, time
	s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(10)
	s.sendall(b"GET /ws HTTP/1.1\r\nHost: web.a.convox\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly")
	f = s.makefile("rb")
	while f.readline() != b"\r\n":
	    pass
	assert f.read(5) == b"early"
	open("tunnel", "w").close()
	while not os.path.exists("upgraded"):
	    s.sendall(b"x"); assert f.read(1) == b"x"
	    time.sleep(0.02)
	for i in range(50):
	    s.sendall(b"y"); assert f.read(1) == b"y"
	END
	tunnel=$!
	wait_until 5 test -e tunnel
	(for _ in $(seq 150); do code /name || true; echo; done > codes) 3>&- &
	load=$!
	curl -sS -H 'Host: web.a.convox' "http://127.0.0.1:$PLAIN/slow/0.02?[1-60]" -o /dev/null -w '%{http_code}\n' > kept 3>&- &
	kept=$!
	old=$(pgrep -P "$ROUTER" -x cx-router | sort)
	for _ in 1 2 3; do
		mark=$(pgrep -P "$ROUTER" -x cx-router | sort | tail -1)
		kill -USR2 "$ROUTER"
		newer() { [ "$(pgrep -P "$ROUTER" -x cx-router | sort -n | tail -1)" != "$mark" ] && [ "$(pgrep -P "$ROUTER" -x cx-router | wc -l)" -ge 3 ]; }
		wait_until 5 newer
		sleep 0.3
	done
	touch upgraded
	wait "$load" "$kept" "$tunnel"
	[ "$(sort -u codes kept)" = 200 ] || { sort codes kept | uniq -c; return 1; }
	[ "$(cat codes kept | wc -l)" -eq 210 ]
	two() { [ "$(pgrep -P "$ROUTER" -x cx-router | wc -l)" -eq 2 ]; }
	wait_until 10 two
	[ "$(pgrep -P "$ROUTER" -x cx-router | sort)" != "$old" ]
	kill "$ROUTER"
	st=0
	wait "$ROUTER" || st=$?
	[ "$st" -eq 0 ]
	! listens 127.0.0.1 "$PLAIN"
}

@test "cx-router: a port that another program holds names it (111)" {
	backend one
	run --separate-stderr cx-router --routes "$ROUTES" --plain "127.0.0.1:$PORT_one"
	[ "$status" -eq 111 ]
	[[ "$stderr" == *"127.0.0.1:$PORT_one is taken by python3"*"(process $PID_one)"* ]]
}

@test "cx-router: resources are plain tunnels on addresses of their own, live from the routes, on loopback only" {
	backend one
	db=$(free_port)
	router
	put() { printf '{"v":1,"app":"a","services":[],"resources":[%s]}' "$1" > "$ROUTES/.a.T" && mv "$ROUTES/.a.T" "$ROUTES/a.json"; }
	put "{\"name\":\"db\",\"host\":\"db.resource.a.convox\",\"address\":\"127.84.9.7\",\"port\":$db,\"backends\":[{\"address\":\"127.0.0.1\",\"port\":$PORT_one}]}"
	wait_until 5 listens 127.84.9.7 "$db"
	[ "$(curl -sS "http://127.84.9.7:$db/name")" = one ]
	listens 127.0.0.1 "$db" && return 1
	put "{\"name\":\"db\",\"address\":\"0.0.0.0\",\"port\":$db,\"backends\":[]}"
	wait_until 5 silent 127.84.9.7 $db
	listens 127.0.0.1 "$db" && return 1
	true
}

@test "cx-router: a resource whose port is taken gets it as soon as it is free" {
	backend one
	db=$(free_port)
	python3 -m http.server --bind 127.84.9.7 "$db" 3>&- > /dev/null 2>&1 &
	other=$!
	STARTED+=("$other")
	wait_until 5 listens 127.84.9.7 "$db"
	printf '{"v":1,"app":"a","services":[],"resources":[{"name":"db","address":"127.84.9.7","port":%s,"backends":[{"address":"127.0.0.1","port":%s}]}]}' \
		"$db" "$PORT_one" > "$ROUTES/a.json"
	router
	wait_until 5 grep -q "127.84.9.7:$db" router.err
	kill "$other"
	wait_until 5 sh -c "curl -sS http://127.84.9.7:$db/name | grep -q one"
}

@test "cx-router: as root the worker is another user, without new privileges" {
	[ "$(id -u)" -eq 0 ] || skip "not root"
	router
	worker=$(pgrep -P "$ROUTER" -x cx-router | head -1)
	grep -qE '^Uid:\s65534\s65534\s65534\s65534' "/proc/$worker/status"
	grep -qE '^Groups:\s*$' "/proc/$worker/status"
	grep -qE '^NoNewPrivs:\s1' "/proc/$worker/status"
	grep -qE '^CapEff:\s0+$' "/proc/$worker/status"
}

@test "cx-router: wrong usage is 100, --help is 0" {
	for args in "--routes $ROUTES" "--plain 127.0.0.1:18081" "--bogus" "x" "--routes $ROUTES --listen 127.0.0.1:1" \
		"--routes $ROUTES --plain nonsense"; do
		run --separate-stderr cx-router $args
		[ "$status" -eq 100 ] || { echo "$args: $status"; return 1; }
	done
	run --separate-stderr cx-router --help
	[ "$status" -eq 0 ]
	[[ "$output" == "usage: cx-router"* ]]
}
