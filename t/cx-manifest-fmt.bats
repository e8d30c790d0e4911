load helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
}

# Each folder of t/fixtures/cx-manifest-fmt is a case: in.yml and out.yml.
@test "cx-manifest fmt: every case is laid out as its folder holds, and stays so" {
	bad=0 n=0
	for d in "$ROOT"/t/fixtures/cx-manifest-fmt/*/; do
		n=$((n + 1))
		cx-manifest fmt - < "$d/in.yml" > out || { echo "$d" >&2; bad=1; }
		diff "$d/out.yml" out || { echo "$d" >&2; bad=1; }
		cx-manifest fmt - < "$d/out.yml" | diff "$d/out.yml" - || { echo "$d: not stable" >&2; bad=1; }
	done
	[ "$bad" -eq 0 ]
	[ "$n" -ge 8 ]
}

# meaning FILE...: what PyYAML makes of each, comments included, one object a line.
meaning() {
	/usr/bin/python3 -c '
import json, re, sys, yaml
for f in sys.argv[1:]:
    text = open(f, newline="").read()
    try: events = [(type(e).__name__, getattr(e, "value", None), getattr(e, "anchor", None), getattr(e, "tag", None), getattr(e, "style", None)) for e in yaml.parse(text)]
    except yaml.YAMLError: events = None  # a few plain texts in brackets are none for PyYAML
    print(json.dumps([events, [c.rstrip() for c in re.findall(r"#.*", text)]]))' "$@"
}

@test "cx-manifest fmt: PyYAML sees the same values, styles, anchors and comments in all our manifests" {
	mkdir in out
	n=0
	for f in "$ROOT"/t/fixtures/cx-manifest*/*/in.yml "$ROOT"/t/corpus/yaml/* "$ROOT"/share/cx/examples/*/convox.yml; do
		cx-manifest fmt - < "$f" > out/$n 2> err || { grep -q convox.yml: err; rm out/$n; continue; }
		cp "$f" in/$n
		n=$((n + 1))
	done
	[ "$n" -ge 20 ]
	(cd in && meaning *) > before
	(cd out && meaning *) > after
	cmp before after
	[ "$(grep -c '^.null' before)" -le 5 ]
}

@test "cx-manifest fmt: -w rewrites a file in place through a link with its mode, --check only tells" {
	mkdir app && cd app
	printf 'services:\n    web:   # it\n' > real.yml
	chmod 640 real.yml
	ln -s real.yml convox.yml
	run --separate-stderr cx-manifest fmt --check
	[ "$status" -eq 1 ]
	[ "$output" = convox.yml ]
	[ "$(cat real.yml)" = $'services:\n    web:   # it' ]
	run --separate-stderr cx-manifest fmt -w
	[ "$status" -eq 0 ]
	[ "$output" = convox.yml ]
	[ -L convox.yml ]
	[ "$(stat -c %a real.yml)" = 640 ]
	[ "$(cat real.yml)" = $'services:\n  web:   # it' ]
	run --separate-stderr cx-manifest fmt --check
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(ls -A)" = $'convox.yml\nreal.yml' ]
}

@test "cx-manifest fmt: what is no YAML, or has odd line breaks, is refused with its place and stays (100)" {
	printf 'services:\n  web: {port: [\n' > convox.yml
	cp convox.yml before
	run --separate-stderr cx-manifest fmt -w
	[ "$status" -eq 100 ]
	[[ "$stderr" == "cx-manifest: convox.yml:"[0-9]*:[0-9]*": "* ]]
	cmp convox.yml before
	printf 'services:\r  web:\n' > convox.yml
	run --separate-stderr cx-manifest fmt
	[ "$status" -eq 100 ]
	[[ "$stderr" == *"line breaks"* ]]
}

@test "cx-manifest fmt: CRLF and a byte order mark stay" {
	printf '\xef\xbb\xbfservices:\r\n    web:\r\n        command: |\r\n            a\r\n\r\n            b\r\n' > convox.yml
	cx-manifest fmt > out
	printf '\xef\xbb\xbfservices:\r\n  web:\r\n    command: |\r\n      a\r\n\r\n      b\r\n' | cmp out -
}
