load helpers

setup() {
	make_spool
	cx-mint init
	CA=$CX_SPOOL/ca
	cd "$BATS_TEST_TMPDIR"
}

# no COMMAND...: it must fail (bats does not see a failure behind "!").
no() {
	if "$@"; then
		echo "should have failed: $*" >&2
		return 1
	fi
}

# sign SAN: leaf.crt, signed with the stolen key by another program than cx-mint.
sign() {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout leaf.key -subj /O=x -out leaf.csr 2>/dev/null
	openssl x509 -req -in leaf.csr -CA "$CA/ca.crt" -CAkey "$CA/ca.key" -CAcreateserial -CAserial serial -days 30 \
		-extfile <(printf 'subjectAltName=%s\n' "$1") -out leaf.crt 2>/dev/null
}

@test "cx-mint: init makes the authority once: key private, certificate and bundle public" {
	[ "$(stat -c %a "$CA/ca.key")" = 600 ]
	[ "$(stat -c %a "$CA/ca.crt")" = 644 ]
	[ "$(stat -c %a "$CA/bundle.pem")" = 644 ]
	before=$(cat "$CA/ca.key" "$CA/ca.crt" | sha256sum)
	cx-mint init
	[ "$(cat "$CA/ca.key" "$CA/ca.crt" | sha256sum)" = "$before" ]
	# the bundle holds the authority, and every root that the machine has
	openssl verify -CAfile "$CA/bundle.pem" "$CA/ca.crt"
	roots=$(grep -c BEGIN /etc/ssl/certs/ca-certificates.crt || true)
	[ "$(grep -c BEGIN "$CA/bundle.pem")" -eq $((${roots:-0} + 1)) ]
}

@test "cx-mint: of many inits at once one authority comes, whose halves belong together" {
	rm -r "$CA"
	pids=()
	for _ in 1 2 3 4 5 6; do
		cx-mint init 3>&- &
		pids+=($!)
	done
	for p in "${pids[@]}"; do wait "$p"; done
	cx-mint leaf web.app.convox > leaf.pem
	openssl verify -CAfile "$CA/ca.crt" leaf.pem
}

@test "cx-mint: the authority is P-256, ten years, path length 0, server authentication only" {
	openssl x509 -in "$CA/ca.crt" -noout -text > text
	grep -A1 'Basic Constraints: critical' text | grep -q 'CA:TRUE, pathlen:0'
	grep -A1 'Key Usage: critical' text | grep -q 'Certificate Sign, CRL Sign'
	grep -A1 'Extended Key Usage' text | grep -qx ' *TLS Web Server Authentication'
	grep -q 'Name Constraints: critical' text
	grep -q 'ASN1 OID: prime256v1' text
	openssl x509 -in "$CA/ca.crt" -noout -checkend $((3649 * 86400))
	no openssl x509 -in "$CA/ca.crt" -noout -checkend $((3651 * 86400))
}

@test "cx-mint: a stolen key can sign names of the domain, and nothing else of any kind" {
	for san in DNS:web.app.convox DNS:convox; do
		sign "$san"
		openssl verify -CAfile "$CA/ca.crt" leaf.crt
	done
	for san in DNS:example.com DNS:notconvox DNS:convox.example.com IP:127.0.0.1 IP:10.184.0.1 IP:::1 \
		email:a@example.com email:a@web.app.convox email:a@convox email:a@none.invalid \
		URI:https://example.com/ URI:https://web.app.convox/ URI:https://none.invalid/ URI:urn:x; do
		sign "$san"
		no openssl verify -CAfile "$CA/ca.crt" leaf.crt || { echo "verified: $san"; return 1; }
	done
}

@test "cx-mint: a stolen key cannot make another authority below it" {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout sub.key -subj /O=sub -out sub.csr 2>/dev/null
	openssl x509 -req -in sub.csr -CA "$CA/ca.crt" -CAkey "$CA/ca.key" -CAcreateserial -CAserial serial -days 30 \
		-extfile <(echo basicConstraints=critical,CA:TRUE) -out sub.crt 2>/dev/null
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout leaf.key -subj /O=x -out leaf.csr 2>/dev/null
	openssl x509 -req -in leaf.csr -CA sub.crt -CAkey sub.key -CAcreateserial -CAserial serial -days 30 \
		-extfile <(echo subjectAltName=DNS:web.app.convox) -out leaf.crt 2>/dev/null
	no openssl verify -CAfile "$CA/ca.crt" -untrusted sub.crt leaf.crt
}

