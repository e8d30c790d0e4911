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
	kill "$DNS"
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
