load helpers

setup() {
	mkdir -p "$BATS_TEST_TMPDIR/path"
	printf '#!/bin/sh\necho "first $# $*"; echo "app=$CX_APP rack=$CX_RACK json=$CX_JSON"; exit 7\n' > "$BATS_TEST_TMPDIR/path/cx-probe"
	chmod +x "$BATS_TEST_TMPDIR/path/cx-probe"
	export CX_EXEC_PATH=$BATS_TEST_TMPDIR/path
}

@test "cx: execs cx-SUB with its arguments as they are and passes its status on" {
	run --separate-stderr cx probe "a b" '' '*' -x
	[ "$status" -eq 7 ]
	[ "${lines[0]}" = "first 4 a b  * -x" ]
}

@test "cx: global options before the command become environment" {
	run --separate-stderr cx -a docs --rack=two --json probe one
	[ "${lines[0]}" = "first 1 one" ]
	[ "${lines[1]}" = "app=docs rack=two json=1" ]
}

@test "cx: -C changes the directory before anything runs" {
	printf '#!/bin/sh\npwd -P\n' > "$CX_EXEC_PATH/cx-where"
	chmod +x "$CX_EXEC_PATH/cx-where"
	run --separate-stderr cx -C / where
	[ "$output" = / ]
	run --separate-stderr cx -C /nonexistent where
	[ "$status" -eq 100 ]
}

@test "cx: an unknown command is refused (100) with the nearest one" {
	run --separate-stderr cx prboe
	[ "$status" -eq 100 ]
	[[ "$stderr" == *'did you mean: cx probe'* ]]
}

@test "cx: a name with a slash runs nothing (100)" {
	run --separate-stderr cx ../../bin/sh
	[ "$status" -eq 100 ]
}

@test "cx: a bad app name is refused (100) before the command runs" {
	run --separate-stderr cx -a 'Bad Name' probe
	[ "$status" -eq 100 ]
	[ -z "$output" ]
	run --separate-stderr cx -a
	[ "$status" -eq 100 ]
}

@test "cx: an option that it does not have is refused (100)" {
	run --separate-stderr cx --frobnicate probe
	[ "$status" -eq 100 ]
}

@test "cx: lists its own commands by group and those found on the path" {
	run --separate-stderr cx
	[ "$status" -eq 0 ]
	[[ "$output" == *"Start here"*deploy*"Also found"*probe* ]]
	[ -z "$stderr" ]
}

@test "cx: --json lists the commands as JSON" {
	cx --json help | jq -e '.v == 1 and (.commands | index("probe"))'
}

@test "cx: an error is one JSON object with --json" {
	run --separate-stderr cx --json nothing-like-this
	[ "$status" -eq 100 ]
	jq -e '.v == 1 and .error.class == "bad" and (.error.text | length > 0)' <<< "$stderr"
}

@test "cx: help of a command opens its manual page" {
	printf '#!/bin/sh\nfor a; do :; done; cat "$a"\n' > "$CX_EXEC_PATH/man"
	chmod +x "$CX_EXEC_PATH/man"
	run --separate-stderr cx help cx
	[ "$status" -eq 0 ]
	[[ "$output" == *'.Nm cx'* ]]
	run --separate-stderr cx help nothing
	[ "$status" -eq 100 ]
}

@test "cx: a full disk is not success (111)" {
	run --separate-stderr sh -c 'cx --version > /dev/full'
	[ "$status" -eq 111 ]
}

@test "cx: bash completes its commands, and those found on the path" {
	source "$ROOT/share/cx/completions/cx.bash"
	COMP_WORDS=(cx prob) COMP_CWORD=1
	_cx
	[ "${COMPREPLY[*]}" = probe ]
	COMP_WORDS=(cx -a docs rack sta) COMP_CWORD=4
	_cx
	[ "${COMPREPLY[*]}" = "start status" ]
}
