load helpers
load router

# A rack's router: everything from rack.json, leaves from cx-mint, high ports on an address of the rack.

setup() {
	cd "$BATS_TEST_TMPDIR"
	make_spool
	ROUTES=$CX_SPOOL/routes
	STARTED=()
	# Tests run side by side: ports of their own.
	HTTPS=$(free_port)
	HTTP=$(free_port)
	sed -i "s/\"https\":8443,\"http\":8080/\"https\":$HTTPS,\"http\":$HTTP/" "$CX_SPOOL/rack.json"
	chmod 755 "$CX_SPOOL" "$ROUTES"
	cx-mint init
}

teardown() { stop_all; }

# tls HOST PATH [CURL OPTION...]: verified with the rack's authority only.
tls() {
	local host=$1 path=$2
	shift 2
	curl -sS --max-time 10 --cacert "$CX_SPOOL/ca/ca.crt" --resolve "$host:$HTTPS:127.84.9.1" "$@" "https://$host:$HTTPS$path"
}

client() { openssl s_client -connect "127.84.9.1:$HTTPS" -CAfile "$CX_SPOOL/ca/ca.crt" -verify_return_error "$@" < /dev/null 2>&1; }

@test "cx-router: every name of the rack has a certificate at once: of a route, below one, of no route, of new ones" {
	backend one
	route a web.a.convox "$PORT_one"
	launch
	[ "$(tls web.a.convox /name)" = one ]
	[ "$(tls x.web.a.convox /name)" = one ]
	[ "$(tls x.y.web.a.convox /name)" = one ]
	[ "$(tls WEB.A.CONVOX /name)" = one ]
	client -noservername | openssl x509 -noout -checkhost convox | grep -q 'does match'
	[ "$(tls nobody.convox / -o /dev/null -w '%{http_code}')" = 404 ]
	for i in $(seq 20); do
		tls "web.app$i.convox" / -o /dev/null -w '%{http_code}\n' 3>&- &
	done > codes
	wait $(jobs -p | grep -v -e "$PID_one" -e "$ROUTER") || true
	[ "$(grep -c 404 codes)" -eq 20 ]
}

@test "cx-router: a name outside the domain gets no certificate, and the next client is served" {
	backend one
	route a web.a.convox "$PORT_one"
	launch
	for i in 1 2; do
		run tls www.example.com /
		[ "$status" -eq 35 ]
	done
	[ "$(tls web.a.convox /name)" = one ]
}

