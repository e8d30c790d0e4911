load helpers
load router

# HTTP/2 to clients: a router of its own with TLS on $TLS. What is sent frame by frame goes through h2raw.py.

setup() {
	cd "$BATS_TEST_TMPDIR"
	ROUTES=$BATS_TEST_TMPDIR/routes
	mkdir "$ROUTES"
	STARTED=()
	TLS=$(free_port)
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=convox 2> /dev/null
	cat key.pem >> cert.pem
	backend one
	route a web.a.convox "$PORT_one"
	router --listen "127.0.0.1:$TLS" --cert cert.pem
}

teardown() { stop_all; }

h2() {
	local path=$1
	shift
	curl -sSk --http2 --max-time 20 --resolve "web.a.convox:$TLS:127.0.0.1" "$@" "https://web.a.convox:$TLS$path"
}

# frames: a Python program on stdin with Client, its constants, and PORT.
frames() {
	{
		printf 'import sys, time, json\nsys.path.insert(0, "%s")\nfrom h2raw import *\nPORT = %s\n' "$ROOT/t/fixtures/cx-router" "$TLS"
		cat
	} > prog.py
	/usr/bin/python3 prog.py
}

@test "cx-router: ALPN gives HTTP/2 to who asks for it, and the process an HTTP/1.1 request" {
	[ "$(h2 /name -o /dev/null -w '%{http_version} %{http_code}')" = "2 200" ]
	[ "$(h2 /name --http1.1 -o /dev/null -w '%{http_version}')" = 1.1 ]
	h2 '/x?y=1' -H 'X-Forwarded-For: 203.0.113.9' -H 'Cookie: a=1' -H 'TE: trailers' > seen
	/usr/bin/python3 - "$TLS" <<-'END'
	import json, sys
	seen = json.load(open("seen"))
	assert seen["line"] == "GET /x?y=1 HTTP/1.1", seen
	low = {k.lower(): v for k, v in (f.split(": ", 1) for f in seen["raw"].split("\r\n")[1:])}
	assert low["x-forwarded-for"] == "203.0.113.9, 127.0.0.1" and low["x-forwarded-proto"] == "https", low
	assert low["x-forwarded-port"] == sys.argv[1] and low["host"] == "web.a.convox:" + sys.argv[1], low
	assert "te" not in low and not any(k.startswith(":") for k in low), low
	END
}

@test "cx-router: over HTTP/2 bodies pass whole both ways, of known length or not, many at a time" {
	head -c 3000000 /dev/urandom > big
	h2 /echo --data-binary @big -o back
	cmp big back
	h2 /echo -X POST -T - -o back < big
	cmp big back
	h2 /continue --data-binary @big -H 'Expect: 100-continue' -o back
	cmp big back
	h2 "/bytes/100000?[1-40]" --parallel --parallel-immediate -o 'out#1'
	[ "$(cat out* | wc -c)" -eq 4000000 ]
	[ "$(h2 /chunked | md5sum)" = "$(yes chunked | head -5 | md5sum)" ]
	[ "$(h2 /close)" = "until the end" ]
	[ "$(h2 /bytes/100 -I -o /dev/null -w '%{http_code} %{size_download}')" = "200 0" ]
	for s in 204 304; do [ "$(h2 /status/$s -o /dev/null -w '%{http_code} %{size_download}')" = "$s 0" ]; done
}

@test "cx-router: trailers pass in both directions and both versions; what may not be one is dropped" {
	h2 /chunked -D head > /dev/null
	grep -qi '^x-t: 1' head
	frames <<-'END'
	c = Client(PORT)
	c.request(1, ("trailer", "x-sum"), method="POST", path="/trailers", end=False)
	c.send(DATA, 0, 1, b"abc")
	c.send(HEADERS, END_HEADERS | END_STREAM, 1, c.enc.encode([("x-sum", "7"), ("authorization", "no"), ("cookie", "x=1")]))
	status, _, body, _, how = c.answer(1)
	assert status == 200 and how == "end", (status, body, how)
	assert body == b"X-Sum: 7".lower() + b"\r\n", body
	END
	out=$(raw 'POST /trailers HTTP/1.1\r\nHost: web.a.convox\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 8\r\nHost: evil\r\nTransfer-Encoding: x\r\n\r\n')
	[[ "$out" == *"X-Sum: 8"* && "$out" != *evil* ]]
	out=$(raw 'GET /chunked HTTP/1.1\r\nHost: web.a.convox\r\nConnection: close\r\n\r\n')
	[[ "$out" == *$'0\r\nX-T: 1\r\n\r' ]]
}

