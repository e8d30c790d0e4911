load helpers

setup() {
	make_spool
	cx-seal init
	cd "$BATS_TEST_TMPDIR"
}

@test "cx-seal: init makes a private key of 32 bytes once, and never replaces it" {
	[ "$(stat -c '%a %s' "$CX_SPOOL/key")" = "600 32" ]
	before=$(sha256sum < "$CX_SPOOL/key")
	cx-seal init
	[ "$(sha256sum < "$CX_SPOOL/key")" = "$before" ]
	[ -z "$(find "$CX_SPOOL" -name '.key*')" ]
}

@test "cx-seal: of many inits at once one key comes" {
	rm "$CX_SPOOL/key"
	pids=()
	for _ in 1 2 3 4 5 6; do
		(cx-seal init && sha256sum < "$CX_SPOOL/key" > "sum.$BASHPID") 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(cat sum.* | sort -u | wc -l)" -eq 1 ]
}

@test "cx-seal: what was sealed opens again, byte for byte, and twice never looks the same" {
	for n in 0 1 1000 4194304; do
		head -c $n /dev/urandom > plain
		cx-seal seal docs/R1 < plain > one
		cx-seal seal docs/R1 < plain > two
		run ! cmp -s one two
		[ "$(stat -c %s one)" -eq $((n + 36)) ]
		cx-seal open docs/R1 < one > again
		cmp plain again
	done
}

@test "cx-seal: another context, key, or any changed byte is refused (100) and nothing comes out" {
	echo secret > plain
	cx-seal seal docs/R1 < plain > sealed
	run --separate-stderr sh -c 'cx-seal open docs/R2 < sealed'
	[ "$status" -eq 100 ]
	[ -z "$output" ]
	[[ "$stderr" == *"docs/R2"*hint:*context* ]]
	python3 - <<-'END'
	import subprocess
	whole = open("sealed", "rb").read()
	for i in range(len(whole)):
	    bad = bytearray(whole); bad[i] ^= 1
	    r = subprocess.run(["cx-seal", "open", "docs/R1"], input=bytes(bad), capture_output=True)
	    assert r.returncode == 100 and r.stdout == b"", i
	for n in range(len(whole)):
	    r = subprocess.run(["cx-seal", "open", "docs/R1"], input=whole[:n], capture_output=True)
	    assert r.returncode == 100 and r.stdout == b"", n
	END
	rm "$CX_SPOOL/key"
	cx-seal init
	run --separate-stderr sh -c 'cx-seal open docs/R1 < sealed'
	[ "$status" -eq 100 ]
	[ -z "$output" ]
}

@test "cx-seal: input beyond 4 MB is refused (100) without being read to its end" {
	run --separate-stderr sh -c 'head -c 100000000 /dev/zero | cx-seal seal docs/R1'
	[ "$status" -eq 100 ]
	[ -z "$output" ]
	run --separate-stderr sh -c 'head -c 100000000 /dev/urandom | cx-seal open docs/R1'
	[ "$status" -eq 100 ]
}

@test "cx-seal: a missing key is a system error (111), a damaged or a public one is refused (100)" {
	head -c 31 /dev/zero > "$CX_SPOOL/key"
	run --separate-stderr sh -c 'echo x | cx-seal seal c'
	[ "$status" -eq 100 ]
	[[ "$stderr" == *damaged* ]]
	rm "$CX_SPOOL/key"
	run --separate-stderr sh -c 'echo x | cx-seal seal c'
	[ "$status" -eq 111 ]
	[[ "$stderr" == *"cx-seal init"* ]]
	cx-seal init
	chmod 644 "$CX_SPOOL/key"
	run --separate-stderr sh -c 'echo x | cx-seal seal c'
	[ "$status" -eq 100 ]
	[[ "$stderr" == *chmod* ]]
}

@test "cx-seal: wrong usage shows the usage (100); a full disk is not success (111)" {
	for args in '' seal 'seal a b' 'init x' 'frob' "seal ''"; do
		run --separate-stderr sh -c "cx-seal $args < /dev/null"
		[ "$status" -eq 100 ]
		[ -n "$stderr" ]
	done
	run --separate-stderr sh -c 'echo x | cx-seal seal c > /dev/full'
	[ "$status" -eq 111 ]
}
