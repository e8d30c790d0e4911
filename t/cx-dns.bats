load helpers

setup() {
	make_spool
	chmod 711 "$CX_SPOOL" && chmod 755 "$CX_SPOOL/routes"
	local port
	port=$(free_port)
	jq --argjson p "$port" '.ports.dns = $p | .bridge = "" | .address = "127.84.9.1"' "$CX_SPOOL/rack.json" > "$CX_SPOOL/r" && mv "$CX_SPOOL/r" "$CX_SPOOL/rack.json"
	route hello web.hello.convox
	cx-dns 3>&- &
	DNS=$! PORT=$port
	wait_until 5 ask web.hello.convox A
}

teardown() {
	kill "$DNS" $MORE || true
	wait "$DNS" $MORE || true
	[ ! -e "$BATS_TEST_TMPDIR/bridged" ] || no_bridge
}

# alone DOMAIN ANSWER [OPTION...]: one more cx-dns, without a rack; its port is in $SECOND.
alone() {
	local domain=$1 answer=$2
	shift 2
	SECOND=$(free_port)
	mkdir -p "$BATS_TEST_TMPDIR/$domain"
	echo "{\"v\":1,\"app\":\"a\",\"services\":[{\"name\":\"web\",\"hosts\":[\"web.a.$domain\"]}],\"resources\":[]}" > "$BATS_TEST_TMPDIR/$domain/a.json"
	chmod 755 "$BATS_TEST_TMPDIR/$domain" && chmod 644 "$BATS_TEST_TMPDIR/$domain/a.json"
	cx-dns --routes "$BATS_TEST_TMPDIR/$domain" --domain "$domain" --listen "127.84.9.1:$SECOND" --answer "$answer" "$@" 3>&- &
	MORE="${MORE-} $!"
	PORT=$SECOND wait_until 5 ask "web.a.$domain" A
}

# raw SCRIPT: python, with query() and the socket of the first cx-dns at hand.
raw() {
	python3 -c "
import socket, struct, sys, time
at = ('127.84.9.1', $PORT)
def name(n): return b''.join(bytes([len(l)]) + l.encode() for l in n.split('.')) + b'\\0'
def query(n, t=1, id=7, flags=0x100): return struct.pack('>6H', id, flags, 1, 0, 0, 0) + name(n) + struct.pack('>HH', t, 1)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.settimeout(1); udp.connect(at)
def take(c, n):
    b = b''
    while len(b) < n:
        p = c.recv(n - len(b))
        if not p: raise SystemExit('closed')
        b += p
    return b
def message(c): return take(c, struct.unpack('>H', take(c, 2))[0])
def framed(m): return struct.pack('>H', len(m)) + m
$1"
}

no_bridge() {
	ip netns del cxt253 || true
	ip link del cxt253v || true
	ip link del cxt253 || true
} 2>/dev/null

# bridge: a network like an engine's, and a place on it that is not this host.
bridge() {
	touch "$BATS_TEST_TMPDIR/bridged"
	no_bridge
	ip link add cxt253 type bridge && ip addr add 10.184.253.1/24 dev cxt253 && ip link set cxt253 up &&
		ip netns add cxt253 && ip link add cxt253v type veth peer name eth0 netns cxt253 &&
		ip link set cxt253v master cxt253 up && ip -n cxt253 addr add 10.184.253.2/24 dev eth0 && ip -n cxt253 link set eth0 up
}

route() {
	echo "{\"v\":1,\"app\":\"$1\",\"services\":[{\"name\":\"web\",\"hosts\":[\"$2\"]}],\"resources\":[]}" > "$CX_SPOOL/routes/.$1"
	chmod 644 "$CX_SPOOL/routes/.$1"
	mv "$CX_SPOOL/routes/.$1" "$CX_SPOOL/routes/$1.json"
}

ask() {
	dig +tries=1 +time=1 +noall +comments +answer +authority -p "$PORT" @127.84.9.1 "$@"
}

answers() {
	ask "$1" A | grep -q '127\.84\.9\.1$'
}

@test "cx-dns: a service and the names below it have the rack's address" {
	answers web.hello.convox
	answers x.web.hello.convox
}

@test "cx-dns: the case of a question is kept" {
	run --separate-stderr ask WeB.Hello.convox A
	[[ $output == *WeB.Hello.convox.* ]] || { dump; false; }
}

