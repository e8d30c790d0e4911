load helpers
load spool

setup() {
	fake_rack
	cx apps create 2>/dev/null
	cd "$BATS_TEST_TMPDIR"
}

teardown() {
	fake_end
}

releases() {
	cx releases --json | jq '.releases | length'
}

@test "cx-env: set makes a release forked from the newest, prints its ID, and list shows it sorted" {
	one=$(cx env set B=2 A=1)
	[[ "$one" =~ ^R[A-Z]{10}$ ]]
	two=$(cx env set C='two words')
	run --separate-stderr cx env
	[ "$output" = $'A=1\nB=2\nC="two words"' ]
	[ "$(cx releases info "$two" --json | jq -r .release.parent)" = "$one" ]
	[ "$(cx env get C)" = "two words" ]
	cx env --json | valid env
	[ "$(cx env --release "$one" --json | jq -c .env)" = '{"A":"1","B":"2"}' ]
}

@test "cx-env: nothing changed, no release" {
	one=$(cx env set A=1)
	run --separate-stderr cx env set A=1
	[ "$status" -eq 0 ]
	[ "$output" = "$one" ]
	[[ "$stderr" == *"nothing changed"* ]]
	cx env unset NOT_THERE
	[ "$(releases)" -eq 1 ]
}

@test "cx-env: unset removes; a variable that is not set is an answer (1)" {
	cx env set A=1 B=2
	cx env unset A
	[ "$(cx env)" = B=2 ]
	run --separate-stderr cx env get A
	[ "$status" -eq 1 ]
	cx env unset B
	[ -z "$(cx env)" ]
}

@test "cx-env: standard input in .env format: comments, export, quotes, escapes, newlines" {
	cat > in <<-'END'
	# a comment

	export FOO=bar # behind a blank: a comment
	HASH=a#b
	 SPACED = value  
	EMPTY=
	SINGLE='$HOME \n "x"'
	DOUBLE="tab\there \"q\" \\ \$HOME
	second line"
	CRLF=x
	UNI=grüße
	END
	sed -i 's/^CRLF=x/CRLF=x\r/' in
	cx env set < in
	[ "$(cx env --json | jq -c .env)" = '{"CRLF":"x","DOUBLE":"tab\there \"q\" \\ $HOME\nsecond line","EMPTY":"","FOO":"bar","HASH":"a#b","SINGLE":"$HOME \\n \"x\"","SPACED":"value","UNI":"grüße"}' ]
}

@test "cx-env: what list prints, set --replace reads back as it was" {
	python3 - > values <<-'END'
	import json
	print(json.dumps({"A": "x\ny\t\"'\\$`#= z ", "B": "", "C": "'", "D": " #", "E": "\r\n", "F": "\\n", "G": "é😀"}))
	END
	jq -c '{v: 1, replace: true, set: .}' values | cx-provider-local env set
	before=$(cx env --json | jq -cS .env)
	cx env > text
	cx env set OTHER=1
	cx env set --replace < text
	[ "$(cx env --json | jq -cS .env)" = "$before" ]
	[ "$(jq -cS . values)" = "$before" ]
}

@test "cx-env: --replace removes what is not named; --file reads a file" {
	cx env set A=1 B=2
	echo 'C=3' > f
	cx env set --file f --replace
	[ "$(cx env)" = C=3 ]
	run --separate-stderr cx env set --file none
	[ "$status" -eq 100 ]
}

@test "cx-env: a mistake in the file is refused (100) with line and column, and nothing changes" {
	cx env set A=1
	while IFS='|' read -r text where; do
		printf "$text" > f
		run --separate-stderr cx env set --file f
		echo "$text: $stderr" >&2
		[ "$status" -eq 100 ]
		[[ "$stderr" == *"f:$where"* ]]
	done <<-'END'
	OK=1\nno equals\n|2:4:
	1X=2|1:1:
	A="open\n\nB=1|1:3:
	A='x' y|1:7:
	\n=x|2:1:
	A=\377|1:3:
	A=a\000b|1:3:
	END
	[ "$(cx env)" = A=1 ]
	[ "$(releases)" -eq 1 ]
}

@test "cx-env: 100 MB of garbage is refused (100)" {
	run --separate-stderr sh -c 'head -c 100000000 /dev/urandom | cx env set'
	[ "$status" -eq 100 ]
	run --separate-stderr sh -c 'yes A=1 | head -c 100000000 | cx env set'
	[ "$status" -eq 100 ]
	[ "$(releases)" -eq 0 ]
}

