# For tests of cx-router: backends, routes, a router, and what to ask them.

# listens ADDRESS PORT: true when somebody takes a connection there.
listens() { (: <> "/dev/tcp/$1/$2") 2>/dev/null; }
silent() { ! listens "$@"; }

# says URL-PATH WORD: for wait_until.
says() { ask "$1" "${@:3}" | grep -q "$2"; }

# backend NAME: starts t/fixtures/cx-router/backend.py; sets PORT_NAME; its log is NAME.log.
backend() {
	local port
	port=$(free_port)
	printf -v "PORT_$1" %s "$port"
	printf -v "PID_$1" %s ""
	python3 "$ROOT/t/fixtures/cx-router/backend.py" "$port" "$1" "$BATS_TEST_TMPDIR/$1.log" 3>&- &
	printf -v "PID_$1" %s $!
	STARTED+=($!)
	wait_until 10 listens 127.0.0.1 "$port"
}

# route FILE HOST PORT... [KEY=JSON...]: publishes a route of one service `web` by a rename.
route() {
	local file=$1 host=$2 backends="" more='"scheme":"http"' a
	shift 2
	for a; do
		case $a in
		*=*) more+=",\"${a%%=*}\":${a#*=}" ;;
		*) backends+="${backends:+,}{\"address\":\"127.0.0.1\",\"port\":$a,\"process\":\"p$a\"}" ;;
		esac
	done
	printf '{"v":1,"app":"%s","services":[{"name":"web","hosts":["%s"],%s,"backends":[%s]}],"resources":[]}\n' \
		"$file" "$host" "$more" "$backends" > "$ROUTES/.$file.T"
	mv "$ROUTES/.$file.T" "$ROUTES/$file.json"
}

# router [OPTION...]: a router of its own with --plain on $PLAIN; waits until it is ready.
router() {
	PLAIN=${PLAIN:-$(free_port)}
	launch --routes "$ROUTES" --plain "127.0.0.1:$PLAIN" --log "$BATS_TEST_TMPDIR/access.log" "$@"
}

# launch OPTION...: cx-router with these, until cx_ready.
launch() {
	rm -f ready
	mkfifo ready
	CX_READY_FD=4 cx-router "$@" 4> ready 2> router.err 3>&- &
	ROUTER=$!
	STARTED+=("$ROUTER")
	read -r -t 10 _ < ready || { cat router.err >&2; return 1; }
}

stop_all() {
	local p
	for p in "${STARTED[@]}"; do kill "$p" 2>/dev/null || true; done
	for p in "${STARTED[@]}"; do wait "$p" 2>/dev/null || true; done
	STARTED=()
}

# ask PATH [CURL OPTION...]: a request for host web.a.convox over the plain port.
ask() {
	local path=$1
	shift
	curl -sS --max-time 20 -H "Host: web.a.convox" "$@" "http://127.0.0.1:$PLAIN$path"
}

code() { ask "$1" -o /dev/null -w '%{http_code}' "${@:2}"; }

# raw TEXT (printf escapes): sends it, prints all that comes back until the close.
raw() {
	python3 - "$PLAIN" "$1" <<-'END'
	import socket, sys
	s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
	s.settimeout(5)
	s.sendall(sys.argv[2].encode("latin-1").decode("unicode_escape").encode("latin-1"))
	out = b""
	try:
	    while got := s.recv(65536):
	        out += got
	except socket.timeout:
	    out += b"[open]"
	except ConnectionResetError:
	    pass
	sys.stdout.buffer.write(out)
	END
}
