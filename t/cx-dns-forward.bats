load helpers
load dns

teardown() {
	stop_all
}

@test "cx-dns: an answer is kept for its TTL, counted down; then asked for again" {
	resolver r
	alone --resolver "127.84.9.1@$RESOLVER"
	run --separate-stderr ask keep.example A
	[[ $output == *"60	IN	A	127.1.1.1"* ]] || { dump; false; }
	older() { ask keep.example A | grep -Eq '^keep.example.	+5[0-9]	'; }
	wait_until 5 older
	[ "$(grep -ic keep "$BATS_TEST_TMPDIR/r.log")" -eq 1 ]
	ask short.example A | grep -q '127\.1\.1\.1$'
	again() { ask short.example A | grep -q '127\.1\.1\.2$'; }
	wait_until 5 again
	ask zero.example A | grep -q '127\.1\.1\.1$'
	ask zero.example A | grep -q '127\.1\.1\.2$'
	[ "$(metric cache_hits_total)" -ge 1 ]
}

@test "cx-dns: negative answers are kept as RFC 2308 says, not without SOA; failures for a second" {
	resolver r
	alone --resolver "127.84.9.1@$RESOLVER"
	for n in nodata nx; do
		run --separate-stderr ask "$n.example" A
		[[ $output == *SOA* && $output != *127.* ]] || { dump; false; }
		ask "$n.example" A | grep -Eq 'example.*	(60|5[0-9])	IN	SOA'
	done
	[ "$(grep -ic nodata "$BATS_TEST_TMPDIR/r.log")" -eq 1 ] && [ "$(grep -ic nx "$BATS_TEST_TMPDIR/r.log")" -eq 1 ]
	again() { ask soon.example A | grep -q NXDOMAIN && [ "$(grep -ic soon "$BATS_TEST_TMPDIR/r.log")" -ge 2 ]; }
	wait_until 5 again
	ask lame.example A > /dev/null
	ask lame.example A > /dev/null
	[ "$(grep -ic lame "$BATS_TEST_TMPDIR/r.log")" -eq 2 ]
	# Asked twice within a second; a busy machine may take longer, so that there are some tries.
	n=0
	kept() {
		n=$((n + 1))
		ask "servfail.n$n.example" A | grep -q SERVFAIL && ask "servfail.n$n.example" A | grep -q SERVFAIL &&
			[ "$(grep -ic "servfail.n$n.example" "$BATS_TEST_TMPDIR/r.log")" -eq 1 ]
	}
	wait_until 10 kept
}

@test "cx-dns: questions go out from many ports, in random case, and the client's case comes back" {
	resolver r
	alone --resolver "127.84.9.1@$RESOLVER"
	for i in $(seq 24); do ask "a-long-enough-name-$i.example" A > /dev/null; done
	ask Case.ExAmPlE A | grep -q '^Case.ExAmPlE.'
	[ "$(awk '{ print $5 }' "$BATS_TEST_TMPDIR/r.log" | sort -u | wc -l)" -ge 6 ]
	[ "$(awk '$2 ~ /[A-Z]/ && $2 ~ /[a-z]/' "$BATS_TEST_TMPDIR/r.log" | wc -l)" -ge 20 ]
}

@test "cx-dns: replies with another ID or question are not believed, nor one in another case before TCP confirms it" {
	resolver r
	alone --resolver "127.84.9.1@$RESOLVER"
	run --separate-stderr ask forged.example A
	[[ $output == *127.1.1.7* && $output != *127.1.1.66* ]] || { dump; false; }
	run --separate-stderr ask fold.some-long-name.example A
	[[ $output == *127.1.1.1* && $output != *127.1.1.66* ]] || { dump; false; }
	grep -qi '^tcp fold' "$BATS_TEST_TMPDIR/r.log"
	[ "$(metric mismatched_total)" -ge 3 ]
}

