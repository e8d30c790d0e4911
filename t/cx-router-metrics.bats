load helpers
load router

# Counters, the log, `cx router top`, and the router alone as its manual shows it.

setup() {
	cd "$BATS_TEST_TMPDIR"
	ROUTES=$BATS_TEST_TMPDIR/routes
	mkdir "$ROUTES"
	STARTED=()
	backend one
}

teardown() { stop_all; }

scrape() { curl -sS --max-time 5 --unix-socket "$BATS_TEST_TMPDIR/m.sock" "http://router$1"; }
number() { scrape /metrics | awk -v k="$1" 'index($0, k " ") == 1 { print $NF }'; }

@test "cx-router: OpenMetrics on a Unix socket and a loopback address count requests, bytes and times by service" {
	route a web.a.convox "$PORT_one"
	at=$(free_port)
	router --metrics "$BATS_TEST_TMPDIR/m.sock" --metrics "127.0.0.1:$at"
	for _ in 1 2 3; do ask /bytes/1000 -o /dev/null; done
	ask /status/404 -o /dev/null
	ask /echo -d 12345 -o /dev/null
	curl -sS -o /dev/null -H 'Host: nobody.test' "http://127.0.0.1:$PLAIN/"
	wait_until 5 sh -c "curl -sS http://127.0.0.1:$at/metrics | grep -q '^cx_router_requests_total{app=\"a\",service=\"web\",code=\"2xx\",by=\"process\"} 4'"
	[ "$(number 'cx_router_requests_total{app="a",service="web",code="4xx",by="process"}')" -eq 1 ]
	[ "$(number 'cx_router_requests_total{app="",service="",code="4xx",by="router"}')" -eq 1 ]
	[ "$(number 'cx_router_answers_total{code="404"}')" -eq 1 ]
	[ "$(number 'cx_router_sent_bytes_total{app="a",service="web"}')" -eq 3007 ]
	[ "$(number 'cx_router_received_bytes_total{app="a",service="web"}')" -eq 5 ]
	[ "$(number 'cx_router_request_seconds_count{app="a",service="web"}')" -eq 5 ]
	[ "$(number 'cx_router_request_seconds_bucket{app="a",service="web",le="+Inf"}')" -eq 5 ]
	[ "$(number 'cx_router_active{app="a",service="web"}')" -eq 0 ]
	[ "$(number "cx_router_backend_requests_total{app=\"a\",service=\"web\",backend=\"127.0.0.1:$PORT_one\",process=\"p$PORT_one\"}")" -eq 5 ]
	[ "$(number cx_router_accepted_total)" -ge 6 ]
	[ "$(number cx_router_hosts)" -eq 1 ]
	# Every sample stands behind the type of its family, families are not torn, the end is marked.
	scrape /metrics > all
	python3 - <<-'END'
	import re
	lines = open("all").read().split("\n")
	assert lines[-2] == "# EOF" and lines[-1] == "", lines[-3:]
	family, seen = None, set()
	for line in lines[:-2]:
	    m = re.match(r"# TYPE (\S+) (counter|gauge|histogram)$", line)
	    if m:
	        family, kind = m.groups()
	        assert family not in seen, family
	        seen.add(family)
	    elif not line.startswith("#"):
	        name = re.match(r'[a-z_]+', line).group()
	        assert re.fullmatch(r'[a-z_]+(\{([a-z]+="([^"\\]|\\.)*",?)*\})? -?[0-9.]+', line), line
	        suffixes = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}[kind]
	        assert name in [family + s for s in suffixes], (name, family)
	END
}

@test "cx-router: counters live on when the routes of a service change, and go with it" {
	route a web.a.convox "$PORT_one"
	router --metrics "$BATS_TEST_TMPDIR/m.sock"
	ask /name
	backend two
	route a web.a.convox "$PORT_two"
	wait_until 5 says /name two
	[ "$(number 'cx_router_request_seconds_count{app="a",service="web"}')" -ge 2 ]
	rm "$ROUTES/a.json"
	gone() { ! scrape /metrics | grep -q 'request_seconds_count{app="a"'; }
	wait_until 5 gone
}

@test "cx-router: the metrics socket takes nonsense, closes slow clients, and is of this machine only" {
	router --metrics "$BATS_TEST_TMPDIR/m.sock"
	[ "$(scrape /nothing -o /dev/null)" = "GET /metrics or /status" ]
	head -c 9000 /dev/zero | timeout 5 nc -U m.sock || true
	scrape /status | jq -e '.v == 1 and (.services | length) == 0'
	run --separate-stderr cx-router --routes "$ROUTES" --plain "127.0.0.1:$(free_port)" --metrics 0.0.0.0:1
	[ "$status" -eq 100 ]
	[[ "$stderr" == *"not of 127.0.0.0/8"* ]]
	run --separate-stderr cx-router --routes "$ROUTES" --plain "127.0.0.1:$(free_port)" --log-format xml
	[ "$status" -eq 100 ]
}

