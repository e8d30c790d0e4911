load helpers

# Racks of this file: addresses 127.84.70.1 and on, whatever they are called. CX_ENGINE comes from t/suite.
setup() {
	[ -n "${CX_ENGINE-}" ] || skip "needs an engine: CX_ENGINE"
	export CX_SPOOL=$BATS_TEST_TMPDIR/racks/r NAME=r$BATS_TEST_NUMBER-$$
	chmod 0711 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" "$BATS_SUITE_TMPDIR" 2>/dev/null || :
}

teardown() {
	[ ! -f "$CX_SPOOL/rack.json" ] || cx-local-rack uninstall --force > /dev/null 2>&1 || :
}

install() {
	run --separate-stderr cx-install local --name "$NAME" --domain "$NAME.test" --address "127.84.$((70 + BATS_TEST_NUMBER)).1" \
		--subnet "10.185.$((70 + BATS_TEST_NUMBER)).0/24" --https-port 8443 --http-port 8080 --dns-port 8053 \
		--no-trust --no-resolver --no-boot "$@"
}

api() {
	curl -sS --unix-socket "${CX_ENGINE#unix://}" -X "${2-GET}" "http://e/v1.41$1"
}

# What an install could leave behind: the machine's settings, interfaces, and the engine's objects.
machine() {
	find /etc /usr/local/share -xdev -type f -printf '%p %s %T@\n'
	ip -o link | awk -F': ' '$2 ~ /^cx-/ { print $2 }'
	api '/containers/json?all=1' | jq -r '.[].Id'
	api /networks | jq -r '.[].Id'
	api /images/json | jq -r '.[].Id'
	ls -A "$(dirname "$CX_SPOOL")" 2>/dev/null || :
}

@test "cx-install: with --no-trust --no-resolver --no-boot nothing outside the spool changes; cx-uninstall leaves nothing" {
	machine | sort > "$BATS_TEST_TMPDIR/../before-$$"
	install
	[ "$status" -eq 0 ] || { dump; return 1; }
	[[ $stderr == *"ready"* ]]
	[ "$(stat -c %a "$CX_SPOOL")" = 711 ]
	[ "$(stat -c '%a %u %g' "$CX_SPOOL/routes")" = "750 0 65534" ]
	[ "$(stat -c %a "$CX_SPOOL/key")" = 600 ]
	[ "$(stat -c %a "$CX_SPOOL/ca/ca.key")" = 600 ]
	[ "$(stat -c %a "$CX_SPOOL/rack.json")" = 644 ]
	find /etc /usr/local/share -xdev -type f -printf '%p %s %T@\n' | sort > "$BATS_TEST_TMPDIR/../etc-$$"
	grep '^/etc\|^/usr/local/share' "$BATS_TEST_TMPDIR/../before-$$" | diff - "$BATS_TEST_TMPDIR/../etc-$$"
	run --separate-stderr cx-uninstall "$NAME"
	[ "$status" -eq 0 ] || { dump; return 1; }
	machine | sort | diff "$BATS_TEST_TMPDIR/../before-$$" -
	! grep -lsz "CX_SPOOL=$CX_SPOOL" /proc/[0-9]*/environ
}

@test "cx-rack: status names the daemons that run, stop ends them, start brings them back" {
	install
	[ "$status" -eq 0 ] || { dump; return 1; }
	run --separate-stderr cx-rack status --json
	[ "$status" -eq 0 ] || { dump; return 1; }
	[ "$(echo "$output" | jq -r '[.daemons[].name] | sort | join(" ")')" = "cx-converge cx-dns cx-router" ]
	echo "$output" | valid daemons
	run --separate-stderr cx-rack stop
	[ "$status" -eq 0 ] || { dump; return 1; }
	run --separate-stderr cx-rack status
	[ "$status" -eq 1 ]
	run --separate-stderr cx-rack start
	[ "$status" -eq 0 ] || { dump; return 1; }
	run --separate-stderr cx-rack status
	[ "$status" -eq 0 ] || { dump; return 1; }
	run --separate-stderr cx-rack restart
	[ "$status" -eq 0 ] || { dump; return 1; }
}

@test "cx-install: a port that another program holds is refused with its name (111), and no spool is made" {
	perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalAddr => "0.0.0.0:28443", Listen => 1, ReuseAddr => 1) or die;
		$| = 1; print "up\n"; sleep 60' > "$BATS_TEST_TMPDIR/up" &
	pid=$!
	wait_until 10 grep -q up "$BATS_TEST_TMPDIR/up"
	install --https-port 28443
	kill "$pid"
	[ "$status" -eq 111 ] || { dump; return 1; }
	[[ $stderr == *perl*"$pid"*"every address"*28443*--https-port* ]] || { dump; return 1; }
	[ ! -e "$CX_SPOOL" ]
}