@test "cx-router: alone it serves one certificate from a file, named from where it was started" {
	backend one
	route a web.a.convox "$PORT_one"
	cx-mint leaf web.a.convox > chain.pem
	env -u CX_SPOOL cx-router --routes "$ROUTES" --listen "127.0.0.1:$HTTPS" --cert chain.pem 3>&- &
	STARTED+=($!)
	wait_until 5 listens 127.0.0.1 "$HTTPS"
	[ "$(curl -sS --cacert "$CX_SPOOL/ca/ca.crt" --resolve "web.a.convox:$HTTPS:127.0.0.1" "https://web.a.convox:$HTTPS/name")" = one ]
}

@test "cx-router: TLS 1.2 and 1.3 with forward secrecy, nothing older" {
	launch
	client -servername web.a.convox -tls1_3 | grep -q 'Verify return code: 0 (ok)'
	client -servername web.a.convox -tls1_2 | grep -q 'Verify return code: 0 (ok)'
	run client -servername web.a.convox -tls1_1 -cipher 'ALL:@SECLEVEL=0'
	[ "$status" -ne 0 ]
	for c in AES128-GCM-SHA256 ECDHE-ECDSA-AES128-SHA256 ECDHE-ECDSA-AES128-SHA; do
		run client -servername web.a.convox -tls1_2 -cipher "$c:@SECLEVEL=0"
		[ "$status" -ne 0 ]
	done
}

@test "cx-router: sessions are resumed in both versions" {
	launch
	for v in tls1_3 tls1_2; do
		rm -f sess
		(printf 'GET / HTTP/1.1\r\nHost: web.a.convox\r\nConnection: close\r\n\r\n'; sleep 0.3) |
			openssl s_client -connect "127.84.9.1:$HTTPS" -servername web.a.convox -$v -sess_out sess -ign_eof > out 2>&1
		grep -q '^New, ' out
		# Each resumed session gives what the next one needs.
		for _ in 1 2 3; do
			printf 'GET /name HTTP/1.1\r\nHost: web.a.convox\r\nConnection: close\r\n\r\n' |
				openssl s_client -connect "127.84.9.1:$HTTPS" -servername web.a.convox -$v -sess_in sess -sess_out next -ign_eof > out 2>&1
			grep -q '^Reused, ' out
			[ "$v" = tls1_2 ] || mv next sess
		done
	done
}

@test "cx-router: ALPN chooses, and refuses what it does not speak" {
	launch
	client -servername web.a.convox -alpn h2,http/1.1 | grep -q 'ALPN protocol: h2'
	run client -servername web.a.convox -alpn spdy/3
	[ "$status" -ne 0 ]
	[[ "$output" == *"no application protocol"* ]]
}

@test "cx-router: large bodies pass through TLS whole, and the process learns of https and its port" {
	backend one
	route a web.a.convox "$PORT_one"
	launch
	head -c 5000000 /dev/urandom > big
	tls web.a.convox /echo --data-binary @big -o back
	cmp big back
	[ "$(tls web.a.convox /bytes/5000001 | wc -c)" -eq 5000001 ]
	tls web.a.convox /head > seen
	grep -q "X-Forwarded-Proto: https" seen
	grep -q "X-Forwarded-Port: $HTTPS" seen
}

@test "cx-router: a truncated answer is an error for the client over TLS too" {
	backend one
	route a web.a.convox "$PORT_one"
	launch
	run tls web.a.convox /short
	[ "$status" -ne 0 ]
	[ "$(tls web.a.convox /close)" = "until the end" ]
}

@test "cx-router: the rack's plain port leads to https on the rack's port" {
	launch
	run -0 curl -sS -o /dev/null -w '%{http_code} %{redirect_url}' --resolve "web.a.convox:$HTTP:127.84.9.1" "http://web.a.convox:$HTTP/x?y"
	[ "$output" = "301 https://web.a.convox:$HTTPS/x?y" ]
}

@test "cx-router: clients that stop in the middle of a handshake, or speak nonsense, hold up nobody" {
	backend one
	route a web.a.convox "$PORT_one"
	launch
	python3 - "$HTTPS" 3>&- <<-'END' &
	import os, socket, sys, time
	held = []
	for i in range(200):
	    s = socket.create_connection(("127.84.9.1", int(sys.argv[1])))
	    s.sendall([b"", b"\x16\x03\x01\x02\x00\x01", os.urandom(200), b"GET / HTTP/1.1\r\n\r\n"][i % 4])
	    held.append(s)
	open("held", "w").close()
	time.sleep(20)
	END
	STARTED+=($!)
	wait_until 10 test -e held
	for _ in 1 2 3; do [ "$(tls web.a.convox /name --max-time 3)" = one ]; done
}

@test "cx-router: when a cx-mint dies it is started again with its worker" {
	backend one
	route a web.a.convox "$PORT_one"
	launch
	mint=$(pgrep -P "$ROUTER" -x cx-mint | head -1)
	kill -9 "$mint"
	for _ in 1 2 3 4; do [ "$(tls web.a.convox /name)" = one ]; done
	wait_until 5 sh -c "! kill -0 $mint 2>/dev/null"
	for i in 1 2 3 4; do [ "$(tls "new$i.web.a.convox" /name)" = one ]; done
}

@test "cx-router: the worker can read neither the authority's key nor the rack's" {
	[ "$(id -u)" -eq 0 ] || skip "not root"
	launch
	worker=$(pgrep -P "$ROUTER" -x cx-router | head -1)
	ls -l "/proc/$worker/fd" > fds
	grep -q access.log fds
	run ! grep -E '\.key|/key$|/spool$' fds
	run setpriv --reuid 65534 --regid 65534 --clear-groups cat "$CX_SPOOL/ca/ca.key"
	[ "$status" -ne 0 ]
}

@test "cx-router: the access log is moved aside at 10 MB and goes on" {
	backend one
	route a web.a.convox "$PORT_one"
	head -c 10485759 /dev/zero | tr '\0' '\n' > "$CX_SPOOL/log/access.log"
	launch
	tls web.a.convox /name
	wait_until 5 test -s "$CX_SPOOL/log/access.log.1"
	tls web.a.convox /name?again
	wait_until 5 grep -q again "$CX_SPOOL/log/access.log"
	[ "$(stat -c %s "$CX_SPOOL/log/access.log")" -lt 10000 ]
}

@test "cx-router: the gateway is served only from the rack's bridge, as soon as that is there, and again when it is made anew" {
	[ "$(id -u)" -eq 0 ] || skip "not root"
	command -v ip || skip "no ip"
	# A network of the test's own: a bridge, and a neighbour on another one.
	cat > inside.sh <<-'END'
	set -e
	. ./inside.env
	up() { ip link add cxt9 type bridge && ip addr add 10.184.9.1/24 dev cxt9 && ip link set cxt9 up; }
	ip link set lo up
	cx-router 2> router.err & router=$!
	trap 'kill $router; wait $router' EXIT
	for i in $(seq 100); do curl -s -o /dev/null "http://127.84.9.1:$HTTP/" && break; sleep 0.05; done
	peer() { # from a namespace behind the bridge
		ip netns exec cxn9 curl -sS --max-time 3 -o /dev/null -w '%{http_code} %{redirect_url}\n' "$@"
	}
	mount -t tmpfs none /run && mkdir -p /run/netns && ip netns add cxn9 && ip netns add cxo9
	for round in 1 2; do
		up
		ip link add v9 type veth peer name p9 && ip link set v9 master cxt9 up && ip link set p9 netns cxn9
		ip netns exec cxn9 ip addr add 10.184.9.2/24 dev p9 && ip netns exec cxn9 ip link set p9 up
		ok=
		for i in $(seq 40); do
			[ "$(peer http://10.184.9.1/ -H 'Host: web.a.convox')" = "301 https://web.a.convox/" ] && { ok=1; break; }
			sleep 0.1
		done 2>/dev/null
		[ "$ok" ] || { echo "round $round: the gateway does not answer"; exit 1; }
		[ "$(peer --cacert "$CX_SPOOL/ca/ca.crt" --resolve web.a.convox:443:10.184.9.1 https://web.a.convox/)" = "404 " ]
		if [ $round = 1 ]; then
			# a neighbour that routes to the gateway does not reach it
			ip link add w9 type veth peer name q9 && ip addr add 10.185.9.1/24 dev w9 && ip link set w9 up && ip link set q9 netns cxo9
			ip netns exec cxo9 ip addr add 10.185.9.2/24 dev q9 && ip netns exec cxo9 ip link set q9 up
			ip netns exec cxo9 ip route add 10.184.9.0/24 via 10.185.9.1
			ip netns exec cxo9 ping -c1 -W1 10.184.9.1 > /dev/null || true
			! ip netns exec cxo9 curl -sS --max-time 2 -o /dev/null http://10.184.9.1/ || { echo "reached by a neighbour"; exit 1; }
		fi
		ip link del cxt9
		ip netns exec cxn9 ip link del p9 2>/dev/null || true
	done
	echo fine
	END
	echo "HTTP=$HTTP" > inside.env
	run unshare -n -m sh inside.sh
	[ "$status" -eq 0 ] || { echo "$output"; cat router.err; return 1; }
	[[ "$output" == *fine ]]
}