@test "cx-router: crumbs of a cookie are one field again, and a POST of nothing says so" {
	frames <<-'END'
	c = Client(PORT)
	c.request(1, ("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("cookie", "c=3"), method="POST")
	raw = json.loads(c.answer(1)[2])["raw"].lower().split("\r\n")
	assert [f for f in raw if f.startswith("cookie")] == ["cookie: a=1; b=2; c=3"], raw
	assert "content-length: 0" in raw, raw
	END
}

@test "cx-router: messages of HTTP/2 that HTTP/1 would read otherwise are refused, and never reach the process" {
	frames <<-'END'
	bad = [
	    [("content-length", "1")], [("content-length", "0"), ("content-length", "0")], [("content-length", "+0")],
	    [("transfer-encoding", "chunked")], [("connection", "close")], [("keep-alive", "1")], [("upgrade", "websocket")],
	    [("proxy-connection", "x")], [("te", "gzip")], [("te", "trailers, deflate")],
	    [("x", "a\r\nevil: 1")], [("x", "a\nb")], [("x", "a\rb")], [("x", "a\0b")], [("x", "a\x7fb")], [("x", "a\x01b")],
	    [("x y", "1")], [("x:", "1")], [("X", "1")], [("x\r\n", "1")], [("", "1")], [("host", "other.convox")],
	    [("host", "web.a.convox"), ("host", "web.a.convox")], [(":late", "1")], [("a", "1"), (":path", "/")],
	]
	lines = [dict(path="a"), dict(path=""), dict(path="/a b"), dict(path="/\x80"), dict(path="/#f"), dict(path="*"), dict(path="/\r\nx: y"),
	    dict(method="G T"), dict(method=""), dict(method="GET / HTTP/1.1\r\nx:"), dict(authority="u@web.a.convox"), dict(authority="a b"),
	    dict(authority="web.a.convox/x"), dict(authority="web.a.convox:80x"), dict(path="http://web.a.convox/\n")]
	for fields, kw in [(f, {}) for f in bad] + [([], k) for k in lines]:
	    c = Client(PORT)
	    c.request(1, *fields, **kw)
	    status, _, _, _, how = c.answer(1)
	    assert status == 400 or how == 1 or how == "closed", (fields, kw, status, how)
	for kw, want in [(dict(method="TRACE"), 405)]:
	    c = Client(PORT)
	    c.request(1, **kw)
	    assert c.answer(1)[0] == want
	# a body that is not what content-length said
	for n, body in [("3", b"abcd"), ("5", b"abcd")]:
	    c = Client(PORT)
	    c.request(1, ("content-length", n), method="POST", path="/echo", end=False)
	    c.send(DATA, END_STREAM, 1, body)
	    status, _, _, _, how = c.answer(1)
	    assert how == 1 or status == 400, (status, how)
	END
	run ! grep -q '"line"' one.log
}

@test "cx-router: a header block of 64 KiB, of 200 fields, of many frames, or one that decodes to much more, ends at its limit" {
	frames <<-'END'
	c = Client(PORT)
	c.request(1, *[(f"x-{i}", "v" * 180) for i in range(190)], path="/name")
	assert c.answer(1)[0] == 200
	c.request(3, *[(f"x-{i}", "v") for i in range(201)], path="/name")
	assert c.answer(3)[0] == 400
	# references to one large entry: 4 KiB each in one byte
	c = Client(PORT)
	block = c.block(("x", "v" * 4000)) + b"\xbe" * 16000
	c.send(HEADERS, END_HEADERS | END_STREAM, 1, block)
	status, *_, how = c.answer(1)
	assert status == 400 or how in ("closed", 11), (status, how)
	c = Client(PORT)
	c.send(HEADERS, 0, 1, c.block())
	try:
	    for i in range(100000):
	        c.send(CONTINUATION, 0, 1, b"")
	except OSError:
	    pass
	f = c.until(GOAWAY)
	assert i < 99999 or f, i
	END
	[ "$(h2 /name)" = one ]
}

@test "cx-router: floods of resets, settings, pings, empty data, tiny data and priorities end the connection, and no other is held up" {
	frames <<-'END'
	def flood(what, **kw):
	    c = Client(PORT)
	    try:
	        for i in range(30000):
	            what(c, 2 * i + 1)
	    except OSError:
	        return i
	    f = c.until(GOAWAY)
	    assert f is None or int.from_bytes(f[3][4:8], "big") in (11, 1, 2), f
	    return i

	def rapid(c, sid):
	    c.s.sendall(c.frame(HEADERS, END_HEADERS | END_STREAM, sid, c.block(path="/slow/3")) + c.frame(RST, 0, sid, b"\0\0\0\x08"))

	def data(body):
	    def f(c, sid):
	        if sid == 1:
	            c.request(1, method="POST", path="/echo", end=False)
	        c.send(DATA, 0, 1, body)
	    return f
	flood(rapid)
	flood(lambda c, s: c.send(SETTINGS, 0, 0))
	flood(lambda c, s: c.send(PING, 0, 0, b"12345678"))
	flood(lambda c, s: c.send(PRIORITY, 0, s, b"\0\0\0\0\x10"))
	flood(data(b""))
	flood(data(b"x"))
	END
	[ "$(h2 /name --max-time 2)" = one ]
	[ "$(grep -c 'slow/3' one.log)" -lt 600 ]
}

@test "cx-router: a client that does not read, or gives no window, is not read for either, and costs the others nothing" {
	frames 3>&- <<-'END' &
	cs = []
	for i in range(5):
	    c = Client(PORT, settings=[(4, 1 << 20)])
	    for sid in range(1, 21, 2):
	        c.request(sid, path="/bytes/300000000")
	    cs.append(c)
	open("hang", "w").close()
	time.sleep(30)
	END
	STARTED+=($!)
	wait_until 20 test -e hang
	[ "$(h2 /bytes/1000000 --max-time 5 | wc -c)" -eq 1000000 ]
	worker=$(pgrep -P "$ROUTER" -x cx-router | head -1)
	[ "$(awk '/^VmRSS/ { print $2 }' "/proc/$worker/status")" -lt 40000 ]
}

@test "cx-router: an upload is read no faster than the process takes it" {
	frames <<-'END'
	c = Client(PORT)
	c.request(1, method="POST", path="/sleep-first", end=False)
	sent, left = 0, 65535
	c.s.settimeout(1)
	window = {0: 65535, 1: None}
	c2 = 65535
	try:
	    while f := c.recv():
	        if f[0] == SETTINGS and f[3]:
	            s = dict(struct.unpack(">HI", f[3][i:i + 6]) for i in range(0, len(f[3]), 6))
	            window[1] = s[4]
	        if f[0] == WINDOW:
	            window[f[2]] = window.get(f[2], 0) + int.from_bytes(f[3], "big")
	        while window[1] and min(window[0], window[1]) > 0:
	            n = min(window[0], window[1], 16384)
	            c.send(DATA, 0, 1, b"x" * n)
	            sent += n
	            window[0] -= n
	            window[1] -= n
	except TimeoutError:
	    pass
	# what fits in the windows and the kernel's buffers, no more
	assert 100000 < sent < 12 << 20, sent
	END
}

@test "cx-router: a reset is passed on to the process, and an answer cut short or refused is no whole one" {
	frames <<-'END'
	c = Client(PORT)
	c.request(1, path="/events")
	c.until(DATA, 1)
	c.send(RST, 0, 1, b"\0\0\0\x08")
	c.request(3, path="/short")
	status, _, body, _, how = c.answer(3)
	assert how == 2, (status, how)
	c.request(5, path="/drop")
	assert c.answer(5)[0] == 502
	c.request(7, method="POST", path="/early", end=False)
	status, _, body, _, how = c.answer(7)
	assert status == 413 and how == "end", (status, how)
	assert c.until(RST, 7)[3] == b"\0\0\0\0"
	c.request(9, path="/name")
	assert c.answer(9)[2] == b"one\n"
	END
	wait_until 5 grep -q left one.log
	wait_until 5 grep -q '"path":"/events","status":460' access.log
}

@test "cx-router: an answer before the request's end reaches a client that is still sending, or waits to be asked for more" {
	head -c 1000000 /dev/urandom > big
	[ "$(h2 /early -T big -o /dev/null -w '%{http_code}')" = 413 ]
	[ "$(h2 /early -d x=1 -H 'Expect: 100-continue' -o /dev/null -w '%{http_code}')" = 413 ]
}

@test "cx-router: answers come as they are made, side by side, whatever else the connection carries" {
	frames <<-'END'
	c = Client(PORT)
	c.request(1, path="/bytes/500000000")
	c.request(3, path="/slow/1")
	c.request(5, path="/name")
	got, first = set(), {}
	t = time.time()
	while f := c.recv():
	    if f[0] == HEADERS:
	        c.dec.decode(f[3])
	    if f[0] == DATA:
	        if f[3]:
	            c.send(WINDOW, 0, 0, struct.pack(">I", len(f[3])))
	            if not f[1] & END_STREAM:
	                c.send(WINDOW, 0, f[2], struct.pack(">I", len(f[3])))
	        if f[1] & END_STREAM:
	            got.add(f[2])
	    if {3, 5} <= got:
	        break
	assert time.time() - t < 5 and 1 not in got, got
	END
}

@test "cx-router: SIGTERM tells HTTP/2 clients to go, and lets requests under way end" {
	frames 3>&- <<-'END' &
	c = Client(PORT)
	c.request(1, path="/slow/2")
	assert c.until(GOAWAY)
	status, _, body, _, how = c.answer(1)
	assert body == b"late\n" and how == "end", (status, body, how)
	open("whole", "w").close()
	END
	asked=$!
	wait_until 5 grep -q slow one.log
	kill "$ROUTER"
	wait "$asked"
	[ -e whole ]
	st=0
	wait "$ROUTER" || st=$?
	[ "$st" -eq 0 ]
}

@test "cx-router: a WebSocket over HTTP/2 is an upgrade for the process: a tunnel byte for byte, half-closed as well" {
	frames <<-'END'
	import os
	c = Client(PORT)
	f = c.until(SETTINGS)
	assert {8: 1}.items() <= dict(struct.unpack(">HI", f[3][i:i + 6]) for i in range(0, len(f[3]), 6)).items()
	def connect(sid, path="/ws", protocol="websocket", *more):
	    c.send(HEADERS, END_HEADERS, sid, c.enc.encode([(":method", "CONNECT"), (":protocol", protocol), (":scheme", "https"), (":path", path),
	        (":authority", "web.a.convox"), ("sec-websocket-version", "13"), *more]))
	connect(1)
	f = c.until(HEADERS, 1)
	fields = dict(c.dec.decode(f[3]))
	assert fields[":status"] == "200" and "upgrade" not in fields and "connection" not in fields, fields
	for i in range(50):
	    c.send(DATA, 0, 1, bytes([i]))
	    assert c.until(DATA, 1)[3] == bytes([i])
	data = os.urandom(60000)
	for i in range(0, 60000, 10000):
	    c.send(DATA, 0, 1, data[i:i + 10000])
	back = b""
	while len(back) < len(data):
	    back += c.until(DATA, 1)[3]
	assert back == data
	c.send(DATA, END_STREAM, 1)
	rest = b""
	while f := c.until(DATA, 1):
	    rest += f[3]
	    if f[1] & END_STREAM:
	        break
	assert rest == b"bye", rest
	connect(3, protocol="other")
	assert int(dict(c.dec.decode(c.until(HEADERS, 3)[3]))[":status"]) == 501
	connect(5, "/name")
	assert int(dict(c.dec.decode(c.until(HEADERS, 5)[3]))[":status"]) == 502
	connect(7, "/status/404")
	assert int(dict(c.dec.decode(c.until(HEADERS, 7)[3]))[":status"]) == 404
	connect(9, "/slow/1")
	c.send(DATA, 0, 9, b"GET /evil HTTP/1.1\r\n\r\n")
	assert c.until(RST, 9)
	END
	run ! grep -q evil one.log
}
