#!/bin/sh
# Part of make bench: what cx-manifest costs on a typical convox.yml, beside programs that read a file of the like, in one
# run; and how time and memory grow up to 10 MB. Prints Markdown and puts it into doc/performance.md between its marks.
set -eu
cd "$(dirname "$0")/../.."
runs=${RUNS:-60}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
PATH=$(pwd)/bin:$PATH

cat > "$tmp/convox.yml" <<'EOT'
environment:
  - LOG_LEVEL=info
resources:
  database:
    type: postgres
  cache:
    type: redis
services:
  web:
    build: .
    command: bin/web
    port: 3000
    health:
      path: /health
      interval: 10
      timeout: 5
    environment:
      - SECRET_KEY
      - RAILS_ENV=production
      - HOST=example.org
    resources:
      - database
      - cache
    scale:
      count: 2-10
      memory: 512
  worker:
    build: .
    command: bin/worker
    environment:
      - SECRET_KEY
      - RAILS_ENV=production
    resources:
      - database
      - cache
    scale:
      count: 2
      memory: 1024
  docs:
    build: ./docs
    port: 8080
EOT
mkdir -p "$tmp/compose/docs"
cat > "$tmp/compose/docker-compose.yml" <<'EOT'
version: "3.8"
services:
  database:
    image: postgres:16
  cache:
    image: redis:7
  web:
    build: .
    command: bin/web
    ports:
      - "3000"
    healthcheck:
      test: curl -f http://localhost:3000/health
      interval: 10s
      timeout: 5s
    environment:
      - LOG_LEVEL=info
      - SECRET_KEY=x
      - RAILS_ENV=production
      - HOST=example.org
    depends_on:
      - database
      - cache
    deploy:
      replicas: 2
  worker:
    build: .
    command: bin/worker
    environment:
      - LOG_LEVEL=info
      - SECRET_KEY=x
      - RAILS_ENV=production
    depends_on:
      - database
      - cache
    deploy:
      replicas: 2
  docs:
    build: ./docs
    ports:
      - "8080"
EOT
echo 'int main(void) { return 0; }' > "$tmp/empty.c"
cc -O2 -o "$tmp/empty" "$tmp/empty.c"
NODE_PATH=/usr/share/nodejs
export NODE_PATH
python=/usr/bin/python3
[ -x "$python" ] || python=python3

# Each peer that is there, as hyperfine's "-n NAME COMMAND".
set -- -n 'empty C program' "$tmp/empty" \
	-n 'cx-manifest' "cx-manifest $tmp/convox.yml" \
	-n 'cx-manifest check' "cx-manifest check $tmp/convox.yml" \
	-n 'cx-manifest fmt' "cx-manifest fmt $tmp/convox.yml"
if "$python" -c 'import yaml' 2>/dev/null; then
	set -- "$@" -n 'PyYAML, its C parser' "$python -c 'import yaml; yaml.load(open(\"$tmp/convox.yml\"), yaml.CSafeLoader)'"
fi
if node -e 'require("yaml")' 2>/dev/null; then
	set -- "$@" -n 'node, yaml' "node -e 'require(\"yaml\").parse(require(\"fs\").readFileSync(\"$tmp/convox.yml\", \"utf8\"), {merge: true})'"
fi
if command -v yq >/dev/null; then
	set -- "$@" -n "yq ." "yq . $tmp/convox.yml"
fi
if command -v docker-compose >/dev/null; then
	set -- "$@" -n 'docker-compose config' "docker-compose -f $tmp/compose/docker-compose.yml config"
fi
hyperfine -N -w 3 -r "$runs" --export-json "$tmp/typical.json" "$@" >"$tmp/log" 2>&1 || { cat "$tmp/log"; exit 111; }
jq -r '.results as $r | ($r[] | select(.command == "cx-manifest").median) as $m |
	"| program | median, ms | x cx-manifest | CPU, ms |", "|---|---|---|---|",
	($r[] | "| \(.command) | \(.median * 100000 | round / 100) | \(.median / $m * 10 | round / 10) | \((.user + .system) * 100000 | round / 100) |")' "$tmp/typical.json" > "$tmp/typical"

# N services of about 1 kB each.
large() {
	"$python" -c '
import sys
n = int(sys.argv[1])
print("resources:\n  db: {type: postgres}\nservices:")
for i in range(n):
    print(f"  s{i}:\n    # {i:0>700}\n    build: ./services/s{i}\n    command: bin/serve --name s{i} --verbose\n    port: {1024 + i % 60000}\n"
          f"    health:\n      path: /health/{i}\n      interval: 10\n    environment:\n      - SECRET\n      - NAME=s{i}\n      - URL=https://s{i}.example.org/\n"
          f"    resources: [db]\n    scale:\n      count: 1-{1 + i % 9}\n      memory: 512")' "$1"
}

# The most memory that a command held, kB.
peak() {
	"$python" -c 'import os, resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "$@"
}

{
	echo '| services | file, kB | cx-manifest, ms CPU | a service, µs CPU | peak memory, MB | check, ms CPU | fmt, ms CPU |'
	echo '|---|---|---|---|---|---|---|'
	for n in 10 100 1000 10000; do
		large "$n" > "$tmp/large.yml"
		hyperfine -N -w 1 -r 7 --export-json "$tmp/large.json" "cx-manifest $tmp/large.yml" "cx-manifest check $tmp/large.yml" \
			"cx-manifest fmt $tmp/large.yml" >/dev/null 2>&1
		kb=$(peak cx-manifest "$tmp/large.yml")
		jq -r --argjson n "$n" --argjson kb "$kb" --argjson size "$(wc -c < "$tmp/large.yml")" '.results | map(.user + .system) |
			"| \($n) | \($size / 1000 | round) | \(.[0] * 10000 | round / 10) | \(.[0] * 1e6 / $n | round) | \($kb / 102.4 | round / 10) | \(.[1] * 10000 | round / 10) | \(.[2] * 10000 | round / 10) |"' "$tmp/large.json"
	done
} > "$tmp/linear"

{
	echo "A convox.yml of three services and two resources; medians of $runs runs by hyperfine, process start included. Load: $(cut -d ' ' -f 1 /proc/loadavg)."
	echo
	cat "$tmp/typical"
	echo
	echo 'Cost grows in a straight line to the largest file that is read, 10 MiB: means of the CPU time of 7 runs.'
	echo
	cat "$tmp/linear"
} > "$tmp/section"
cat "$tmp/section"
# The section is made when it is not there yet.
grep -q '<!-- manifest -->' doc/performance.md || printf '\n## Reading a manifest\n\n<!-- manifest -->\n<!-- end manifest -->\n' >> doc/performance.md
awk -v section="$tmp/section" '/<!-- end manifest -->/ { skip = 0 } !skip { print }
	/<!-- manifest -->/ { while ((getline line < section) > 0) print line; skip = 1 }' doc/performance.md > "$tmp/doc"
cp "$tmp/doc" doc/performance.md
