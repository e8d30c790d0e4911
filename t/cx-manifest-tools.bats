load helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
}

small() {
	cat > convox.yml <<-'EOT'
	environment: [ALL=1]
	services:
	  web:
	    build: .
	    port: https:3000
	    environment:
	      - A
	      - B=2
	    volumes: [/a, /b]
	  api:
	EOT
}

@test "cx-manifest check: many files in one run, a verdict each with --json, the worst as status" {
	small
	printf 'services:\n  web: {port: abc}\n' > bad.yml
	run --separate-stderr cx-manifest --json check convox.yml bad.yml
	[ "$status" -eq 100 ]
	[ "$(jq -c '[.file, .valid, .errors]' <<< "$output")" = $'["convox.yml",true,0]\n["bad.yml",false,1]' ]
	jq -e '.error.file == "bad.yml"' <<< "$stderr"
	run --separate-stderr cx-manifest check missing.yml convox.yml
	[ "$status" -eq 100 ]
	[[ "$stderr" == *missing.yml* ]]
	printf 'services:\n  web: {port: 3000}\n' > silent.yml
	run --separate-stderr cx-manifest check silent.yml
	[ "$status" -eq 0 ]
	[ -z "$output$stderr" ]
}

@test "cx-manifest get: a text bare, others as JSON, by dots, indices and quoted names; nothing there is 1" {
	small
	[ "$(cx-manifest get services.web.port.scheme)" = https ]
	[ "$(cx-manifest --json get services.web.port.scheme)" = '"https"' ]
	[ "$(cx-manifest get 'services.web.volumes[1]')" = /b ]
	[ "$(cx-manifest get 'services["web"].port')" = '{"port":3000,"scheme":"https"}' ]
	[ "$(cx-manifest get --format yaml services.web.volumes)" = $'- /a\n- /b' ]
	run --separate-stderr cx-manifest get services.web.prot
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"did you mean port?"* ]]
	run --separate-stderr cx-manifest get 'services.web.volumes[2]'
	[ "$status" -eq 1 ]
	for path in 'services..web' 'services.' 'a[' 'a[x]' 'a["b]' 'a[0]b' 'a.[0]'; do
		run --separate-stderr cx-manifest get "$path"
		[ "$status" -eq 100 ]
	done
}

@test "cx-manifest: options that a verb has no use for, and two files for one, are usage (100)" {
	small
	for args in 'fmt --strict' 'check --positions' 'explain a b' '--check' 'fmt --check -w' 'get' 'fmt a b' 'a b' '--format xml' '--expand --env-file x' '--release file'; do
		# shellcheck disable=SC2086
		run --separate-stderr cx-manifest $args
		[ "$status" -eq 100 ]
		[[ "$stderr" == *usage:* ]]
	done
}

# Texts that YAML 1.1 or 1.2 could take for something else, and bytes that need care.
tricky() {
	/usr/bin/python3 -c '
import json, re
texts = ["", "~", "null", "NULL", "true", "yes", "No", "on", "OFF", "y", "1", "010", "0x1F", "0o7", "0b1", "1_000", "-1", "+1", "1.5", ".5", "1e3", "1.e+3",
  ".inf", "-.INF", ".nan", "12:30:45", "190:20", "2026-11-24", "2026-11-24 10:00:00", "<<", "=", "*a", "&a", "!a", "%a", "@a", "`a", "- a", "-", "?", "? a",
  ":", "a:", "a: b", "a #b", "#a", "[a", "{a", "a]", "\"a", "\x27a", " a", "a ", "a\tb", "a\nb", "a\nb\n", "a\n\n", "\na", " a\nb", "a\n b\n", "a\r\nb", "a\n\tb",
  "\u0085", "\u2028a", "\ufeffa", "\u00e9", "\U0001F600", "\x7f", "\x01", "---", "...", "--- a", "a\n--- b", "a\n...\nb", "|", ">", "a\\b", "C:\\x", "http://a:1/b?c=d&e#f", "x" * 300]
print("services:\n  web:\n    image: x\n    command:")
quote = lambda t: re.sub(r"\\ud[89ab]..\\ud[c-f]..", lambda m: "\\U%08X" % ord(json.loads("\x22" + m[0] + "\x22")), json.dumps(t))
for t in texts: print("    -", quote(t))
print("    environment:")
for i, t in enumerate(texts): print("    -", quote("V%d=%s" % (i, t)))
'
}

