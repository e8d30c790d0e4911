load helpers
load router

# What an Application Load Balancer does: doc/parity.md names these tests.

setup() {
	cd "$BATS_TEST_TMPDIR"
	ROUTES=$BATS_TEST_TMPDIR/routes
	mkdir "$ROUTES"
	STARTED=()
	backend one
}

teardown() { stop_all; }

# field NAME: its value in the head that the process saw last (the JSON of a request for /).
field() { python3 -c 'import json,sys; print("\n".join(f.split(": ",1)[1] for f in json.load(open("seen"))["raw"].split("\r\n")[1:] if f.lower().startswith(sys.argv[1]+": ")))' "$1"; }

ID='1-[0-9a-f]{8}-[0-9a-f]{24}'

@test "cx-router: X-Amzn-Trace-Id: a root where there is none, a self before one, another self replaced, the rest kept" {
	route a web.a.convox "$PORT_one"
	router
	ask / > seen
	[[ "$(field x-amzn-trace-id)" =~ ^Root=$ID$ ]]
	first=$(field x-amzn-trace-id)
	ask / > seen
	[ "$(field x-amzn-trace-id)" != "$first" ]
	now=$(date +%s)
	stamp=$((16#$(field x-amzn-trace-id | cut -d- -f2)))
	[ $((now - stamp)) -le 5 ] && [ $((stamp - now)) -le 1 ]
	root=Root=1-67891233-abcdef012345678912345678
	ask / -H "X-Amzn-Trace-Id: $root;CalledFrom=app" > seen
	[[ "$(field x-amzn-trace-id)" =~ ^Self=$ID\;$root\;CalledFrom=app$ ]]
	ask / -H "X-Amzn-Trace-Id: Self=1-67891234-12456789abcdef012345678;$root;Sampled=1" > seen
	[[ "$(field x-amzn-trace-id)" =~ ^Self=$ID\;$root\;Sampled=1$ ]]
	ask / -H "X-Amzn-Trace-Id: CalledFrom=app" > seen
	[[ "$(field x-amzn-trace-id)" =~ ^Root=$ID\;CalledFrom=app$ ]]
	ask / -H "X-Amzn-Trace-Id: $root;X=$(head -c 7200 /dev/zero | tr '\0' a)" > seen
	[[ "$(field x-amzn-trace-id)" =~ ^Root=$ID$ ]]
}

@test "cx-router: X-Forwarded-For is appended to, preserved or removed, and names the client's port where asked" {
	route a web.a.convox "$PORT_one"
	router
	ask / -H 'X-Forwarded-For: 203.0.113.9' -H 'X-Forwarded-For: 203.0.113.10' > seen
	[ "$(field x-forwarded-for)" = "203.0.113.9, 203.0.113.10, 127.0.0.1" ]
	[ "$(field x-forwarded-proto) $(field x-forwarded-port)" = "http $PLAIN" ]
	is() { ask / "${@:2}" > seen && [[ "$(field x-forwarded-for)" =~ ^$1$ ]]; }
	route a web.a.convox "$PORT_one" 'forwarded_for="preserve"'
	wait_until 5 is '203\.0\.113\.9' -H 'X-Forwarded-For: 203.0.113.9'
	is ''
	route a web.a.convox "$PORT_one" 'forwarded_for="remove"'
	wait_until 5 is '' -H 'X-Forwarded-For: 203.0.113.9'
	[ "$(field x-forwarded-proto)" = http ]
	route a web.a.convox "$PORT_one" client_port=true
	wait_until 5 is '127\.0\.0\.1:[0-9]{4,5}'
}

@test "cx-router: 463 for more than 30 addresses in X-Forwarded-For, 30 pass" {
	route a web.a.convox "$PORT_one"
	router
	list() { seq -s, "$1" | sed 's/[0-9]*/10.0.0.&/g'; }
	[ "$(code / -H "X-Forwarded-For: $(list 30)")" = 200 ]
	[ "$(code / -H "X-Forwarded-For: $(list 31)")" = 463 ]
	[ "$(code / -H "X-Forwarded-For: $(list 16)" -H "X-Forwarded-For: $(list 15)")" = 463 ]
}

@test "cx-router: its own codes: 400, 404, 405, 408 of a body, 414, 501, 502, 503, 504, 505" {
	route a web.a.convox "$PORT_one" timeout=1
	route b web.b.convox
	dead=$(free_port)
	route c web.c.convox "$dead"
	router
	first() { raw "$1" | head -1 | cut -d' ' -f2; }
	H='Host: web.a.convox\r\n'
	[ "$(first "GET / HTTP/1.1\r\n${H}Bad Name: x\r\n\r\n")" = 400 ]
	[ "$(first "GET / HTTP/1.1\r\nHost: nobody.test\r\n\r\n")" = 404 ]
	[ "$(first "TRACE / HTTP/1.1\r\n${H}\r\n")" = 405 ]
	[ "$(first "POST /echo HTTP/1.1\r\n${H}Content-Length: 5\r\n\r\nab")" = 408 ]
	[ "$(first "GET /$(head -c 17000 /dev/zero | tr '\0' a) HTTP/1.1\r\n${H}\r\n")" = 414 ]
	[ "$(first "GET / HTTP/1.1\r\n${H}X: $(head -c 17000 /dev/zero | tr '\0' a)\r\n\r\n")" = 400 ]
	[ "$(first "POST / HTTP/1.1\r\n${H}Transfer-Encoding: gzip\r\n\r\n")" = 501 ]
	[ "$(first "GET / HTTP/1.1\r\nHost: web.c.convox\r\n\r\n")" = 502 ]
	[ "$(first "GET / HTTP/1.1\r\nHost: web.b.convox\r\n\r\n")" = 503 ]
	[ "$(first "GET /slow/5 HTTP/1.1\r\n${H}\r\n")" = 504 ]
	[ "$(first "GET / HTTP/3.0\r\n${H}\r\n")" = 505 ]
}

@test "cx-router: desync modes: defensive passes an ambiguous request and ends both connections; strictest refuses it" {
	route a web.a.convox "$PORT_one"
	router
	H='Host: web.a.convox\r\n'
	ambiguous="GET /echo HTTP/1.1\r\n${H}Content-Length: 3\r\n\r\nabc"
	# A second request behind it is never answered.
	out=$(raw "${ambiguous}GET /name HTTP/1.1\r\n${H}\r\n")
	[[ "$out" == "HTTP/1.1 200 "*"Connection: close"*abc ]]
	[ "$(grep -c 'HTTP/1.1 200' <<< "$out")" -eq 1 ]
	for bad in "GET /echo HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" \
		"POST /echo HTTP/1.1\r\n${H}Content_Length: 9\r\nContent-Length: 3\r\n\r\nabc"; do
		out=$(raw "$bad")
		[[ "$out" == "HTTP/1.1 200 "*"Connection: close"* ]] || { echo "$bad: $out"; return 1; }
	done
	wait_until 3 grep -q '"classification":"Ambiguous","reason":"UndefinedContentLengthSemantics"' access.log
	wait_until 3 grep -q '"reason":"SuspiciousHeader"' access.log
	# The connection to the process was not kept: the next request makes another.
	before=$(grep -c connection one.log)
	raw "$ambiguous" > /dev/null
	ask /name
	[ "$(grep -c connection one.log)" -ge $((before + 1)) ]
	acceptable="GET /name HTTP/1.1\r\n${H}Content-Length: 0\r\nConnection: close\r\n\r\n"
	[[ "$(raw "$acceptable")" == "HTTP/1.1 200 "* ]]
	route a web.a.convox "$PORT_one" 'desync="strictest"'
	wait_until 5 sh -c "curl -sS -o /dev/null -w '%{http_code}' -X GET -d x -H 'Host: web.a.convox' http://127.0.0.1:$PLAIN/echo | grep -q 400"
	[[ "$(raw "$acceptable")" == "HTTP/1.1 400 "*"strictest"* ]]
	[ "$(ask /echo -d abc)" = abc ] && [ "$(ask /name)" = one ]
}

@test "cx-router: the idle time of an answer ends it; a tunnel has one of its own" {
	route a web.a.convox "$PORT_one" timeout=60 idle=1
	router
	python3 - "$PLAIN" <<-'END'
	import socket, sys, time
	s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(10)
	s.sendall(b"GET /ws HTTP/1.1\r\nHost: web.a.convox\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	assert b" 101 " in s.recv(4096)
	start = time.monotonic()
	assert s.recv(10) == b""
	assert 0.8 < time.monotonic() - start < 4
	END
}

@test "cx-router: HSTS over TLS where a service asks for it, and never over the process's own" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -out c.pem -days 2 -subj /CN=web.a.convox \
		-addext subjectAltName=DNS:web.a.convox 2> /dev/null
	cat c.pem k.pem > pair.pem
	route a web.a.convox "$PORT_one" hsts=31536000
	tls=$(free_port)
	router --listen "127.0.0.1:$tls" --cert pair.pem
	over_tls() { curl -sS --cacert c.pem --resolve "web.a.convox:$tls:127.0.0.1" -D - -o /dev/null "https://web.a.convox:$tls$1" "${@:2}"; }
	for v in --http1.1 --http2; do
		run -0 over_tls /name "$v"
		[ "$(grep -ci '^strict-transport-security: max-age=31536000' <<< "$output")" -eq 1 ] || { echo "$v: $output"; return 1; }
	done
	run -0 ask /name -D - -o /dev/null
	[[ "${output,,}" != *strict-transport* ]]
}

@test "cx-router: 460 in the log for a client that left; a redirect to https is 301 and keeps the query" {
	route a web.a.convox "$PORT_one"
	http=$(free_port)
	router --http "127.0.0.1:$http" --https-port 443
	run ask /slow/9 -m 0.5
	[ "$status" -eq 28 ]
	wait_until 4 grep -q '"status":460' access.log
	run -0 curl -sS -o /dev/null -w '%{http_code} %{redirect_url}' -X POST -H 'Host: web.a.convox' "http://127.0.0.1:$http/x?y=z"
	[ "$output" = "301 https://web.a.convox/x?y=z" ]
}