@test "cx-dns: what is too long for UDP is fetched by TCP; the client gets TC, then all of it by TCP from the cache" {
	resolver r
	alone --resolver "127.84.9.1@$RESOLVER"
	run --separate-stderr ask +ignore big.example A
	[[ $output == *"flags: qr tc"* && $output != *127.1* ]] || { dump; false; }
	run --separate-stderr ask big.example A
	[ "$(grep -c 127.1.1 <<< "$output")" -eq 100 ] || { dump; false; }
	[ "$(grep -ic '^tcp big' "$BATS_TEST_TMPDIR/r.log")" -eq 1 ]
}

@test "cx-dns: the same question of many is asked once, and each gets an answer of its own" {
	resolver r
	alone --resolver "127.84.9.1@$RESOLVER"
	raw "
for i in range(100): udp.send(query('slow.example', id=i) if i % 2 else query('SLOW.example', id=i, more=opt(), extra=1))
got = {}
for i in range(100):
    m = udp.recv(4096)
    got[struct.unpack('>H', m[:2])[0]] = m
assert len(got) == 100
for i, m in got.items():
    assert m[13:17] == (b'slow' if i % 2 else b'SLOW') and m[11] == (0 if i % 2 else 1) and bytes([127, 1, 1, 3]) in m, (i, m)"
	[ "$(grep -ic slow "$BATS_TEST_TMPDIR/r.log")" -eq 1 ]
	[ "$(metric merged_total)" -eq 99 ]
}

@test "cx-dns: RD, CD and DO are passed on; AD comes to who wants it, AA to nobody" {
	resolver r
	alone --resolver "127.84.9.1@$RESOLVER"
	run --separate-stderr ask +noad ad.example A
	[[ $output == *"flags: qr rd ra;"* ]] || { dump; false; }
	run --separate-stderr ask +ad ad.example A
	[[ $output == *"flags: qr rd ra ad;"* ]] || { dump; false; }
	run --separate-stderr ask +noad +cd +dnssec ad.example A
	[[ $output == *"flags: qr rd ra ad cd;"* && $output == *"flags: do"* ]] || { dump; false; }
	run --separate-stderr ask +norec +noad other.example A
	[[ $output == *"flags: qr ra;"* ]] || { dump; false; }
	grep -qi 'ad.example 0120 edns' "$BATS_TEST_TMPDIR/r.log" && grep -qi 'ad.example 0130 edns' "$BATS_TEST_TMPDIR/r.log"
	grep -qi 'other.example 0020 edns' "$BATS_TEST_TMPDIR/r.log"
}

@test "cx-dns: a resolver that fails or refuses is passed over at once; when all do, its code is told, with EDNS" {
	resolver bad
	local bad=$RESOLVER
	resolver good
	alone --resolver "127.84.9.1@$bad" --resolver "127.84.9.1@$RESOLVER"
	run --separate-stderr ask +edns refused.example A
	[[ $output == *REFUSED* && $output == *EDNS* ]] || { dump; false; }
	run --separate-stderr ask +edns servfail.example A
	[[ $output == *SERVFAIL* && $output == *EDNS* ]] || { dump; false; }
	run --separate-stderr ask garbage.example A
	[[ $output == *SERVFAIL* ]] || { dump; false; }
	[ "$(metric timeouts_total)" -eq 0 ]
	for n in refused servfail garbage; do
		grep -qi "udp $n" "$BATS_TEST_TMPDIR/bad.log" && grep -qi "udp $n" "$BATS_TEST_TMPDIR/good.log"
	done
}

@test "cx-dns: a resolver without EDNS is asked without" {
	resolver r
	alone --resolver "127.84.9.1@$RESOLVER"
	ask old.example A | grep -q '127\.1\.1\.4$'
	ask +edns else.example A | grep -q EDNS
	grep -qi 'old.example .* plain' "$BATS_TEST_TMPDIR/r.log" && grep -qi 'else.example .* plain' "$BATS_TEST_TMPDIR/r.log"
}

