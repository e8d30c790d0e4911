load helpers

# As a user who is not root; from a folder that this user may enter.
as_user() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
	else
		"$@"
	fi
}

setup() {
	export CX_SPOOL=$BATS_TEST_TMPDIR/rack
	export CX_ENGINE=unix://$BATS_TEST_TMPDIR/none.sock
}

@test "cx-install: no word is wrong usage (100)" {
	run --separate-stderr cx-install
	[ "$status" -eq 100 ]
	[[ $stderr == "usage: cx-install local"* ]]
}

@test "cx-install: a provider that does not exist is wrong input (100), and a path is none" {
	run --separate-stderr cx-install nowhere
	[ "$status" -eq 100 ]
	[[ $stderr == *cx-provider-nowhere* ]]
	run --separate-stderr cx-install ../x
	[ "$status" -eq 100 ]
	[[ $stderr == *"cx install local"* ]]
}

@test "cx-install: what is no name, domain, address, port or subnet is refused with what one is (100)" {
	while read -r option value hint; do
		run --separate-stderr cx-local-rack install "$option" "$value"
		[ "$status" -eq 100 ] || { echo "$option $value: $status"; dump; return 1; }
		[[ $stderr == *"hint: "*"$hint"* ]] || { dump; return 1; }
	done <<-END
		--name Local a-z
		--name -x a-z
		--name $(printf 'a%.0s' {1..41}) 40
		--domain a_b convox
		--domain local convox
		--domain x.localhost convox
		--address 127.0.0.1 127.84.N.1
		--address 127.84.256.1 127.84.N.1
		--address 127.84.1.2 127.84.N.1
		--https-port 0 65535
		--https-port 65536 65535
		--http-port x 65535
		--dns-port 5353535353 65535
		--subnet 10.184.0.0/16 /24
		--subnet 10.184.300.0/24 /24
	END
	[ ! -e "$CX_SPOOL" ]
}

@test "cx-install: an option without its value, or an unknown one, is wrong usage (100)" {
	run --separate-stderr cx-local-rack install --name
	[ "$status" -eq 100 ]
	run --separate-stderr cx-local-rack install --nmae x
	[ "$status" -eq 100 ]
	[[ $stderr == *--nmae* ]]
}

@test "cx-install: a user who is not root is told so (111), and nothing is changed" {
	run --separate-stderr as_user env PATH="$PATH" "$(command -v cx-local-rack)" install --no-trust --no-resolver --no-boot
	[ "$status" -eq 111 ]
	[[ $stderr == *root*sudo* ]]
	[ ! -e "$CX_SPOOL" ]
}

@test "cx-install: no engine is said with its socket and what to do (111), and nothing is changed" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	run --separate-stderr cx-local-rack install
	[ "$status" -eq 111 ]
	[[ $stderr == *"$BATS_TEST_TMPDIR/none.sock"*"hint: "* ]]
	[ ! -e "$CX_SPOOL" ]
	run --separate-stderr cx-local-rack install --engine tcp://127.0.0.1:2375
	[ "$status" -eq 100 ]
	[[ $stderr == *"not a Unix socket"* ]]
}

@test "cx-install: a folder with something else in it is left alone (1)" {
	mkdir -p "$CX_SPOOL" && echo mine > "$CX_SPOOL/file"
	run --separate-stderr cx-local-rack install
	[ "$status" -eq 1 ]
	[ "$(cat "$CX_SPOOL/file")" = mine ]
}

@test "cx-install: a rack that is there already is not installed again (1)" {
	make_spool
	run --separate-stderr cx-local-rack install --name t
	[ "$status" -eq 1 ]
	[[ $stderr == *"installed already"* ]]
}

@test "cx-install: with --json the error is an object with its class" {
	make_spool
	CX_JSON=1 run --separate-stderr cx-local-rack install --name t
	[ "$status" -eq 1 ]
	[ "$(echo "$stderr" | jq -r .error.class)" = no ]
}
