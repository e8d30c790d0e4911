# Shared by the tests of cx-dns: one on its own, resolvers that misbehave, and packets by hand.

# alone [OPTION...]: a cx-dns for the domain `mine`, whose web.a.mine is 127.84.9.8. Its port is in $PORT.
alone() {
	PORT=$(free_port)
	mkdir -p "$BATS_TEST_TMPDIR/mine"
	echo '{"v":1,"app":"a","services":[{"name":"web","hosts":["web.a.mine","*.star.mine","deep.b.c.mine"]}],"resources":[{"name":"db","host":"db.a.mine","address":"127.84.9.2","backends":[{"address":"10.1.1.1"},{"address":"fd00::1"}]},{"name":"six","host":"six.a.mine","address":"fd00::6","backends":[]}]}' > "$BATS_TEST_TMPDIR/mine/a.json"
	chmod 755 "$BATS_TEST_TMPDIR/mine" && chmod 644 "$BATS_TEST_TMPDIR/mine/a.json"
	cx-dns --routes "$BATS_TEST_TMPDIR/mine" --domain mine --listen "127.84.9.1:$PORT" --answer 127.84.9.8 \
		--metrics "$BATS_TEST_TMPDIR/metrics" "$@" 3>&- 2> "$BATS_TEST_TMPDIR/stderr" &
	DNS=$!
	STARTED="${STARTED-} $DNS"
	wait_until 5 ask web.a.mine A
}

# stop_all: ends what the test started.
stop_all() {
	for p in ${STARTED-}; do kill "$p" 2>/dev/null || true; done
	for p in ${STARTED-}; do wait "$p" 2>/dev/null || true; done
}

ask() {
	dig +tries=1 +time=6 +noall +comments +answer +authority -p "$PORT" @127.84.9.1 "$@"
}

# metric NAME: its value now.
metric() {
	curl -s --max-time 3 --unix-socket "$BATS_TEST_TMPDIR/metrics" http://cx/metrics | awk -v n="cx_dns_$1" '$1 == n { print $2 }'
}

