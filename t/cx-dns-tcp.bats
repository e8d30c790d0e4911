load helpers
load dns

teardown() {
	stop_all
}

@test "cx-dns: answers by TCP come as they are ready, not in the order of the questions" {
	resolver r
	alone --resolver "127.84.9.1@$RESOLVER"
	raw "
c = tcp()
c.sendall(framed(query('slow.example', id=1)) + framed(query('web.a.mine', id=2)) + framed(query('no.mine', id=3)))
got = [message(c) for i in range(3)]
assert [m[1] for m in got] == [2, 3, 1], got
assert got[0][-4:] == bytes([127, 84, 9, 8]) and got[1][3] & 15 == 3 and bytes([127, 1, 1, 3]) in got[2]"
}

@test "cx-dns: a client that closed its half still gets what is forwarded, then the end" {
	resolver r
	alone --resolver "127.84.9.1@$RESOLVER"
	raw "
c = tcp()
c.sendall(framed(query('slow.example', id=1)) + framed(query('web.a.mine', id=2)))
c.shutdown(socket.SHUT_WR)
assert message(c)[1] == 2 and bytes([127, 1, 1, 3]) in message(c) and c.recv(1) == b''
c = tcp(); c.shutdown(socket.SHUT_WR); assert c.recv(1) == b''"
}

@test "cx-dns: many questions on one connection are all answered, also more than are forwarded at a time" {
	resolver r
	alone --resolver "127.84.9.1@$RESOLVER"
	raw "
c = tcp()
c.sendall(b''.join(framed(query('n%d.example' % i, id=i)) for i in range(200)) + b''.join(framed(query('web.a.mine', id=i)) for i in range(200, 3000)))
c.shutdown(socket.SHUT_WR)
got = sorted(struct.unpack('>H', message(c)[:2])[0] for i in range(3000))
assert got == list(range(3000)) and c.recv(1) == b''"
}

@test "cx-dns: a byte now and then does not keep a connection, nor unfetched answers; idle ones end, those in use do not" {
	alone
	raw "
def connections():
    s = socket.socket(socket.AF_UNIX); s.connect('$BATS_TEST_TMPDIR/metrics'); s.sendall(b'GET / HTTP/1.0\r\n\r\n')
    text = b''.join(iter(lambda: s.recv(65536), b''))
    return int([l for l in text.decode().splitlines() if l.startswith('cx_dns_tcp_connections ')][0].split()[1])
deaf = socket.socket(); deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096); deaf.connect(at); deaf.setblocking(False)
q, sent = framed(query('web.a.mine')), 0
end = time.time() + 2
while time.time() < end:
    try: sent += deaf.send(q * 100)
    except BlockingIOError: select.select([], [deaf], [], .2)
assert 0 < sent < 16 << 20, sent # it is not read for ever
slow, idle, busy = tcp(), tcp(), tcp()
start = time.time()
ends, at_byte = {}, 0
while (len(ends) < 2 or connections() > 1) and time.time() - start < 14:
    if slow not in ends and at_byte < len(q) - 1:
        try: slow.send(q[at_byte:at_byte + 1]); at_byte += 1
        except OSError: pass
    busy.sendall(q); message(busy)
    for c in select.select([c for c in (slow, idle) if c not in ends], [], [], .7)[0]:
        try: b = c.recv(1)
        except ConnectionError: b = b''
        assert b == b''
        ends[c] = time.time() - start
assert 4 < ends[slow] < 7, ends
assert 9 < ends[idle] < 12, ends
busy.sendall(q); message(busy)
assert connections() == 1 # deaf is gone too, and is still open on its side"
}

@test "cx-dns: when all places are taken the newest gets one, at the cost of who has most" {
	alone
	raw "
import resource
def of(ip): c = socket.socket(); c.bind((ip, 0)); c.settimeout(8); c.connect(at); return c
many = [of('127.6.6.6') for i in range(250)]
mine = of('127.7.7.7')
mine.sendall(framed(query('web.a.mine'))); message(mine)
more = [of('127.6.6.6') for i in range(100)]
for c in [mine] + more[-50:]:
    c.sendall(framed(query('web.a.mine'))); assert message(c)[-4:] == bytes([127, 84, 9, 8])
gone = 0
for c in many[:80]:
    try: c.sendall(framed(query('web.a.mine'))); message(c)
    except (OSError, SystemExit): gone += 1
assert gone == 80, gone"
	[ "$(metric tcp_evicted_total)" -ge 90 ]
}

@test "cx-dns: a query longer than any ends the connection, and a broken one the patience with it only" {
	alone
	raw "
c = tcp(); c.sendall(struct.pack('>H', 4097) + b'x' * 50); assert c.recv(1) == b''
c = tcp(); c.sendall(framed(query('web.a.mine')[:-3]) + framed(query('web.a.mine', id=8))); a = message(c); b = message(c)
assert a[3] & 15 == 1 and len(a) == 12 and b[1] == 8
c = tcp(); c.sendall(framed(query('web.a.mine', flags=0x8180))); assert c.recv(1) == b''"
}