@test "cx-dns: a name without data is NOERROR, an unknown one NXDOMAIN, both with SOA" {
	run --separate-stderr ask hello.convox A
	[[ $output == *NOERROR* && $output == *SOA* ]] || { dump; false; }
	run --separate-stderr ask no.hello.convox A
	[[ $output == *NXDOMAIN* && $output == *SOA* ]] || { dump; false; }
}

@test "cx-dns: a route that is published is answered, one that goes is not" {
	route other web.other.convox
	wait_until 2 answers web.other.convox
	rm "$CX_SPOOL/routes/other.json"
	gone() { ask web.other.convox A | grep -q NXDOMAIN; }
	wait_until 2 gone
}

@test "cx-dns: a broken file of routes takes no names away, and harms no other" {
	echo '{"v":1,' > "$CX_SPOOL/routes/hello.json"
	route other web.other.convox
	wait_until 2 answers web.other.convox
	answers web.hello.convox
}

@test "cx-dns: --help prints the usage, half of the options are refused (100)" {
	run --separate-stderr cx-dns --help
	[ "$status" -eq 0 ] && [[ $output == "usage: cx-dns"* ]] || { dump; false; }
	run --separate-stderr cx-dns --routes /tmp --domain x
	[ "$status" -eq 100 ] && [ -z "$output" ] || { dump; false; }
}

@test "cx-dns: TCP is answered, several queries on one connection, also when they come in pieces" {
	run --separate-stderr ask +tcp +keepopen web.hello.convox A x.web.hello.convox A
	[ "$(grep -c '127\.84\.9\.1$' <<< "$output")" -eq 2 ] || { dump; false; }
	raw "
c = socket.create_connection(at, 2)
both = framed(query('web.hello.convox', id=1)) + framed(query('no.hello.convox', id=2))
for b in both[:-1]: c.send(bytes([b]))
a = message(c)
c.send(both[-1:])
b = message(c)
assert a[:2] == b'\\0\\1' and a[-4:] == bytes([127, 84, 9, 1]) and b[:2] == b'\\0\\2' and b[3] & 15 == 3"
}

@test "cx-dns: other domains are asked of the resolver, by UDP and by TCP; a dead resolver is passed over" {
	alone other 127.84.9.7
	local dead other=$SECOND
	dead=$(free_port)
	alone mine 127.84.9.8 --resolver "127.84.9.1@$dead" --resolver "127.84.9.1@$other"
	PORT=$SECOND
	run --separate-stderr ask web.a.other A
	[[ $output == *127.84.9.7* ]] || { dump; false; }
	run --separate-stderr ask +tcp web.a.other A
	[[ $output == *127.84.9.7* ]] || { dump; false; }
	run --separate-stderr ask no.a.other A
	[[ $output == *NXDOMAIN* ]] || { dump; false; }
	run --separate-stderr ask web.a.mine A
	[[ $output == *127.84.9.8* ]] || { dump; false; }
}

@test "cx-dns: without a resolver other domains are SERVFAIL" {
	run --separate-stderr ask example.org A
	[[ $output == *SERVFAIL* ]] || { dump; false; }
	run --separate-stderr ask +tcp example.org A
	[[ $output == *SERVFAIL* ]] || { dump; false; }
}

@test "cx-dns: never asks itself" {
	local own
	own=$(free_port)
	free_port() { echo "$own"; }
	alone mine 127.84.9.8 --resolver "127.84.9.1@$own"
	PORT=$own
	run --separate-stderr ask example.org A
	[[ $output == *SERVFAIL* ]] || { dump; false; }
}

@test "cx-dns: ANY is HINFO, NOTIFY is NOTIMP, class CH is REFUSED, a later EDNS is BADVERS" {
	run --separate-stderr ask web.hello.convox ANY
	[[ $output == *HINFO*RFC8482* ]] || { dump; false; }
	run --separate-stderr ask +opcode=NOTIFY convox SOA
	[[ $output == *NOTIMP* ]] || { dump; false; }
	run --separate-stderr ask -c CH version.bind TXT
	[[ $output == *REFUSED* ]] || { dump; false; }
	run --separate-stderr ask +edns=1 +noednsnegotiation web.hello.convox A
	[[ $output == *BADVERS* && $output != *127.84.9.1* ]] || { dump; false; }
}

