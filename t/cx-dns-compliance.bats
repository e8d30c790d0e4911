# What a name server owes to the standards. The first test is our rendering of the probes of ISC's DNS compliance tester (genreport -f):
# the same queries, judged by the same rules; the tool itself is in no package. The rest uses clients that others wrote.
load helpers
load dns

setup() {
	alone
}

teardown() {
	stop_all
}

@test "cx-dns: the 33 probes of ISC's compliance tester are all ok" {
	raw "
cookie, nsid, ecs, expire = b'\\0\\x0a\\0\\x08\\1\\2\\3\\4\\5\\6\\7\\x08', b'\\0\\3\\0\\0', b'\\0\\x08\\0\\4\\0\\1\\0\\0', b'\\0\\x09\\0\\0'
RD, RA, Z, AD, CD, AA, TC = 0x100, 0x80, 0x40, 0x20, 0x10, 0x400, 0x200
SOA, DNSKEY = 6, 48
def probe(n, **o): probes.append((n, o))
probes = []
for n, f in (('dns', 0), ('aa', AA), ('ad', AD), ('cd', CD), ('ra', RA), ('rd', RD), ('tc', TC), ('zflag', Z)): probe(n, flags=f)
probe('opcode', opcode=15); probe('opcodeflg', opcode=15, flags=RD | RA | Z | AD | CD | AA | TC)
probe('type666', type=666); probe('tcp', tcp=1)
probe('edns', size=4096); probe('edns1', size=4096, version=1); probe('edns@512', size=512, type=DNSKEY)
probe('ednsopt', size=4096, data=b'\\0\\x64\\0\\0'); probe('edns1opt', size=4096, version=1, data=b'\\0\\x64\\0\\0')
probe('do', size=4096, eflags=0x8000); probe('docd', size=4096, eflags=0x8000, flags=CD); probe('edns1do', size=4096, version=1, eflags=0x8000)
probe('ednsflags', size=4096, eflags=0x80); probe('optlist', size=4096, data=nsid + ecs + expire + cookie)
for v, p in ((0, 'edns'), (1, 'edns1')):
    for n, d in (('nsid', nsid), ('cookie', cookie), ('expire', expire), ('subnet', ecs)): probe(p + n, size=4096, version=v, data=d)
probe('ednstcp', size=512, eflags=0x8000, type=DNSKEY, tcp=1)
probe('bind11', size=4096, eflags=0x8000, data=cookie)
probe('dig11', size=4096, flags=RD | AD, data=cookie)
assert len(probes) == 33
def judge(n, o, m):
    id, flags, qd, an, ns, ar = struct.unpack('>6H', m[:12])
    opcode, rcode, version, end = flags >> 11 & 15, flags & 15, o.get('version', 0), 12
    assert flags & 0x8000 and id == 7 and opcode == o.get('opcode', 0), 'header'
    assert not flags & Z, 'z'
    if o.get('opcode'):
        assert rcode == 4 and (qd, an, ns, ar) == (0, 0, 0, 0) and len(m) == 12 and not flags & (AA | TC | RD | RA | AD | CD), 'notimp'
        return
    assert qd == 1 and m[12:].startswith(name('mine')), 'question'
    end += len(name('mine')) + 4
    soa = seen = 0
    ednsttl = 0
    for section, count in enumerate((an, ns, ar)):
        for i in range(count):
            while m[end] and m[end] < 192: end += m[end] + 1
            end += 2 if m[end] >= 192 else 1
            t, c, ttl, rdlen = struct.unpack('>HHIH', m[end:end + 10])
            soa |= t == SOA
            if t == 41:
                seen += 1; ednsttl = ttl; options = m[end + 10:end + 10 + rdlen]
                found = {}
                while options:
                    code, l = struct.unpack('>HH', options[:4]); found[code] = options[4:4 + l]; options = options[4 + l:]
                assert 100 not in found, 'echoed'
                if b'\\0\\x0a\\0\\x08' in o.get('data', b''): assert found[10][:8] == bytes(range(1, 9)) and 16 <= len(found[10]) <= 40, 'cookie'
            end += 10 + rdlen
    assert end == len(m), 'malformed'
    rcode |= ednsttl >> 20 & 0xff0
    assert seen == ('size' in o), 'opt'
    assert rcode == (16 if version else 0), rcode
    assert ednsttl >> 16 & 255 == 0 and ednsttl & 0x7fff == 0, 'version or mbz'
    assert bool(ednsttl & 0x8000) == bool(o.get('eflags', 0) & 0x8000), 'do'
    if o.get('type', SOA) == SOA: assert soa == (version == 0), 'soa'
    if version == 0: assert flags & AA, 'noaa'
    assert bool(flags & RD) == bool(o.get('flags', 0) & RD), 'rd'
    assert bool(flags & CD) == bool(o.get('flags', 0) & CD), 'cd'
    assert not flags & AD or o.get('flags', 0) & AD, 'ad'
    assert o.get('tcp') or len(m) <= max(512, o.get('size', 512)), 'toobig'
for n, o in probes:
    extra = int('size' in o)
    more = opt(o.get('data', b''), o['size'], o.get('version', 0), o.get('eflags', 0)) if extra else b''
    q = query('mine', o.get('type', SOA), flags=o.get('flags', 0) | o.get('opcode', 0) << 11, more=more, extra=extra)
    if o.get('opcode'): q = q[:4] + b'\\0' * 8
    if o.get('tcp'):
        c = tcp(); c.sendall(framed(q)); m = message(c)
    else: m = ask(q)
    try: judge(n, o, m)
    except AssertionError as e: raise SystemExit('%s: %s: %s' % (n, e, m.hex()))
"
}