# The same JSON from PyYAML, whose YAML is 1.1, as from ours.
as_pyyaml() {
	/usr/bin/python3 -c '
import json, sys, yaml
print(json.dumps(yaml.load(sys.stdin.buffer.read(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))))' | jq -S .
}

@test "cx-manifest --format yaml: PyYAML and cx-manifest read back what --format json prints" {
	tricky > convox.yml
	cx-manifest > out.json
	cx-manifest --format yaml > out.yml
	jq -S . out.json > want
	as_pyyaml < out.yml | diff want -
	# And our own parser: the document as one value of a free key.
	{ printf 'services:\n  web:\nx-all:\n'; sed 's/^/  /' out.yml; } > again.yml
	cx-manifest check again.yml
	cx-manifest --positions --expand --format yaml | as_pyyaml | diff <(cx-manifest --positions --expand | jq -S .) -
}

@test "cx-manifest --positions: every value of the manifest has line and column, as the schema says" {
	small
	run --separate-stderr cx-manifest --positions
	[ "$status" -eq 0 ]
	valid pipeline <<< "$output"
	# As many places as values: each path of the manifest, and no other.
	jq -e '[.manifest | del(.file, .text) | paths | map(tostring) | "/" + join("/")] - (.positions | keys) == []' <<< "$output"
	jq -e '(.positions | keys) - [.manifest | paths | map(tostring) | "/" + join("/")] == []' <<< "$output"
	jq -e '.positions | ."/services/web/port/port" == [5,11] and ."/services/web/environment/0/name" == [1,15]
		and ."/services/web/environment/2/default" == [8,9] and ."/services/web/volumes/1" == [9,19] and ."/services/api" == [10,7]
		and ."/services/web/health/path" == [4,5]' <<< "$output"
}

@test "cx-manifest --positions: what came by an alias or a merge stands where it is written" {
	printf 'x-a: &a\n  port: 3000\nservices:\n  web:\n    <<: *a\n    image: x\n  api: {"<<": *a}\n' > convox.yml
	run --separate-stderr cx-manifest --positions
	[ "$status" -eq 0 ]
	jq -e '.positions | ."/services/web/port" == [2,9] and ."/services/api/port" == [2,9] and ."/services/web/image" == [6,12]' <<< "$output"
}

@test "cx-manifest explain: a key by the names of a file, its keys and examples, or all at the top" {
	run --separate-stderr cx-manifest explain services.web.health
	[ "$status" -eq 0 ]
	[[ "$output" == "services.web.health"*interval*grace* ]]
	run --separate-stderr cx-manifest explain
	[ "$status" -eq 0 ]
	[[ "$output" == *services*resources* ]]
	run --separate-stderr cx-manifest --json explain services.web.scale
	[ "$status" -eq 0 ]
	jq -e '.v == 1 and .path == "services.web.scale" and (.forms | length > 1) and ([.keys[].name] | contains(["count", "memory"]))' <<< "$output"
}

@test "cx-manifest explain: a key that does not exist is 1 with the nearest one" {
	run --separate-stderr cx-manifest explain services.web.heatlh
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"did you mean services.web.health?"* ]]
	run --separate-stderr cx-manifest explain resorces
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"did you mean resources?"* ]]
	run --separate-stderr cx-manifest explain services.web.health.path.more
	[ "$status" -eq 1 ]
	run --separate-stderr cx-manifest explain 'services..web'
	[ "$status" -eq 100 ]
}
