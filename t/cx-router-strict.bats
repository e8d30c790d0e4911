load helpers
load router

# What two programs could read differently must end here: the process behind answers anything, so a refusal is the
# balancer's own, and nothing of the message may reach the process.

setup() {
	cd "$BATS_TEST_TMPDIR"
	ROUTES=$BATS_TEST_TMPDIR/routes
	mkdir "$ROUTES"
	STARTED=()
	backend one
	route a web.a.convox "$PORT_one"
	router
}

teardown() { stop_all; }

# refused STATUS REQUEST...: each is answered with the status and a close, and never reaches the process.
refused() {
	python3 - "$PLAIN" "$@" <<-'END'
	import socket, sys
	bad = 0
	for text in sys.argv[3:]:
	    data = text.encode("latin-1").decode("unicode_escape").encode("latin-1")
	    s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(3)
	    s.sendall(data)
	    out = b""
	    try:
	        while got := s.recv(65536):
	            out += got
	    except socket.timeout:
	        out += b"[left open]"
	    except ConnectionResetError:
	        pass
	    first = out.split(b"\r\n", 1)[0]
	    if not out.startswith(b"HTTP/1.1 " + sys.argv[2].encode() + b" ") or out.count(b"Content-Type") != 1 or b"[left" in out \
	            or b"Connection: close" not in out:
	        bad = 1
	        print("not refused:", repr(text), "->", first, b"[left" in out, file=sys.stderr)
	sys.exit(bad)
	END
	run ! grep -q '"line"' one.log
}

H='Host: web.a.convox\r\n'

@test "cx-router: lengths that contradict are refused" {
	refused 400 \
		"POST / HTTP/1.1\r\n${H}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" \
		"POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n" \
		"POST / HTTP/1.1\r\n${H}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd" \
		"POST / HTTP/1.1\r\n${H}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc" \
		"POST / HTTP/1.1\r\n${H}Content-Length: 3,3\r\n\r\nabc" \
		"POST / HTTP/1.1\r\n${H}Content-Length: +3\r\n\r\nabc" \
		"POST / HTTP/1.1\r\n${H}Content-Length: -3\r\n\r\nabc" \
		"POST / HTTP/1.1\r\n${H}Content-Length: 0x3\r\n\r\nabc" \
		"POST / HTTP/1.1\r\n${H}Content-Length: 3 3\r\n\r\nabc" \
		"POST / HTTP/1.1\r\n${H}Content-Length:\r\n\r\nabc" \
		"POST / HTTP/1.1\r\n${H}Content-Length: 1.0\r\n\r\nabc" \
		"POST / HTTP/1.1\r\n${H}Content-Length: 18446744073709551619\r\n\r\nabc" \
		"POST / HTTP/1.1\r\n${H}Content-Length: 9223372036854775808\r\n\r\nabc" \
		"POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
}

@test "cx-router: transfer codings other than chunked are refused" {
	refused 501 \
		"POST / HTTP/1.1\r\n${H}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" \
		"POST / HTTP/1.1\r\n${H}Transfer-Encoding: identity\r\n\r\n0\r\n\r\n" \
		"POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" \
		"POST / HTTP/1.1\r\n${H}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" \
		"POST / HTTP/1.1\r\n${H}Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" \
		"POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked;x=y\r\n\r\n0\r\n\r\n" \
		"POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n" \
		"POST / HTTP/1.1\r\n${H}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" \
		"POST / HTTP/1.1\r\n${H}Transfer-Encoding:\r\n\r\n0\r\n\r\n"
	refused 400 \
		"POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" \
		"POST / HTTP/1.1\r\n${H}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" \
		"POST / HTTP/1.1\r\n${H}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" \
		"POST / HTTP/1.1\r\n${H} Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" \
		"POST / HTTP/1.1\r\n${H}X: a\r\n\tTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" \
		"POST / HTTP/1.1\r\n${H}Transfer\x00-Encoding: chunked\r\n\r\n0\r\n\r\n" \
		"POST / HTTP/1.1\r\n${H}Transfer_Encoding\xff: chunked\r\n\r\n0\r\n\r\n"
}