@test "cx-dns: AAAA, HTTPS, SOA, NS and CAA are there; wildcards and empty non-terminals are as RFC 4592 says" {
	stop_all
	alone --answer fd00::8 --https 8443
	is() { [ "$(dig +short +time=2 +tries=1 -p "$PORT" @127.84.9.1 "${@:2}")" = "$1" ] || { dig +time=2 -p "$PORT" @127.84.9.1 "${@:2}" >&2; false; }; }
	is 127.84.9.8 web.a.mine A
	is fd00::8 x.y.web.a.mine AAAA
	is '1 . alpn="h2,http/1.1" port=8443 ipv4hint=127.84.9.8 ipv6hint=fd00::8' web.a.mine HTTPS
	is 127.84.9.2 db.a.mine A
	is "" db.a.mine HTTPS
	is "" db.a.mine AAAA
	is fd00::6 six.a.mine AAAA
	is "" six.a.mine A
	is 127.84.9.8 any.star.mine A
	is 127.84.9.8 a.b.star.mine A
	is "" star.mine A
	is ns.mine. mine NS
	is 127.84.9.8 ns.mine A
	is '0 issue ";"' mine CAA
	status_of() { ask "$@" | grep -o 'status: [A-Z]*'; }
	[ "$(status_of b.c.mine A)" = "status: NOERROR" ] # above deep.b.c
	[ "$(status_of x.b.c.mine A)" = "status: NXDOMAIN" ]
	[ "$(status_of x.db.a.mine A)" = "status: NXDOMAIN" ]
	[ "$(status_of web.a.mine TXT)" = "status: NOERROR" ]
	[ "$(status_of web.a.mine AXFR)" != "status: NOERROR" ]
	ask mine SOA | grep -q 'IN	SOA	ns.mine. hostmaster.mine. '
}