@test "cx-install: a name that lives in the engine already belongs to another rack (1)" {
	curl -sS --unix-socket "${CX_ENGINE#unix://}" -H 'Content-Type: application/json' -X POST http://e/v1.41/networks/create \
		-d "{\"Name\":\"cx-$NAME\",\"Labels\":{\"convox.rack\":\"$NAME\"}}" > /dev/null
	install
	api "/networks/cx-$NAME" DELETE
	[ "$status" -eq 1 ] || { dump; return 1; }
	[[ $stderr == *"another"*--name* ]] || { dump; return 1; }
}

@test "cx-install: when the daemons do not start all is taken back (111)" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\necho "no supervisor today" >&2\nexit 111\n' > "$BATS_TEST_TMPDIR/bin/cx-supervise"
	chmod +x "$BATS_TEST_TMPDIR/bin/cx-supervise"
	CX_EXEC_PATH=$BATS_TEST_TMPDIR/bin install
	[ "$status" -eq 111 ] || { dump; return 1; }
	[[ $stderr == *"no supervisor today"* ]]
	[ ! -e "$CX_SPOOL" ]
	[ "$(find "$BATS_TEST_TMPDIR/racks" -name '.new*' | wc -l)" = 0 ]
}

@test "cx-uninstall: with --force removes containers, volumes and images of the rack, and of nobody else" {
	install
	[ "$status" -eq 0 ] || { dump; return 1; }
	mkdir -p "$BATS_TEST_TMPDIR/fs/bin" && cp /bin/busybox "$BATS_TEST_TMPDIR/fs/bin/"
	for image in "$NAME/a/web:B1" "other$$/a/web:B1"; do
		tar -C "$BATS_TEST_TMPDIR/fs" -c . | curl -sS --unix-socket "${CX_ENGINE#unix://}" -X POST --data-binary @- \
			-H 'Content-Type: application/x-tar' \
			"http://e/v1.41/images/create?fromSrc=-&repo=${image%:*}&tag=B1&changes=LABEL%20x=${image%%/*}" > /dev/null
	done
	for rack in "$NAME" "other$$"; do
		curl -sS --unix-socket "${CX_ENGINE#unix://}" -X POST -H 'Content-Type: application/json' \
			"http://e/v1.41/containers/create?name=$rack-c" \
			-d "{\"Image\":\"$rack/a/web:B1\",\"Cmd\":[\"/bin/busybox\",\"sleep\",\"60\"],\"Labels\":{\"convox.rack\":\"$rack\"}}" > /dev/null
		api "/containers/$rack-c/start" POST
		curl -sS --unix-socket "${CX_ENGINE#unix://}" -X POST -H 'Content-Type: application/json' \
			http://e/v1.41/volumes/create -d "{\"Name\":\"$rack-v\",\"Labels\":{\"convox.rack\":\"$rack\"}}" > /dev/null
	done
	[ "$(cx-local-sweep list "$NAME" | jq -r .kind | grep -v networks | sort | tr "\n" " ")" = "containers images volumes " ]
	run --separate-stderr cx-uninstall "$NAME" --force
	left=$(cx-local-sweep list "$NAME")
	others=$(cx-local-sweep list "other$$" | jq -r .kind | sort | tr '\n' ' ')
	cx-local-sweep remove "other$$" > /dev/null
	[ "$status" -eq 0 ] || { dump; return 1; }
	[ -z "$left" ]
	[ "$others" = "containers images volumes " ]
	[ ! -e "$CX_SPOOL" ]
}

@test "cx-install: the permanent install resolves and is trusted on this machine, and cx-uninstall leaves the same bytes" {
	unshare -m true 2>/dev/null || skip "no mount namespaces here"
	# Over copies of /etc and /usr/local/share, so that the machine itself is not touched.
	cat > "$BATS_TEST_TMPDIR/script" <<-'END'
		set -eu
		for d in /etc /usr/local/share; do
			o=$BATS_TEST_TMPDIR/over$d
			mkdir -p "$o"
			mount -t tmpfs none "$o"
			mkdir "$o/up" "$o/work"
			mount -t overlay overlay -o "lowerdir=$d,upperdir=$o/up,workdir=$o/work" "$d"
		done
		mount -t tmpfs none /root
		unset SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE
		update-ca-certificates > /dev/null 2>&1
		listing() {
			find /etc /usr/local/share -xdev \( -type f -exec sha256sum {} + \) -o -printf '%y %p %l\n' | LC_ALL=C sort
		}
		listing > "$BATS_TEST_TMPDIR/before"
		cx-install local --name "$NAME" --domain "$NAME.test" --no-boot
		cp -R "$ROOT/build/examples/hello" "$BATS_TEST_TMPDIR/hello"
		cd "$BATS_TEST_TMPDIR/hello"
		sed -i "s/hello.convox/hello.$NAME.test/" convox.yml
		cx-deploy -a hello --create > /dev/null
		getent hosts "web.hello.$NAME.test"
		curl -sS --fail "https://web.hello.$NAME.test/" | grep 'asked https://api.hello'
		cx-uninstall "$NAME" --force
		listing | diff "$BATS_TEST_TMPDIR/before" -
	END
	run --separate-stderr unshare -m bash "$BATS_TEST_TMPDIR/script"
	[ "$status" -eq 0 ] || { dump; return 1; }
}