@test "cx-router: lines that do not end in CRLF, folds, controls and names that are none are refused" {
	refused 400 \
		"GET / HTTP/1.1\n${H}\r\n" \
		"GET / HTTP/1.1\r\nHost: web.a.convox\n\r\n" \
		"GET / HTTP/1.1\r\n${H}X: a\rb\r\n\r\n" \
		"GET / HTTP/1.1\r\n${H}X: a\r\r\n\r\n" \
		"GET / HTTP/1.1\r\n${H}\r\r\n\r\n" \
		"GET / HTTP/1.1\r\n${H}\n\r\n" \
		"GET / HTTP/1.1\r\n${H}X: a\x00b\r\n\r\n" \
		"GET / HTTP/1.1\r\n${H}X: a\x7fb\r\n\r\n" \
		"GET / HTTP/1.1\r\n${H}X: a\x01b\r\n\r\n" \
		"GET / HTTP/1.1\r\n${H}X: a\r\n b\r\n\r\n" \
		"GET / HTTP/1.1\r\n${H}X : a\r\n\r\n" \
		"GET / HTTP/1.1\r\n${H}X\t: a\r\n\r\n" \
		"GET / HTTP/1.1\r\n${H}: a\r\n\r\n" \
		"GET / HTTP/1.1\r\n${H}X\r\n\r\n" \
		"GET / HTTP/1.1\r\n${H}X(: a\r\n\r\n" \
		"GET / HTTP/1.1\r\n X: a\r\n${H}\r\n"
}

@test "cx-router: request lines that are none are refused" {
	refused 400 \
		"GET  / HTTP/1.1\r\n${H}\r\n" "GET / HTTP/1.1 \r\n${H}\r\n" " GET / HTTP/1.1\r\n${H}\r\n" \
		"GET /a b HTTP/1.1\r\n${H}\r\n" "GET\t/ HTTP/1.1\r\n${H}\r\n" "GET /\x00 HTTP/1.1\r\n${H}\r\n" \
		"GET /\x80 HTTP/1.1\r\n${H}\r\n" "GET /#f HTTP/1.1\r\n${H}\r\n" "GET a HTTP/1.1\r\n${H}\r\n" \
		"GET /\r\n${H}\r\n" "GET / http/1.1\r\n${H}\r\n" "GET / HTTP/1.1x\r\n${H}\r\n" "GET / HTTP/1\r\n${H}\r\n" \
		"G(T / HTTP/1.1\r\n${H}\r\n" "GET * HTTP/1.1\r\n${H}\r\n" "GET / HTTP/1.1\x0b\r\n${H}\r\n" \
		"\r\n\r\n\r\nGET / HTTP/1.1\r\n${H}\r\n" "GET / XHTTP/1.1\r\n${H}\r\n" \
		"\x16\x03\x01\x02\x00\x01\r\n\r\n"
	refused 505 "GET / HTTP/2.0\r\n${H}\r\n" "GET / HTTP/1.2\r\n${H}\r\n" "GET / HTTP/0.9\r\n${H}\r\n" \
		"PRI * HTTP/2.0\r\n\r\nSM\n\r\n" "PRI * HTTP/2.0\r\nHost: x\r\n\r\n"
	refused 405 "CONNECT web.a.convox:443 HTTP/1.1\r\n${H}\r\n" "TRACE / HTTP/1.1\r\n${H}\r\n"
}

@test "cx-router: exactly one Host that is a name or an address is needed, and an absolute target must agree" {
	refused 400 \
		"GET / HTTP/1.1\r\n\r\n" "GET / HTTP/1.1\r\n${H}${H}\r\n" "GET / HTTP/1.1\r\nHost:\r\n\r\n" \
		"GET / HTTP/1.1\r\nHost: web.a.convox, x\r\n\r\n" "GET / HTTP/1.1\r\nHost: u@web.a.convox\r\n\r\n" \
		"GET / HTTP/1.1\r\nHost: web.a.convox/x\r\n\r\n" "GET / HTTP/1.1\r\nHost: web.a.convox:80x\r\n\r\n" \
		"GET / HTTP/1.1\r\nHost: web.a.convox:123456\r\n\r\n" "GET / HTTP/1.1\r\nHost: web.a.convox x\r\n\r\n" \
		"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n" "GET / HTTP/1.1\r\nHost: :80\r\n\r\n" \
		"GET http://other.convox/ HTTP/1.1\r\n${H}\r\n" "GET http://u@web.a.convox/ HTTP/1.1\r\n${H}\r\n" \
		"GET ftp://web.a.convox/ HTTP/1.1\r\n${H}\r\n"
	[ "$(ask /name --request-target http://web.a.convox/name)" = one ]
	[ "$(ask /name --request-target HTTP://WEB.A.convox/name)" = one ]
}

