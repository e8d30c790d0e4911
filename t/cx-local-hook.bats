load helpers

# Everything here runs in a mount namespace of its own, over copies of /etc and /usr/local/share, and an empty
# /root: the machine is not touched.
setup() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare -m true 2>/dev/null || skip "no mount namespaces here"
	make_spool hook.test
	jq '.ports.dns = 53' "$CX_SPOOL/rack.json" > "$CX_SPOOL/r" && mv "$CX_SPOOL/r" "$CX_SPOOL/rack.json"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=cx rack t" \
		-keyout "$CX_SPOOL/ca/ca.key" -out "$CX_SPOOL/ca/ca.crt" 2>/dev/null
	cat > "$BATS_TEST_TMPDIR/prepare" <<-'END'
		set -eu
		for d in /etc /usr/local/share; do
			o=$BATS_TEST_TMPDIR/over$d
			mkdir -p "$o"
			mount -t tmpfs none "$o"
			mkdir "$o/up" "$o/work"
			mount -t overlay overlay -o "lowerdir=$d,upperdir=$o/up,workdir=$o/work" "$d"
		done
		# No systemd in here, unless a test makes one.
		mount -t tmpfs none /run
		mount -t tmpfs none /root
		listing() {
			find /etc /usr/local/share /root -xdev \( -type f -exec sha256sum {} + \) -o \( -type l -printf '%l %p\n' \) -o -printf '%y %m %p\n' |
				LC_ALL=C sort
		}
	END
}

# Runs the script on stdin inside.
inside() {
	{ cat "$BATS_TEST_TMPDIR/prepare"; cat; } > "$BATS_TEST_TMPDIR/script"
	run --separate-stderr unshare -m bash "$BATS_TEST_TMPDIR/script"
	[ "$status" -eq 0 ] || { dump; return 1; }
}

@test "cx-local-hook: resolver adds the rack before the machine's servers in resolv.conf; undo puts back the same bytes" {
	inside <<-'END'
		listing > "$BATS_TEST_TMPDIR/before"
		cx-local-hook resolver
		[ "$(awk '$1 == "nameserver" { print $2; exit }' /etc/resolv.conf)" = 127.84.9.1 ]
		[ "$(cx-local-hook list | wc -l)" -gt 0 ]
		cx-local-hook undo resolver
		[ "$(cx-local-hook list | wc -l)" -eq 0 ]
		listing > "$BATS_TEST_TMPDIR/after"
		diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	END
}

@test "cx-local-hook: a resolv.conf that somebody changed since loses only our lines" {
	inside <<-'END'
		cp /etc/resolv.conf "$BATS_TEST_TMPDIR/rc"
		cx-local-hook resolver
		echo 'options timeout:1' | tee -a /etc/resolv.conf >> "$BATS_TEST_TMPDIR/rc"
		cx-local-hook undo resolver | grep -q '"state":"warn"'
		cmp "$BATS_TEST_TMPDIR/rc" /etc/resolv.conf
	END
}

@test "cx-local-hook: where systemd-resolved runs the resolver is a drop-in with address and port, taken back" {
	mkdir "$BATS_TEST_TMPDIR/stub"
	printf '#!/bin/sh\necho "$@" >> %s/systemctl.log\n[ "$1 $3" != "is-active NetworkManager" ]\n' "$BATS_TEST_TMPDIR" > "$BATS_TEST_TMPDIR/stub/systemctl"
	chmod +x "$BATS_TEST_TMPDIR/stub/systemctl"
	CX_EXEC_PATH=$BATS_TEST_TMPDIR/stub inside <<-'END'
		mkdir -p /run/systemd/system
		listing > "$BATS_TEST_TMPDIR/before"
		cx-local-hook resolver
		grep -qx 'DNS=127.84.9.1:53' /etc/systemd/resolved.conf.d/cx-rack-t.conf
		grep -qx 'Domains=~hook.test' /etc/systemd/resolved.conf.d/cx-rack-t.conf
		cx-local-hook undo resolver
		listing > "$BATS_TEST_TMPDIR/after"
		diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
		[ "$(grep -c 'restart systemd-resolved' "$BATS_TEST_TMPDIR/systemctl.log")" = 2 ]
	END
}