@test "cx-dns: a silent resolver costs a second once, then the other one is asked first; a late answer still counts" {
	resolver r
	local mute
	mute=$(free_port)
	python3 -c "
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.84.9.1', $mute)); time.sleep(60)" 3>&- &
	STARTED="$STARTED $!"
	bound() { ss -Huln "sport = :$mute" | grep -q .; }
	wait_until 5 bound
	alone --resolver "127.84.9.1@$mute" --resolver "127.84.9.1@$RESOLVER"
	ask one.example A | grep -q '127\.1\.1\.1$'
	[ "$(metric timeouts_total)" -eq 1 ]
	ask two.example A | grep -q '127\.1\.1\.1$'
	[ "$(metric timeouts_total)" -eq 1 ]
	ask late.example A | grep -q '127\.1\.1\.9$'
}

@test "cx-dns: resolvers may be many, and IPv6" {
	resolver r ::1
	local all=() dead
	dead=$(free_port)
	for i in $(seq 15); do all+=(--resolver "127.84.9.$((i + 20))@$dead"); done
	alone "${all[@]}" --resolver "::1@$RESOLVER"
	ask v6.example A | grep -q '127\.1\.1\.1$'
	run --separate-stderr cx-dns --routes /tmp --domain x --listen 127.84.9.1:1 --answer 127.0.0.1 $(printf -- '--resolver 127.0.0.1 %.0s' $(seq 17))
	[ "$status" -eq 100 ] && [[ $stderr == *"more than 16 resolvers"* ]] || { dump; false; }
}

@test "cx-dns: a loop through another resolver is cut, not run" {
	# Two of them that ask each other.
	local first second
	first=$(free_port)
	mkdir "$BATS_TEST_TMPDIR/other" && chmod 755 "$BATS_TEST_TMPDIR/other"
	cx-dns --routes "$BATS_TEST_TMPDIR/other" --domain other --listen "127.84.9.3:$first" --answer 127.84.9.9 --resolver "127.84.9.1@$((first + 1))" 3>&- &
	STARTED="$!"
	second=$((first + 1))
	free_port() { echo "$second"; }
	alone --resolver "127.84.9.3@$first"
	local start
	start=$(date +%s%N)
	ask a-name-that-nobody-has.example A | grep -q SERVFAIL
	[ $(($(date +%s%N) - start)) -lt 6000000000 ]
	[ "$(metric forwarded_total)" -le 12 ]
}

@test "cx-dns: a stranger's question about other domains is REFUSED, one about ours is answered" {
	resolver r
	alone --resolver "127.84.9.1@$RESOLVER" --allow 127.77.0.0/16
	ask web.a.mine A | grep -q '127\.84\.9\.8$'
	ask some.example A | grep -q REFUSED
	ask -b 127.77.3.4 some.example A | grep -q '127\.1\.1\.1$'
	[ "$(metric strangers_total)" -eq 1 ]
	run --separate-stderr cx-dns --routes /tmp --domain x --listen 127.84.9.1:1 --answer 127.0.0.1 --allow 10.0.0.0
	[ "$status" -eq 100 ] && [[ $stderr == *"NETWORK/BITS"* ]] || { dump; false; }
}

@test "cx-dns: one client cannot take all places at the resolvers; the flood is bounded and passes" {
	resolver r
	alone --resolver "127.84.9.1@$RESOLVER"
	raw "
udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
for i in range(3000): udp.send(query('mute.n%d.example' % i, id=i))
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); other.bind(('127.7.7.7', 0)); other.settimeout(6); other.connect(at)
other.send(query('fine.example', id=9)); m = other.recv(4096)
assert bytes([127, 1, 1, 1]) in m, m
assert ask(query('web.a.mine', id=5000)) is not None"
	[ "$(metric limited_total)" -gt 100 ]
	[ "$(metric waiting)" -le 1025 ]
}
