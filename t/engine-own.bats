load helpers

setup() {
	DIR=$(mktemp -d /tmp/cxe.XXXXXX)
}

teardown() {
	[ ! -d "$DIR" ] || "$ROOT/t/engine" stop "$DIR"
	rm -rf "$DIR"
}

left() {
	ip -o link | awk -F': ' '/cxe-|cxown/ { print $2 }'
	iptables-save 2>/dev/null | grep -F -- cxe- || :
	find /sys/fs/cgroup -type d -name 'cxe-*' -maxdepth 2
	grep -F "$DIR/" /proc/self/mountinfo || :
	grep -lsF "$DIR/" /proc/[0-9]*/cmdline || :
}

@test "t/engine: usage, no root, and a folder too long for a socket are refused clearly" {
	run --separate-stderr "$ROOT/t/engine" restart "$DIR"
	[ "$status" -eq 100 ]
	run --separate-stderr setpriv --reuid 65534 --regid 65534 --clear-groups "$ROOT/t/engine" start "$DIR"
	[ "$status" -eq 111 ]
	[[ $stderr == *root*sudo* ]]
	run --separate-stderr "$ROOT/t/engine" start "$DIR/$(printf 'x%.0s' {1..60})"
	[ "$status" -eq 111 ]
	[[ $stderr == *"too long"* ]]
}

@test "t/engine: what a killed engine left, a running container too, is gone at the next start; stop leaves nothing" {
	before=$(left)
	socket=$("$ROOT/t/engine" start "$DIR")
	[ "$socket" = "$DIR/docker.sock" ]
	[ "$("$ROOT/t/engine" start "$DIR")" = "$socket" ]
	mkdir -p "$DIR/fs/bin" && cp /bin/busybox "$DIR/fs/bin/"
	api() { curl -sS --unix-socket "$socket" -X POST -H "Content-Type: $2" "http://e/v1.41$1" "${@:3}"; }
	tar -C "$DIR/fs" -c . | api '/images/create?fromSrc=-&repo=bb&tag=1' application/x-tar --data-binary @- > /dev/null
	api /networks/create application/json \
		-d '{"Name":"n","Options":{"com.docker.network.bridge.name":"cxown0"}}' > /dev/null
	api '/containers/create?name=c' application/json \
		-d '{"Image":"bb:1","Cmd":["/bin/busybox","sleep","300"],"HostConfig":{"NetworkMode":"n"}}' > /dev/null
	api /containers/c/start application/json
	[ -d /sys/class/net/cxown0 ]
	kill -KILL "$(cat "$DIR/pid")" "$(cat "$DIR/containerd.pid")"
	run "$ROOT/t/engine" start "$DIR"
	[ "$status" -eq 0 ]
	[ ! -d /sys/class/net/cxown0 ]
	[ "$(curl -sS --unix-socket "$socket" 'http://e/v1.41/containers/json?all=1')" = "[]" ]
	"$ROOT/t/engine" stop "$DIR"
	[ ! -e "$DIR/data" ]
	[ "$(left)" = "$before" ]
}