@test "cx-dns: what is no query is FORMERR or nothing, a reply is never answered, and it lives on" {
	raw "
good = query('web.hello.convox')
def ask(m):
    udp.send(m)
    udp.send(query('web.hello.convox', id=999))
    got = udp.recv(4096)
    if got[:2] == struct.pack('>H', 999): return None
    assert udp.recv(4096)[:2] == struct.pack('>H', 999)
    return got
for n in range(len(good)):
    r = ask(good[:n])
    assert r is None if n < 12 else r[3] & 15 == 1, n
header = struct.pack('>6H', 7, 0x100, 1, 0, 0, 0)
loop = header + b'\\xc0\\x0c\\0\\1\\0\\1'
long = header + (b'\\x3f' + b'a' * 63) * 5 + b'\\0\\0\\1\\0\\1'
for m in (loop, long, good + b'surplus', struct.pack('>6H', 7, 0x100, 2, 0, 0, 0) + good[12:], b'\\xff\\xff\\0' + b'\\xff' * 500):
    r = ask(m)
    assert r is None or r[3] & 15 in (1, 4), m
assert ask(query('web.hello.convox', flags=0x8180)) is None
c = socket.create_connection(at, 2); c.send(b'\\0\\3abc'); assert c.recv(10) == b''"
	answers web.hello.convox
}

@test "cx-dns: a connection that breaks under its queries harms nobody" {
	raw "
for i in range(50):
    c = socket.create_connection(at, 2)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    c.send(b''.join(framed(query(n)) for n in ('example.org', 'web.hello.convox') * 40))
    c.close()"
	answers web.hello.convox
	kill -0 "$DNS"
}

@test "cx-dns: the worker is the rack's user, without a way to more" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	local worker
	worker=$(pgrep -P "$DNS")
	grep -Pq '^Uid:\t65534\t65534\t65534\t65534$' "/proc/$worker/status"
	grep -Pq '^Gid:\t65534\t65534\t65534\t65534$' "/proc/$worker/status"
	grep -Pq '^NoNewPrivs:\t1$' "/proc/$worker/status"
	grep -Pq '^CapEff:\t0+$' "/proc/$worker/status"
}

@test "cx-dns: a port in use is refused (111), its holder is named" {
	run --separate-stderr cx-dns
	[ "$status" -eq 111 ] && [[ $stderr == *"$PORT"*cx-dns* ]] || { dump; false; }
}

@test "cx-dns: SIGTERM ends both processes, with 0" {
	alone mine 127.84.9.8
	local rc=0 pid=${MORE# } worker
	worker=$(pgrep -P "$pid")
	kill "$pid"
	wait "$pid" || rc=$?
	MORE=
	[ "$rc" -eq 0 ] && [ ! -e "/proc/$worker" ]
}

@test "cx-dns: containers get the gateway, whenever the bridge comes, and when it comes again" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	bridge || skip "no network namespaces here"
	no_bridge
	kill "$DNS" && wait "$DNS"
	jq '.bridge = "cxt253" | .gateway = "10.184.253.1" | .subnet = "10.184.253.0/24"' "$CX_SPOOL/rack.json" > "$CX_SPOOL/r" && mv "$CX_SPOOL/r" "$CX_SPOOL/rack.json"
	cx-dns 3>&- &
	DNS=$!
	wait_until 5 ask web.hello.convox A
	inside() { ip netns exec cxt253 dig +tries=1 +time=1 +noall +answer "$@" @10.184.253.1 web.hello.convox A | grep -q '10\.184\.253\.1$'; }
	bridge
	wait_until 5 inside
	inside +tcp
	no_bridge
	bridge
	wait_until 5 inside
	inside +tcp
	answers web.hello.convox
}

@test "cx-dns: a worker that is killed is started again, and what was asked meanwhile is answered" {
	local worker
	for _ in 1 2 3; do
		worker=$(pgrep -P "$DNS")
		kill -9 "$worker"
		ask +time=5 web.hello.convox A | grep -q '127\.84\.9\.1$'
		[ "$(pgrep -P "$DNS")" != "$worker" ]
	done
}

@test "cx-dns: a folder of routes that is removed and made again, or exchanged, is watched again" {
	rm -r "$CX_SPOOL/routes"
	gone() { ask web.hello.convox A | grep -q NXDOMAIN; }
	wait_until 3 gone
	mkdir "$CX_SPOOL/routes" && chmod 755 "$CX_SPOOL/routes"
	route again web.again.convox
	wait_until 3 answers web.again.convox
	route later web.later.convox
	wait_until 1 answers web.later.convox
	cp -r "$CX_SPOOL/routes" "$CX_SPOOL/routes.new" && chmod 755 "$CX_SPOOL/routes.new" && rm "$CX_SPOOL/routes.new/later.json"
	mv "$CX_SPOOL/routes" "$CX_SPOOL/routes.old" && mv "$CX_SPOOL/routes.new" "$CX_SPOOL/routes"
	less() { answers web.again.convox && ask web.later.convox A | grep -q NXDOMAIN; }
	wait_until 3 less
	route new web.new.convox
	wait_until 1 answers web.new.convox
}