@test "cx-local-hook: boot writes and enables a unit where systemd runs, and is skipped with a hint where not" {
	mkdir "$BATS_TEST_TMPDIR/stub"
	printf '#!/bin/sh\necho "$@" >> %s/systemctl.log\n[ "$1" != is-active ]\n' "$BATS_TEST_TMPDIR" > "$BATS_TEST_TMPDIR/stub/systemctl"
	chmod +x "$BATS_TEST_TMPDIR/stub/systemctl"
	CX_EXEC_PATH=$BATS_TEST_TMPDIR/stub inside <<-'END'
		cx-local-hook boot | grep -q 'cx rack start'
		mkdir -p /run/systemd/system
		listing > "$BATS_TEST_TMPDIR/before"
		cx-local-hook boot
		grep -q "CX_SPOOL=$CX_SPOOL" /etc/systemd/system/cx-rack-t.service
		if grep '@' /etc/systemd/system/cx-rack-t.service; then exit 1; fi
		cx-local-hook undo boot
		listing > "$BATS_TEST_TMPDIR/after"
		diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
		grep -q 'enable --quiet cx-rack-t.service' "$BATS_TEST_TMPDIR/systemctl.log"
		grep -q 'disable --quiet --now cx-rack-t.service' "$BATS_TEST_TMPDIR/systemctl.log"
	END
}

@test "cx-local-hook: trust makes OpenSSL and NSS accept the rack's CA; undo leaves every file as it was" {
	inside <<-'END'
		mkdir -p /root/.pki/nssdb && certutil -N -d sql:/root/.pki/nssdb --empty-password
		update-ca-certificates > /dev/null 2>&1
		listing > "$BATS_TEST_TMPDIR/before"
		cx-local-hook trust
		openssl verify -CAfile /etc/ssl/certs/ca-certificates.crt "$CX_SPOOL/ca/ca.crt"
		certutil -L -d sql:/root/.pki/nssdb -n 'cx rack t' > /dev/null
		cx-local-hook undo trust > "$BATS_TEST_TMPDIR/undo"
		if grep '"warn"' "$BATS_TEST_TMPDIR/undo"; then exit 1; fi
		if certutil -L -d sql:/root/.pki/nssdb -n 'cx rack t'; then exit 1; fi
		# The database's own pages differ after a deletion.
		listing | grep -v nssdb > "$BATS_TEST_TMPDIR/after"
		grep -v nssdb "$BATS_TEST_TMPDIR/before" | diff - "$BATS_TEST_TMPDIR/after"
	END
}

@test "cx-local-hook: a certificate bundle with lines added by hand is put back with them" {
	inside <<-'END'
		update-ca-certificates > /dev/null 2>&1
		cat "$CX_SPOOL/ca/ca.crt" >> /etc/ssl/certs/ca-certificates.crt
		listing > "$BATS_TEST_TMPDIR/before"
		cx-local-hook trust
		cx-local-hook undo trust
		listing | diff "$BATS_TEST_TMPDIR/before" -
	END
}

@test "cx-local-hook: killed at any of its changes, undo still brings back the machine" {
	inside <<-'END'
		update-ca-certificates > /dev/null 2>&1
		listing > "$BATS_TEST_TMPDIR/before"
		mkdir "$BATS_TEST_TMPDIR/kill"
		# Stands for sync(1), which the hook calls behind each write of the journal and of a file: the n-th kills it.
		cat > "$BATS_TEST_TMPDIR/kill/sync" <<-'EOS'
			#!/bin/sh
			echo >> "$BATS_TEST_TMPDIR/count"
			[ "$(wc -l < "$BATS_TEST_TMPDIR/count")" != "$AT" ] || kill -KILL "$PPID"
		EOS
		chmod +x "$BATS_TEST_TMPDIR/kill/sync"
		for at in 2 5 7; do
			for what in resolver trust; do
				rm -f "$BATS_TEST_TMPDIR/count"
				AT=$at CX_EXEC_PATH=$BATS_TEST_TMPDIR/kill cx-local-hook "$what" > /dev/null 2>&1 || :
				cx-local-hook undo "$what" > /dev/null
				listing | diff "$BATS_TEST_TMPDIR/before" - || { echo "$what killed at $at"; exit 1; }
			done
		done
	END
}

@test "cx-local-hook: without CX_SPOOL, or for a rack's DNS on another port in resolv.conf, it refuses (111)" {
	run --separate-stderr env -u CX_SPOOL cx-local-hook trust
	[ "$status" -eq 111 ]
	jq '.ports.dns = 5353' "$CX_SPOOL/rack.json" > "$CX_SPOOL/r" && mv "$CX_SPOOL/r" "$CX_SPOOL/rack.json"
	inside <<-'END'
		cp /etc/resolv.conf "$BATS_TEST_TMPDIR/rc"
		if cx-local-hook resolver; then exit 1; fi
		cmp "$BATS_TEST_TMPDIR/rc" /etc/resolv.conf
	END
}