@test "cx-mint: a leaf is for the name and those right below it, at most 397 days, from an hour ago" {
	cx-mint leaf web.app.convox > leaf.pem
	openssl verify -x509_strict -purpose sslserver -verify_hostname web.app.convox -CAfile "$CA/ca.crt" leaf.pem
	openssl verify -purpose sslserver -verify_hostname x.web.app.convox -CAfile "$CA/ca.crt" leaf.pem
	no openssl verify -verify_hostname other.app.convox -CAfile "$CA/ca.crt" leaf.pem
	no openssl verify -purpose sslclient -CAfile "$CA/ca.crt" leaf.pem
	openssl x509 -in leaf.pem -noout -checkend $((396 * 86400))
	no openssl x509 -in leaf.pem -noout -checkend $((397 * 86400))
	start=$(date -d "$(openssl x509 -in leaf.pem -noout -startdate | cut -d= -f2)" +%s)
	age=$(($(date +%s) - start))
	[ "$age" -ge 3595 ] && [ "$age" -le 3700 ]
	# the key belongs to it
	[ "$(openssl pkey -in leaf.pem -pubout)" = "$(openssl x509 -in leaf.pem -noout -pubkey)" ]
}

@test "cx-mint: NSS agrees on what the authority may sign" {
	command -v certutil || skip "no certutil"
	mkdir nss
	certutil -N -d sql:nss --empty-password
	certutil -A -d sql:nss -n ca -t C,, -i "$CA/ca.crt"
	try() { openssl x509 -in leaf.crt -out one.crt && certutil -A -d sql:nss -n "$1" -t ,, -i one.crt && certutil -V -d sql:nss -u V -n "$1"; }
	cx-mint leaf web.app.convox > leaf.crt
	try good
	sign DNS:example.com
	no try domain
	sign DNS:web.app.convox,IP:127.0.0.1
	no try address
}

@test "cx-mint: a name outside the domain, or that is no name, is refused (100) and nothing is printed" {
	for host in example.com convox.example.com notconvox '' . .convox a..convox -a.convox a-.convox A.convox 'a b.convox' \
		'*.convox' 127.0.0.1 "$(printf 'a%.0s' {1..64}).convox" $'a\n.convox' 'a.convox,DNS:example.com'; do
		run --separate-stderr cx-mint leaf "$host"
		[ "$status" -eq 100 ] || { echo "accepted: $host"; return 1; }
		[ -z "$output" ]
		[[ "$stderr" == *hint:* ]]
	done
}

@test "cx-mint: without an authority, or with halves of two, leaf says so" {
	rm "$CA/ca.key"
	run --separate-stderr cx-mint leaf web.app.convox
	[ "$status" -eq 111 ]
	[[ "$stderr" == *ca.key* ]]
	openssl ecparam -name prime256v1 -genkey -noout -out "$CA/ca.key"
	run --separate-stderr cx-mint leaf web.app.convox
	[ "$status" -eq 100 ]
	[[ "$stderr" == *"do not belong together"* ]]
}

@test "cx-mint: serve answers one name after another, refuses others' in a word, and ends at nonsense" {
	cat > talk.py <<-'END'
	import os, socket, subprocess, sys
	def start():
	    a, b = socket.socketpair()
	    p = subprocess.Popen(["sh", "-c", f"exec cx-mint serve 3<&{b.fileno()}"], pass_fds=[b.fileno()], stderr=subprocess.DEVNULL)
	    b.close()
	    a.settimeout(10)
	    return a.makefile("rwb"), a, p
	f, s, p = start()
	for host in ["web.app.convox", "x.app.convox"]:
	    f.write(host.encode() + b"\n"); f.flush()
	    pem = f.read(int(f.readline()))
	    assert pem.startswith(b"-----BEGIN PRIVATE KEY") and pem.endswith(b"-----END CERTIFICATE-----\n"), pem
	    assert pem.count(b"BEGIN CERTIFICATE") == 1
	for bad in [b"example.com", b"", b"WEB.convox", b"a\r"]:
	    f.write(bad + b"\n"); f.flush()
	    line = f.readline()
	    assert line.startswith(b"!") and len(line) < 300, line
	f.write(b"web.app.convox\n"); f.flush()
	assert f.read(int(f.readline()))
	s.shutdown(socket.SHUT_WR)
	assert p.wait(10) == 0
	for nonsense in [b"a\0b\n", b"a" * 300]:
	    f, s, p = start()
	    f.write(nonsense); f.flush()
	    try:
	        assert f.readline() == b""
	    except ConnectionResetError:
	        pass
	    assert p.wait(10) == 100
	END
	python3 talk.py
}

@test "cx-mint: wrong usage is 100, --help is 0" {
	for args in "" "leaf" "init x" "serve x" "bogus"; do
		run --separate-stderr cx-mint $args
		[ "$status" -eq 100 ]
		[[ "$stderr" == usage:* ]]
	done
	run --separate-stderr cx-mint --help
	[ "$status" -eq 0 ]
	[[ "$output" == "usage: cx-mint"* ]]
}