@test "cx-dns: EDNS that is wrong is FORMERR, a cookie is kept and recognized by its client" {
	raw "
def rcode(more, extra=1): return ask(query('web.a.mine', more=more, extra=extra))[3] & 15
assert rcode(opt()) == 0
assert rcode(opt() + opt(), 2) == 1
assert rcode(b'\\1a' + opt()) == 1
assert rcode(opt(b'\\0\\x0a\\0\\7' + b'c' * 7)) == 1 and rcode(opt(b'\\0\\x0a\\0\\x0c' + b'c' * 12)) == 1
assert rcode(opt(b'\\0\\x0a\\0\\x29' + b'c' * 41)) == 1 and rcode(opt(b'\\0\\x0a\\0\\xff' + b'c')) == 1
assert rcode(opt(size=0)) == 0
one, two = (ask(query('web.a.mine', more=opt(b'\\0\\x0a\\0\\x08abcdefgh'), extra=1)) for i in range(2))
for m in one, two: # RFC 9018, 4.1: version 1, reserved, the time
    assert m[-24:-16] == b'abcdefgh' and m[-16:-12] == b'\\1\\0\\0\\0' and abs(struct.unpack('>I', m[-12:-8])[0] - time.time()) < 9
assert ask(query('web.a.mine', more=opt(b'\\0\\x0a\\0\\x18' + one[-24:]), extra=1))[3] & 15 == 0
c = tcp(); c.sendall(framed(query('web.a.mine', more=opt(b'\\0\\x0b\\0\\0'), extra=1))); assert message(c)[-6:] == b'\\0\\x0b\\0\\2\\0\\x64'"
}

@test "cx-dns: drill, kdig and dnspython agree" {
	run --separate-stderr drill -p "$PORT" @127.84.9.1 web.a.mine A
	[[ $output == *"rcode: NOERROR"* && $output == *127.84.9.8* ]] || { dump; false; }
	run --separate-stderr drill -t -p "$PORT" @127.84.9.1 no.mine A
	[[ $output == *"rcode: NXDOMAIN"* && $output == *SOA* ]] || { dump; false; }
	run --separate-stderr kdig +cookie +keepopen +tcp -p "$PORT" @127.84.9.1 web.a.mine A db.a.mine A
	[[ $output == *127.84.9.8* && $output == *127.84.9.2* && $output == *COOKIE* ]] || { dump; false; }
	run --separate-stderr kdig +bufsize=512 +nsid -p "$PORT" @127.84.9.1 web.a.mine ANY
	[[ $output == *RFC8482* ]] || { dump; false; }
	# Debian's Python has Debian's modules, whichever comes first on the path.
	/usr/bin/python3 -c "
import dns.message, dns.query, dns.flags, dns.rcode, dns.rdatatype
def ask(n, t, how=dns.query.udp, **k): return how(dns.message.make_query(n, t, **k), '127.84.9.1', port=$PORT, timeout=3)
for how in dns.query.udp, dns.query.tcp:
    r = ask('web.a.mine', 'A', how, use_edns=0, payload=4096, want_dnssec=True)
    assert r.rcode() == 0 and r.answer[0][0].address == '127.84.9.8' and r.flags & dns.flags.AA and r.edns == 0 and r.ednsflags & dns.flags.DO
    r = ask('mine', 'NS', how)
    assert r.answer[0][0].target.to_text() == 'ns.mine.' and r.additional[0][0].address == '127.84.9.8'
    r = ask('nobody.mine', 'A', how)
    assert r.rcode() == dns.rcode.NXDOMAIN and r.authority[0][0].minimum == 5 and r.authority[0].ttl == 5
    r = ask('mine', 'SOA', how)
    assert r.answer[0][0].rdtype == dns.rdatatype.SOA
"
}

@test "cx-dns: the example of the manual page runs as written" {
	mandoc -T markdown "$ROOT/doc/cx-dns.8" | awk '/^# ON ITS OWN/ { on = 1 } on && /^\t/ { print substr($0, 2) }' > "$BATS_TEST_TMPDIR/example"
	grep -q 'cx-dns --routes' "$BATS_TEST_TMPDIR/example"
	cd "$BATS_TEST_TMPDIR"
	chmod 755 "$BATS_TEST_TMPDIR"
	# Who types it is slower than the server; a script has to wait until it can be asked.
	{ echo 'trap "kill %1; wait" EXIT'
	sed 's/^dig /for _ in $(seq 100); do dig +time=1 +tries=1 @127.0.5.1 -p 5353 test. SOA > out \&\& break; sleep 0.1; done; &/' example; } > run.sh
	run --separate-stderr bash -m run.sh 3>&-
	[ "$output" = "127.0.5.1
127.0.5.1
127.0.5.2" ] || { dump; false; }
}