@test "cx-router: a monitor that dies is replaced, and requests do not notice" {
	route a web.a.convox "$PORT_one"
	router --metrics "$BATS_TEST_TMPDIR/m.sock"
	kill -9 "$(pgrep -P "$ROUTER" cx-router-mon)"
	[ "$(ask /name)" = one ]
	wait_until 5 scrape /status
	[ "$(number 'cx_router_request_seconds_count{app="a",service="web"}')" -eq 1 ]
}

@test "cx-router: top shows rates, times and processes; as text where it is no terminal, as JSON with --json" {
	route a web.a.convox "$PORT_one"
	router --metrics "$BATS_TEST_TMPDIR/m.sock"
	(while [ ! -e stop ]; do ask /name > /dev/null; done) 3>&- &
	load=$!
	wait_until 5 grep -q name one.log
	run -0 --separate-stderr cx router top --interval 0.5 --metrics "$BATS_TEST_TMPDIR/m.sock"
	[[ "$output" == *"SERVICE"*"REQ/S"*"web.a"*"p$PORT_one"*"127.0.0.1:$PORT_one"* ]]
	run -0 --separate-stderr cx router top --json --interval 0.5 --metrics "$BATS_TEST_TMPDIR/m.sock"
	valid top <<< "$output"
	jq -e '.services[0].app == "a" and .services[0].rate > 1 and .services[0].p99_ms > 0 and .services[0].errors == 0' <<< "$output"
	touch stop
	wait "$load"
	run --separate-stderr cx-router top --metrics "$BATS_TEST_TMPDIR/none.sock"
	[ "$status" -eq 111 ]
	run --separate-stderr cx-router top --interval 0
	[ "$status" -eq 100 ]
}

@test "cx-router: the log in an ALB's format has its fields in its order" {
	route a web.a.convox "$PORT_one"
	router --log-format alb
	ask '/name?x="y' -A 'agent "7"' > /dev/null
	curl -sS -o /dev/null -H 'Host: nobody.test' "http://127.0.0.1:$PLAIN/"
	wait_until 4 grep -q 404 access.log
	python3 - "$PLAIN" "$PORT_one" <<-'END'
	import re, sys
	plain, one = sys.argv[1:]
	def split(line):
	    return re.findall(r'"[^"]*"|\S+', line)
	first, second = (split(l) for l in open("access.log").read().splitlines())
	assert len(first) == len(second) == 29, (len(first), first)
	assert first[0] == "http" and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", first[1]), first
	assert re.fullmatch(r"127\.0\.0\.1:\d+", first[3]) and first[4] == "127.0.0.1:" + one, first
	assert all(re.fullmatch(r"\d+\.\d{3}", t) for t in first[5:8]), first
	assert first[8:12] == ["200", "200", "0", "4"], first
	assert first[12] == f'"GET http://web.a.convox:{plain}/name?x=\\x22y HTTP/1.1"', first[12]
	assert first[13] == r'"agent \x227\x22"', first[13]
	assert first[16] == "a/web" and re.fullmatch(r'"Root=1-[0-9a-f]{8}-[0-9a-f]{24}"', first[17]), first
	assert first[27] == '"Compliant"', first
	assert second[4] == "-" and second[5:10] == ["-1", "-1", "-1", "404", "-"], second
	END
}

@test "cx-router: a log whose disk is slow costs lines, which are counted, and no request" {
	route a web.a.convox "$PORT_one"
	PLAIN=$(free_port)
	mkfifo slow.log
	exec 9<> slow.log # open, and never read: the writer stands still when the pipe is full
	launch --routes "$ROUTES" --plain "127.0.0.1:$PLAIN" --log slow.log --metrics "$BATS_TEST_TMPDIR/m.sock"
	long=$(head -c 240 /dev/zero | tr '\0' x)
	curl -sS -H 'Host: nobody.test' -w '%{http_code}\n' -o /dev/null "http://127.0.0.1:$PLAIN/$long?[1-8000]" > codes
	[ "$(sort codes | uniq -c | xargs)" = "8000 404" ]
	[ "$(number cx_router_log_dropped_total)" -gt 0 ]
	exec 9>&-
}

@test "cx-router: the example of its manual runs as it is written" {
	# The lines between the marks of doc/cx-router.8, with ports of this test.
	sed -n '/^\.\\" example begins/,/^\.\\" example ends/p' "$ROOT/doc/cx-router.8" | grep -v '^\.' | sed 's/\\e/\\/g' > example.sh
	front=$(free_port) metrics=$(free_port)
	sed -i "s/8000/$front/g; s/3000/$PORT_one/g; s/9100/$metrics/g" example.sh
	[ "$(wc -l < example.sh)" -ge 8 ]
	sed -i 's/^cx-router/exec cx-router/' example.sh # its process is the one that stop_all ends
	bash -e example.sh 3>&- > out 2>&1 &
	STARTED+=($!)
	wait_until 10 listens 127.0.0.1 "$front"
	wait_until 5 sh -c "curl -sS -H 'Host: www.example.org' http://127.0.0.1:$front/name | grep -q one"
	curl -sS "http://127.0.0.1:$metrics/metrics" | grep -q '# EOF'
	jq -c . routes/www.json | valid routes
}