@test "cx-dns: resolvers that rack.json says later are asked, those that it says no more are not" {
	alone other 127.84.9.7
	PORT=$(jq .ports.dns "$CX_SPOOL/rack.json")
	ask web.a.other A | grep -q SERVFAIL
	say() { jq --arg r "$1" '.resolvers = [$r]' "$CX_SPOOL/rack.json" > "$CX_SPOOL/r" && mv "$CX_SPOOL/r" "$CX_SPOOL/rack.json"; }
	say "127.84.9.1@$SECOND"
	found() { ask web.a.other A | grep -q '127\.84\.9\.7$'; }
	wait_until 5 found
	say "127.84.9.1@$(free_port)"
	lost() { ask web.a.other A | grep -q SERVFAIL; }
	wait_until 5 lost
}

@test "cx-dns: several workers answer, each alone after others are killed, and count together" {
	kill "$DNS" && wait "$DNS"
	cx-dns --workers 3 3>&- &
	DNS=$!
	wait_until 5 answers web.hello.convox
	count() { curl -s --unix-socket "$CX_SPOOL/run/cx-dns.metrics" http://cx/ | awk '/^cx_dns_queries_total/ { n += $2 } END { print n + 0 }'; }
	local before after
	before=$(count)
	for _ in $(seq 40); do answers web.hello.convox; done
	after=$(count)
	[ $((after - before)) -eq 40 ]
	[ "$(pgrep -P "$DNS" | wc -l)" -eq 3 ]
	route other web.other.convox
	everywhere() { for _ in $(seq 20); do answers web.other.convox || return 1; done; }
	wait_until 3 everywhere
	kill -9 $(pgrep -P "$DNS" | head -2)
	for _ in $(seq 20); do answers web.other.convox; done
	run --separate-stderr cx-dns --workers 3
	[ "$status" -eq 111 ] && [[ $stderr == *"is taken by cx-dns"* ]] || { dump; false; }
}

@test "cx-dns: metrics are OpenMetrics, for their owner only" {
	answers web.hello.convox
	ask nobody.convox A > /dev/null
	run --separate-stderr curl -si --unix-socket "$CX_SPOOL/run/cx-dns.metrics" http://cx/metrics
	[[ $output == *"application/openmetrics-text; version=1.0.0"* && $output == *'cx_dns_answers_total{rcode="NXDOMAIN"} 1'* && $output == *"cx_dns_names 1"* && $output == *"# EOF" ]] || { dump; false; }
	[ "$(stat -c %a "$CX_SPOOL/run/cx-dns.metrics")" = 600 ]
	kill "$DNS" && wait "$DNS"
	[ ! -e "$CX_SPOOL/run/cx-dns.metrics" ]
	cx-dns 3>&- &
	DNS=$!
	wait_until 5 answers web.hello.convox
}

@test "cx-dns: of 5,000 route files only the one that changed is read, and it is answered within 100 ms" {
	python3 -c "
import json
for i in range(5000):
    json.dump({'v': 1, 'app': 'a%d' % i, 'services': [{'name': 'web', 'hosts': ['web.a%d.convox' % i]}]}, open('$CX_SPOOL/routes/a%d.json' % i, 'w'))"
	wait_until 10 answers web.a4999.convox
	raw "
import os, json
def put(host):
    open('$CX_SPOOL/routes/.n', 'w').write(json.dumps({'v': 1, 'app': 'n', 'services': [{'name': 'web', 'hosts': [host]}]}))
    os.rename('$CX_SPOOL/routes/.n', '$CX_SPOOL/routes/n.json')
took = []
for i in range(20):
    put('n%d.n.convox' % i)
    start = time.time()
    while True:
        udp.send(query('n%d.n.convox' % i))
        if udp.recv(4096)[3] & 15 == 0: break
        assert time.time() - start < 5
    took.append(time.time() - start)
    udp.send(query('n%d.n.convox' % (i - 1))); assert udp.recv(4096)[3] & 15 == 3
print(sorted(took)[10])
assert sorted(took)[10] < .1, took"
}