# resolver NAME [ADDRESS]: answers as the first label of a question says; writes what it was asked to $BATS_TEST_TMPDIR/NAME.log,
# a line each: transport, name as written, flags in hex, EDNS or not, source port. Its port is in $RESOLVER.
resolver() {
	RESOLVER=$(free_port)
	python3 - "$RESOLVER" "$BATS_TEST_TMPDIR/$1.log" "${2-127.84.9.1}" 3>&- <<-'END' &
	import socket, struct, sys, threading, time
	port, log, at = int(sys.argv[1]), open(sys.argv[2], 'w', 1), sys.argv[3]
	family = socket.AF_INET6 if ':' in at else socket.AF_INET
	udp = socket.socket(family, socket.SOCK_DGRAM); udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20); udp.bind((at, port))
	tcp = socket.socket(family); tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); tcp.bind((at, port)); tcp.listen(64)
	soa = lambda ttl, least: b'\xc0\x0c\0\6\0\1' + struct.pack('>IH', ttl, 22) + b'\0\0' + struct.pack('>5I', 1, 2, 3, 4, least)
	record = lambda ttl, last: b'\xc0\x0c\0\1\0\1' + struct.pack('>IH', ttl, 4) + bytes([127, 1, 1, last])
	seen = {}
	def answer(q, how, source):
	    end, labels = 12, []
	    while q[end]:
	        labels.append(q[end + 1:end + 1 + q[end]].decode()); end += q[end] + 1
	    end += 5
	    question, edns = q[12:end], q[11] > 0
	    print(how, '.'.join(labels), q[2:4].hex(), 'edns' if edns else 'plain', source, file=log)
	    kind = labels[0].lower()
	    seen[kind] = seen.get(kind, 0) + 1
	    def reply(rcode=0, answers=(), authority=(), tc=0, opt=edns, question=question, id=q[:2], flags=0x8180):
	        more = b'\0\0\x29\4\xd0' + bytes([rcode >> 4]) + b'\0\0\0\0\0' if opt else b''
	        return id + struct.pack('>5H', flags | tc << 9 | rcode & 15, 1, len(answers), len(authority), int(opt)) + question + b''.join(answers) + b''.join(authority) + more
	    if kind == 'late': time.sleep(1.5); return [reply(answers=[record(60, 9)])]
	    if kind == 'slow': time.sleep(.4); return [reply(answers=[record(60, 3)])]
	    if kind in ('servfail', 'refused', 'notimp'): return [reply({'servfail': 2, 'refused': 5, 'notimp': 4}[kind])]
	    if kind == 'old': return [reply(1, opt=False)] if edns else [reply(answers=[record(60, 4)])]
	    if kind == 'nx': return [reply(3, authority=[soa(900, 60)])]
	    if kind == 'soon': return [reply(3, authority=[soa(900, 1)])]
	    if kind == 'nodata': return [reply(0, authority=[soa(60, 900)])]
	    if kind == 'lame': return [reply(0)]
	    if kind == 'short': return [reply(answers=[record(1, seen[kind])])]
	    if kind == 'zero': return [reply(answers=[record(0, seen[kind])])]
	    if kind == 'ad': return [reply(answers=[record(60, 5)], flags=0x85a0)]
	    if kind == 'garbage': return [q[:2] + b'\x81\x80\0\1\0\5\0\0\0\0' + question + b'\xc0']
	    if kind == 'fold' and how == 'udp': return [reply(answers=[record(60, 66)], question=question.lower()), ]
	    if kind == 'forged': return [reply(answers=[record(60, 66)], id=bytes([q[0] ^ 1, q[1]])), reply(answers=[record(60, 66)], question=question[:1] + b'X' + question[2:]), reply(answers=[record(60, 7)])]
	    if kind == 'big':
	        if how == 'udp': return [reply(tc=1)]
	        return [reply(answers=[record(60, i % 250) for i in range(100)])]
	    return [reply(answers=[record(60, 1)])]
	def one(q, to):
	    for m in answer(q, 'udp', to[1]): udp.sendto(m, to)
	def by_udp():
	    while True:
	        q, to = udp.recvfrom(4096)
	        if q[13:17].lower() == b'mute': continue
	        threading.Thread(target=one, args=(q, to), daemon=True).start()
	def stream(c, to):
	    with c:
	        b = c.recv(2, socket.MSG_WAITALL)
	        q = c.recv(struct.unpack('>H', b)[0], socket.MSG_WAITALL)
	        for m in answer(q, 'tcp', to[1]): c.sendall(struct.pack('>H', len(m)) + m)
	threading.Thread(target=by_udp, daemon=True).start()
	while True:
	    c, to = tcp.accept()
	    threading.Thread(target=stream, args=(c, to), daemon=True).start()
	END
	STARTED="${STARTED-} $!"
	listens() { ss -Htln "sport = :$RESOLVER" | grep -q .; }
	wait_until 5 listens
}

# raw SCRIPT: python, with query() and the socket of cx-dns at hand.
raw() {
	python3 -c "
import select, socket, struct, sys, time
at = ('127.84.9.1', $PORT)
def name(n): return b''.join(bytes([len(l)]) + l.encode() for l in n.split('.')) + b'\\0'
def query(n, t=1, id=7, flags=0x100, more=b'', extra=0): return struct.pack('>6H', id, flags, 1, 0, 0, extra) + name(n) + struct.pack('>HH', t, 1) + more
def opt(data=b'', size=1232, version=0, flags=0): return b'\\0\\0\\x29' + struct.pack('>HBBHH', size, 0, version, flags, len(data)) + data
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.settimeout(6); udp.connect(at)
def ask(m): udp.send(m); return udp.recv(65535)
def take(c, n):
    b = b''
    while len(b) < n:
        p = c.recv(n - len(b))
        if not p: raise SystemExit('closed')
        b += p
    return b
def message(c): return take(c, struct.unpack('>H', take(c, 2))[0])
def framed(m): return struct.pack('>H', len(m)) + m
def tcp(): c = socket.create_connection(at, 8); return c
$1"
}