@test "cx-env: bad names, no value, and values that are not UTF-8 are refused (100)" {
	for pair in '1A=x' 'A-B=x' '=x' 'novalue' 'A B=1' $'A=\xff'; do
		run --separate-stderr cx env set "$pair"
		[ "$status" -eq 100 ]
		[[ "$stderr" != "" ]]
	done
	run --separate-stderr sh -c 'cx env set < /dev/null'
	[ "$status" -eq 100 ]
	[ "$(releases)" -eq 0 ]
}

@test "cx-env: on a terminal values are masked unless --reveal" {
	cx env set SECRET=hunter2
	run script -qec 'cx env' /dev/null
	[[ "$output" == *SECRET=* && "$output" != *hunter2* ]]
	run script -qec 'cx env --json' /dev/null
	[[ "$output" != *hunter2* ]]
	run script -qec 'cx env --reveal' /dev/null
	[[ "$output" == *hunter2* ]]
}

@test "cx-env: no secret stands readable in the spool" {
	cx env set SECRET=hunter2hunter2
	run grep -r hunter2 "$CX_SPOOL"
	[ "$status" -eq 1 ]
	[ "$(stat -c %a "$CX_SPOOL"/apps/docs/releases/R*/env)" = 600 ]
}

@test "cx-env: edit changes what the editor changed, and leaves no file" {
	cx env set A=1 B=2
	before=$(ls -A /dev/shm)
	EDITOR='sed -i s/A=1/A=9/' cx env edit
	[ "$(cx env get A)" = 9 ]
	EDITOR=true run --separate-stderr cx env edit
	[[ "$stderr" == *"nothing changed"* ]]
	run --separate-stderr env EDITOR=false cx env edit
	[ "$status" -eq 1 ]
	run --separate-stderr sh -c 'EDITOR="sed -i s/A/%/" cx env edit < /dev/null'
	[ "$status" -eq 100 ]
	[ "$(cx env get A)" = 9 ]
	[ "$(ls -A /dev/shm)" = "$before" ]
}

@test "cx-env: edit killed with -9 leaves no file either" {
	cx env set A=1
	before=$(ls -A /dev/shm)
	cat > ed <<-END
	#!/bin/sh
	stat -c '%a %U' "\$1" > $BATS_TEST_TMPDIR/mode
	echo "\$1" > $BATS_TEST_TMPDIR/name
	exec sleep 30
	END
	chmod +x ed
	EDITOR=$PWD/ed setsid cx-env edit < /dev/null > /dev/null 2>&1 3>&- &
	pid=$!
	wait_until 5 test -s name
	[[ "$(cat mode)" == "600 "* ]]
	kill -9 "$pid"
	wait_until 5 sh -c "! test -e $(cat name)"
	kill -9 -- "-$pid" 2>/dev/null || true
	[ "$(ls -A /dev/shm)" = "$before" ]
}

@test "cx-env: edit does not undo what somebody else set meanwhile (1)" {
	cx env set A=1
	run --separate-stderr env EDITOR='cx env set B=2; sed -i s/A=1/A=9/' cx env edit
	[ "$status" -eq 1 ]
	[[ "$stderr" == *meanwhile* ]]
	[ "$(cx env)" = $'A=1\nB=2' ]
}

@test "cx-env: of sets at the same time none is lost" {
	pids=()
	for i in 1 2 3 4 5 6; do
		cx env set "V$i=$i" > /dev/null 3>&- &
		pids+=($!)
	done
	for p in "${pids[@]}"; do wait "$p"; done
	[ "$(cx env | wc -l)" -eq 6 ]
	[ "$(releases)" -eq 6 ]
}

@test "cx-env: set killed at any instant leaves the old environment or the new one, whole" {
	cx env set A=0 > /dev/null
	last=0
	for i in $(seq 40); do
		kill_at "0.0$((i % 2))$((i % 10))$((i * 7 % 10))" cx-env set "A=$i"
		v=$(cx env get A)
		[ "$v" = "$i" ] || [ "$v" = "$last" ]
		last=$v
	done
	cx releases --json | valid releases
	cx env set A=end > /dev/null
	[ "$(cx env get A)" = end ]
	[ ! -e "$CX_SPOOL/apps/docs/releases/.new" ]
}

@test "cx-env: --promote makes the new release active" {
	fake_converge active
	r=$(fake_release)
	n=$(cx env set A=1 --promote)
	[ "$(cx apps info --json | jq -r .app.active)" = "$n" ]
	[ "$n" != "$r" ]
}

@test "cx-env: an environment sealed with another key is not opened (100)" {
	cx env set A=1
	rm "$CX_SPOOL/key"
	cx-seal init
	run --separate-stderr cx env
	[ "$status" -eq 100 ]
	[ -z "$output" ]
	[[ "$stderr" == *"another key"* ]]
}
