#!/bin/sh
# What a rack has in the container engine, found by its label and by the names
# that it gives: lists it, or removes it and proves that nothing is left. Never
# touches the build cache, which belongs to everybody. cx-local-sweep(8).
set -u
me=cx-local-sweep

usage_text() {
	echo "usage: cx-local-sweep list | remove NAME"
}

event() { # ID STATE TEXT
	jq -cn --arg id "$1" --arg state "$2" --arg text "$3" \
		'{v: 1, time: (now | todate), at: "rack", id: $id, state: $state, text: $text}'
}

fail() { # STATUS TEXT [HINT]
	if [ "${CX_JSON-}" = 1 ]; then
		jq -cn --arg t "$2" --arg h "${3-}" '{v: 1, error: {class: "sys", text: $t, hint: $h}}' >&2
	else
		echo "$me: $2" >&2
		[ -z "${3-}" ] || echo "  hint: $3" >&2
	fi
	exit "$1"
}

# METHOD PATH: the reply on stdout.
api() {
	curl -sS --fail --max-time 60 --unix-socket "$sock" -X "$1" "http://engine/v1.41$2"
}

# Lines {"kind","id","name"} of all that a rack has.
objects() {
	api GET /version >/dev/null || return
	f=$(jq -rn --arg l "convox.rack=$1" '{label: [$l]} | tojson | @uri')
	{
		api GET "/containers/json?all=1&filters=$f" |
			jq -c '.[] | {kind: "containers", id: .Id, name: (.Names[0] // "" | ltrimstr("/"))}' || return
		api GET /networks | jq -c --arg rack "$1" '.[] | select(.Name == "cx-\($rack)" or .Labels["convox.rack"] == $rack)
			| {kind: "networks", id: .Id, name: .Name}' || return
		api GET "/volumes?filters=$f" | jq -c '.Volumes // [] | .[] | {kind: "volumes", id: .Name, name: .Name}' || return
		# An image of ours that another rack or person tagged too only loses our name.
		api GET "/images/json?all=0" | jq -c --arg p "$1/" --arg rack "$1" '.[] | .Id as $id
			| ((.RepoTags // []) - ["<none>:<none>"]) as $tags
			| (($tags[] | select(startswith($p))) // (select(($tags | length) == 0 and .Labels["convox.rack"] == $rack) | $id))
			| {kind: "images", id: ., name: .}' || return
	} >"$tmp/objects"
}

remove() {
	objects "$1" || fail 111 "the engine at $sock does not answer" "start it and try again"
	# Containers hold the others, so they go first.
	for kind in containers networks volumes images; do
		jq -r --arg k "$kind" 'select(.kind == $k) | "\(.id) \(.name)"' "$tmp/objects" >"$tmp/some"
		while read -r id what; do
			q=
			[ "$kind" != containers ] || q='?force=1&v=1'
			if api DELETE "/$kind/$id$q" >/dev/null 2>"$tmp/err"; then
				event "$kind" progress "removed $what"
			fi
		done <"$tmp/some"
	done
	objects "$1" || fail 111 "the engine at $sock does not answer" "start it and try again"
	[ ! -s "$tmp/objects" ] || fail 111 \
		"the engine still has $(jq -rs 'map("\(.kind | rtrimstr("s")) \(.name)") | join(", ")' "$tmp/objects"): $(cat "$tmp/err")" \
		"see what uses them: docker ps -a"
}

if [ "${1-}" = --help ]; then
	usage_text
	exit 0
fi
case ${1-}:$# in list:2 | remove:2) ;; *) usage_text >&2 && exit 100 ;; esac
case $2 in '' | [!a-z]* | *[!a-z0-9-]*) fail 100 "\"$2\" is not a name for a rack" ;; esac
engine=${CX_ENGINE:-${DOCKER_HOST:-unix:///var/run/docker.sock}}
case $engine in unix:///*) sock=${engine#unix://} ;; *) fail 100 "the engine $engine is not a Unix socket" ;; esac
tmp=$(mktemp -d) || exit 111
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [ "$1" = remove ]; then
	remove "$2"
else
	objects "$2" || fail 111 "the engine at $sock does not answer" "start it and try again"
	cat "$tmp/objects"
fi
