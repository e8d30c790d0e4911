#!/bin/sh
# make bench: what a command costs, beside an empty C program and the peers, in one run. Prints a Markdown table and
# puts it into doc/performance.md between its marks. Medians of hyperfine; interleaved rounds, so that noise hits all.
set -eu
cd "$(dirname "$0")/../.."
runs=${RUNS:-60}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"; [ -z "$engine" ] || t/engine stop "$engine" >/dev/null 2>&1' EXIT
engine=
PATH=$(pwd)/bin:$PATH

if ! docker info >/dev/null 2>&1; then
	engine=$(pwd)/build/bench-engine
	DOCKER_HOST=unix://$(t/engine start "$engine")
	export DOCKER_HOST
fi
echo 'int main(void) { return 0; }' > "$tmp/empty.c"
cc -O2 -o "$tmp/empty" "$tmp/empty.c"

# A spool like that of a rack in use: 10 apps, 20 releases each.
export CX_SPOOL="$tmp/spool"
mkdir -p "$CX_SPOOL/apps" "$CX_SPOOL/routes"
cat > "$CX_SPOOL/rack.json" <<'EOF'
{"v":1,"name":"bench","domain":"convox","address":"127.84.0.1","network":"cx-bench","bridge":"cxb","subnet":"10.184.0.0/24","gateway":"10.184.0.1","ports":{"https":443,"http":80,"dns":53},"uid":65534,"gid":65534,"engine":"unix:///var/run/docker.sock","resolvers":[],"keep":5,"created":"2026-01-01T00:00:00.000Z"}
EOF
for a in 0 1 2 3 4 5 6 7 8 9; do
	d="$CX_SPOOL/apps/app$a"
	mkdir -p "$d/builds" "$d/releases"
	for r in A B C D E F G H I J K L M N O P Q R S T; do
		mkdir "$d/releases/RAAAAAAAAA$r"
		printf '%s\n' '{"v":1,"id":"RAAAAAAAAA'$r'","app":"app'$a'","parent":null,"build":"BAAAAAAAAAA","manifest":"services:\n  web:\n    build: .\n    port: 3000\n","created":"2026-01-01T00:00:00.000Z","status":"superseded","promoted":null,"reason":null}' > "$d/releases/RAAAAAAAAA$r/release.json"
	done
	echo '{"v":1,"name":"app'$a'","created":"2026-01-01T00:00:00.000Z","status":"running","release":"RAAAAAAAAAT","attempt":null,"scale":{}}' > "$d/app.json"
	echo '{"v":1,"app":"app'$a'","active":"RAAAAAAAAAT","promoting":null,"attempt":null,"result":"active","reason":null,"updated":"2026-01-01T00:00:00.000Z","services":[{"name":"web","host":"web.app'$a'.convox","url":"https://web.app'$a'.convox","port":3000,"scheme":"http","count":1,"running":1,"healthy":1,"release":"RAAAAAAAAAT","status":"running","reason":null}],"resources":[]}' > "$d/state.json"
done
mkdir "$tmp/app" && printf 'version: "3"\nservices:\n  web:\n    image: x\n' > "$tmp/app/docker-compose.yml"

hyperfine -N -w 5 -r "$runs" --export-json "$tmp/out.json" \
	-n 'empty C program' "$tmp/empty" \
	-n 'cx --version' 'cx --version' \
	-n 'cx apps' 'cx apps' \
	-n 'cx releases -a app0' 'cx releases -a app0' \
	-n 'cx services -a app0' 'cx services -a app0' \
	-n 'docker ps' 'docker ps' \
	-n 'docker-compose ps' "docker-compose -f $tmp/app/docker-compose.yml ps" >/dev/null 2>&1

jq -r '.results as $r | $r[0].median as $e | ($r[] | select(.command == "docker ps").median) as $d |
	"| command | median, ms | x an empty program | x docker ps |", "|---|---|---|---|",
	($r[] | "| \(.command) | \(.median * 100000 | round / 100) | \(.median / $e * 10 | round / 10) | \(.median / $d * 100 | round / 100) |")' \
	"$tmp/out.json" > "$tmp/table"
cat "$tmp/table"
awk -v table="$tmp/table" '/<!-- start-up -->/ { print; while ((getline line < table) > 0) print line; skip = 1 }
	/<!-- end start-up -->/ { skip = 0 } !skip || !/^\|/ { if (!/<!-- start-up -->/) print }' doc/performance.md > "$tmp/doc"
cp "$tmp/doc" doc/performance.md
t/bench/manifest.sh