@test "cx-router: limits: a line of 16 KiB, a head of 64 KiB, 200 fields; what is just below passes" {
	a() { printf 'a%.0s' $(seq "$1"); }
	long=$(a 16100)
	[ "$(code "/name?$long")" = 200 ]
	[ "$(code /name -H "X: $long")" = 200 ]
	[ "$(code /name -H "A: $long" -H "B: $long" -H "C: $long")" = 200 ]
	echo > one.log
	toolong=$(a 16400)
	refused 414 "GET /$toolong HTTP/1.1\r\n${H}\r\n" "$toolong"
	refused 400 "GET / HTTP/1.1\r\n${H}X: $toolong\r\n\r\n" \
		"GET / HTTP/1.1\r\n${H}A: $long\r\nB: $long\r\nC: $long\r\nD: $long\r\nE: $long\r\n\r\n" \
		"GET / HTTP/1.1\r\n${H}$(printf 'x: y\\r\\n%.0s' $(seq 201))\r\n" \
		"GET / HTTP/1.1\r\n${H}$toolong"
}

@test "cx-router: chunks that are malformed end the connection, and the process never takes the body for whole" {
	python3 - "$PLAIN" <<-'END'
	import socket, sys
	bad = [b"x\r\n", b"3\nabc\r\n0\r\n\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"3\r\nabc0\r\n\r\n", b"-3\r\nabc\r\n", b"0x3\r\nabc\r\n", b"+3\r\nabc\r\n",
	    b" 3\r\nabc\r\n0\r\n\r\n", b"3 \r\nabc\r\n0\r\n\r\n", b"3\t\r\nabc\r\n0\r\n\r\n", b"\r\n3\r\nabc\r\n", b"3;\r\nabc\r\n0\r\n\r\n",
	    b"3;a\nb\r\nabc\r\n0\r\n\r\n", b"3;a\0\r\nabc\r\n0\r\n\r\n", b"3\rabc\r\n0\r\n\r\n", b"10000000000000000\r\n", b"fffffffffffffffff\r\nabc",
	    b"3\r\nabc\n0\r\n\r\n", b"3\r\nabc\r\r\n0\r\n\r\n", b"0\r\nX y\x00: 1\r\n\r\n", b"0\n\n", b"0\r\n\n", b"3;" + b"a" * 2000 + b"\r\nabc\r\n0\r\n\r\n",
	    b"0\r\n" + b"X: y\r\n" * 4000 + b"\r\n"]
	for body in bad:
	    s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(3)
	    s.sendall(b"POST / HTTP/1.1\r\nHost: web.a.convox\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
	    out = b""
	    try:
	        while got := s.recv(65536):
	            out += got
	    except ConnectionResetError:
	        pass
	    assert out.startswith(b"HTTP/1.1 400 ") and out.count(b"HTTP/1.1") == 1, (body[:40], out[:100])
	END
	run ! grep -q '"body"' one.log
}

@test "cx-router: a body arrives byte by byte as well as whole" {
	python3 - "$PLAIN" <<-'END'
	import socket, sys, time
	s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(5)
	s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
	for b in b"POST /echo HTTP/1.1\r\nHost: web.a.convox\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3;x=\"y z\"\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n":
	    s.sendall(bytes([b]))
	    time.sleep(0.001)
	out = b""
	while got := s.recv(65536):
	    out += got
	assert out.startswith(b"HTTP/1.1 200") and out.endswith(b"abcde"), out
	END
}

@test "cx-router: what a client sends in a field cannot become a line of another message" {
	ask / -H 'X: a%0d%0aEvil: 1' -H 'Connection: close, X-Forwarded-For, Host, Content-Length' --data-binary xy -X POST > seen
	python3 - <<-'END'
	import json
	raw = json.load(open("seen"))["raw"].lower().split("\r\n")
	assert not any(f.startswith("evil") for f in raw)
	assert "content-length: 2" in raw and "host: web.a.convox" in raw, raw
	END
}

@test "cx-router: hundreds of clients that send nothing, or half a head, hold up nobody" {
	python3 - "$PLAIN" 3>&- <<-'END' &
	import socket, sys, time
	held = []
	for i in range(300):
	    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
	    if i % 2:
	        s.sendall(b"GET / HTTP/1.1\r\nHost: web.a")
	    held.append(s)
	print("held", flush=True)
	open("held", "w").close()
	time.sleep(20)
	END
	STARTED+=($!)
	wait_until 10 test -e held
	for _ in 1 2 3 4 5; do [ "$(ask /name --max-time 2)" = one ]; done
}
