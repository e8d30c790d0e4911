load helpers

# cx-converge alone with an engine: no router, no builds; images are a busybox, tagged as a build would.

api() {
	curl -sS --max-time 10 --unix-socket "${CX_ENGINE#unix://}" -X "$1" "http://engine/v1.41$2"
}

paths() {
	export CX_SPOOL=$BATS_FILE_TMPDIR/spool CX_SHARE=$BATS_FILE_TMPDIR/share
}

setup_file() {
	paths
	local root=$BATS_FILE_TMPDIR/root
	cp -R "$ROOT/share/cx" "$CX_SHARE"
	jq '.image = "cvt33-box:1" | .command = ["httpd", "-f", "-p", "6379"]' "$ROOT/share/cx/resource/redis.json" > "$CX_SHARE/resource/redis.json"
	jq '.image = "localhost:1/none:1"' "$ROOT/share/cx/resource/postgres.json" > "$CX_SHARE/resource/postgres.json"
	mkdir -p "$CX_SPOOL"/{apps,routes,ca,log,run} "$root"/{bin,www,tmp}
	jq -n --arg e "$CX_ENGINE" '{v:1,name:"cvt33",domain:"cvt.test",address:"127.84.33.1",network:"cx-cvt33",bridge:"cxcvt33",subnet:"10.184.33.0/24",gateway:"10.184.33.1",ports:{https:8443,http:8080,dns:5353},uid:65534,gid:65534,engine:$e,resolvers:[],keep:2,created:"2026-01-01T00:00:00.000Z"}' > "$CX_SPOOL/rack.json"
	echo "none" > "$CX_SPOOL/ca/bundle.pem"
	cx-seal init
	cp /bin/busybox "$root/bin/"
	for a in sh httpd nc cat echo sleep kill; do ln -s busybox "$root/bin/$a"; done
	echo hello > "$root/www/index.html"
	tar -C "$root" -c . | docker -H "$CX_ENGINE" import -c 'ENV PATH=/bin' - cvt33-box:1 >&2
	converge_start
}

teardown_file() {
	paths
	converge_end
	for c in $(boxes); do api DELETE "/containers/$c?force=1&v=1"; done
	for t in $(docker -H "$CX_ENGINE" images --format '{{.Repository}}:{{.Tag}}' | grep '^cvt33'); do docker -H "$CX_ENGINE" rmi "$t" > /dev/null; done
	api DELETE /networks/cx-cvt33
}

converge_start() {
	cx-converge 2>> "$BATS_FILE_TMPDIR/log" 3>&- &
	echo $! > "$BATS_FILE_TMPDIR/pid"
}

converge_end() {
	local pid
	pid=$(cat "$BATS_FILE_TMPDIR/pid")
	kill "${1:--TERM}" "$pid" || true
	while kill -0 "$pid" 2> /dev/null && ! grep -q '^State:.*Z' "/proc/$pid/status"; do sleep 0.02; done
}

setup() {
	paths
	export CX_APP=a$BATS_TEST_NUMBER
	cd "$BATS_TEST_TMPDIR"
}

teardown() {
	[ -n "${BATS_TEST_COMPLETED-}" ] || tail -n 30 "$BATS_FILE_TMPDIR/log" >&2
	cx-provider-local app delete "$CX_APP" > /dev/null 2>&1 || true
	wait_until 20 gone "$CX_APP"
}

boxes() { # [LABEL=VALUE]...: IDs of this rack's containers
	local l='"convox.rack=cvt33"'
	for a; do l=$l,\"convox.$a\"; done
	api GET "/containers/json?all=1&filters=$(jq -rn --arg l "{\"label\":[$l]}" '$l|@uri')" | jq -r '.[].Id'
}

gone() {
	[ ! -e "$CX_SPOOL/apps/$1" ]
}

# release YML: a build that is complete, and a release of it; prints its ID.
release() {
	local b s f
	b=$(jq -n --arg m "$1" '{manifest:$m}' | cx-provider-local build create | jq -r .build.id)
	f=$CX_SPOOL/apps/$CX_APP/builds/$b
	for s in $(echo "$1" | cx-manifest - | jq -r '.manifest.services|keys[]'); do
		docker -H "$CX_ENGINE" tag cvt33-box:1 "cvt33/$CX_APP/$s:$b"
		jq --arg s "$s" '.images[$s] = "cvt33/\(.app)/\($s):\(.id)" | .status = "complete" | .ended = .created | .digest = null | .pid = null' "$f/build.json" > "$f/.b"
		mv "$f/.b" "$f/build.json"
	done
	cx-provider-local release create --build "$b" | jq -r .release.id
}

web() { # [COMMAND [MORE]]: a manifest of one service
	# As PID 1, httpd alone would not hear SIGTERM.
	local run="sh -c 'trap \"exit 0\" TERM; httpd -f -p 3000 -h /www & wait'"
	printf 'services:\n  web:\n    image: cvt33-box:1\n    command: %s\n    port: 3000\n    health: {path: /, interval: 1, timeout: 1, grace: 1}\n    drain: 5\n%s' \
		"${1:-$run}" "${2-}"
}

app() {
	cx-provider-local app create "$CX_APP" > /dev/null
}

state() {
	jq -r "$1" "$CX_SPOOL/apps/$CX_APP/state.json"
}

is() { # EXPRESSION: true of state.json
	jq -e "$1" "$CX_SPOOL/apps/$CX_APP/state.json"
}

events() {
	cat "$CX_SPOOL/apps/$CX_APP/releases/$1/events"
}

backends() {
	jq -r '.services[].backends[].process' "$CX_SPOOL/routes/$CX_APP.json"
}

count_is() {
	[ "$(boxes "app=$CX_APP" | wc -l)" -eq "$1" ] && is ".services[0].healthy == $1"
}

@test "cx-converge: a promotion ends with a route to a healthy container; state, routes and events keep their schemas" {
	app
	r=$(release "$(web)")
	run --separate-stderr cx-promote "$r"
	dump
	[ "$status" -eq 0 ]
	is '.active == "'"$r"'" and .result == "active" and .services[0].status == "running"'
	valid state < <(jq -c . "$CX_SPOOL/apps/$CX_APP/state.json")
	valid routes < <(jq -c . "$CX_SPOOL/routes/$CX_APP.json")
	events "$r" | valid event
	[ "$(events "$r" | tail -n 1 | jq -r '.at + .state')" = releasedone ]
	ip=$(jq -r '.services[0].backends[0].address' "$CX_SPOOL/routes/$CX_APP.json")
	[ "$(curl -sS "http://$ip:3000/")" = hello ]
}

@test "cx-converge: a release that exits fails with status and last lines, its containers go, the old one is untouched" {
	app
	cx-promote "$(release "$(web)")"
	old=$(boxes "app=$CX_APP")
	r=$(release "$(web "sh -c 'echo no database; exit 3'")")
	run --separate-stderr cx-promote "$r"
	[ "$status" -eq 1 ]
	events "$r" | tail -n 1 | jq -e '.state == "fail" and (.reason | contains("status 3")) and (.log | index("no database"))'
	[ "$(boxes "app=$CX_APP")" = "$old" ]
	[ "$(backends)" = "${old:0:12}" ]
	is '.result == "failed"'
	jq -e '.status == "failed"' "$CX_SPOOL/apps/$CX_APP/releases/$r/release.json"
}

@test "cx-converge: a command that is not in the image fails with a hint" {
	app
	r=$(release "$(web nothing-like-it)")
	run --separate-stderr cx-promote "$r"
	[ "$status" -eq 1 ]
	events "$r" | tail -n 1 | jq -e '.hint | contains("command")'
	[ -z "$(boxes "app=$CX_APP")" ]
}

@test "cx-converge: a service that never becomes healthy holds up no other app, and the hint names its real port" {
	app
	r=$(release "$(web 'httpd -f -p 4000 -h /www')")
	cx-promote "$r" > /dev/null 2>&1 3>&- &
	wait_until 5 is '.promoting == "'"$r"'"'
	CX_APP=other
	app
	cx-promote "$(release "$(web)")"
	cx-provider-local app delete other > /dev/null
	wait_until 20 gone other
	CX_APP=a$BATS_TEST_NUMBER
	is '.result == "promoting"'
	wait_until 30 is '.result == "failed"'
	events "$r" | jq -e 'select(.state == "fail") | (.hint | contains("4000") and contains("3000")) and (.reason | contains("refused"))'
}

@test "cx-converge: a crash restarts the same container, and the route leads to no dead one" {
	app
	cx-promote "$(release "$(web)")"
	id=$(boxes "app=$CX_APP")
	before=$(api GET "/containers/$id/json" | jq -r .State.StartedAt)
	again() { [ "$(api GET "/containers/$id/json" | jq -r .State.StartedAt)" != "$before" ] && is '.services[0].healthy == 1'; }
	api POST "/containers/$id/kill"
	wait_until 5 again
	[ "$(boxes "app=$CX_APP")" = "$id" ]
	# The second crash waits a second: long enough to see what the route says.
	api POST "/containers/$id/kill"
	wait_until 3 jq -e '.services[0] | .state == "crashed" and .backends == [] and (.reason | contains("signal 9"))' "$CX_SPOOL/routes/$CX_APP.json"
	wait_until 8 is '.services[0].healthy == 1'
	[ "$(backends)" = "${id:0:12}" ]
}

@test "cx-converge: a container that must start again, and was made by another spec, is made anew" {
	app
	cx-promote "$(release "$(web)")"
	id=$(boxes "app=$CX_APP")
	# What stands for an upgrade of cx: the rack's URL is part of every container's environment.
	converge_end
	jq '.domain = "cvu.test"' "$CX_SPOOL/rack.json" > "$CX_SPOOL/r" && mv "$CX_SPOOL/r" "$CX_SPOOL/rack.json"
	converge_start
	wait_until 10 is '.services[0].healthy == 1'
	[ "$(boxes "app=$CX_APP")" = "$id" ]
	api POST "/containers/$id/kill"
	anew() { new=$(boxes "app=$CX_APP"); [ -n "$new" ] && [ "$new" != "$id" ] && is '.services[0].healthy == 1'; }
	wait_until 15 anew
	api GET "/containers/$(boxes "app=$CX_APP")/json" | jq -e '.Config.Env | any(. == "RACK_URL=https://rack.cvu.test")'
	converge_end
	jq '.domain = "cvt.test"' "$CX_SPOOL/rack.json" > "$CX_SPOOL/r" && mv "$CX_SPOOL/r" "$CX_SPOOL/rack.json"
	converge_start
}

@test "cx-converge: scale starts and stops containers of the active release" {
	app
	cx-promote "$(release "$(web)")"
	cx-scale web=3 > /dev/null
	wait_until 15 count_is 3
	[ "$(backends | wc -l)" -eq 3 ]
	cx-scale web=1 > /dev/null
	wait_until 15 count_is 1
}

@test "cx-converge: killed with -9 in the middle of a promotion, the next one finishes it" {
	app
	for delay in 0.1 0.4 0.8 1.2; do
		r=$(release "$(web)")
		cx-provider-local release promote "$r" > /dev/null 2>&1 3>&- &
		sleep "$delay" # the moment of the kill is the input of this test
		converge_end -KILL
		converge_start
		wait_until 20 is '.active == "'"$r"'" and .result == "active"'
		wait_until 5 count_is 1
		jq -e '.status == "active"' "$CX_SPOOL/apps/$CX_APP/releases/$r/release.json"
	done
	[ "$(jq -s '[.[] | select(.status == "active")] | length' "$CX_SPOOL/apps/$CX_APP"/releases/*/release.json)" -eq 1 ]
}

@test "cx-converge: a resource is started before the service, has an address, and outlives the next release" {
	app
	y=$(web "" $'    resources: [cache]\nresources:\n  cache:\n    type: redis\n')
	cx-promote "$(release "$y")"
	id=$(boxes "app=$CX_APP" type=resource)
	is '.resources[0] | .status == "running" and (.address | startswith("127.84.33."))'
	api GET "/containers/$(boxes "app=$CX_APP" type=service)/json" | jq -e '.Config.Env | any(startswith("CACHE_URL=redis://"))'
	cx-promote "$(release "$y")"
	[ "$(boxes "app=$CX_APP" type=resource)" = "$id" ]
}

@test "cx-converge: a resource whose image cannot be had fails the promotion, and says which" {
	app
	r=$(release "$(web "" $'    resources: [db]\nresources:\n  db:\n    type: postgres\n')")
	run --separate-stderr cx-promote "$r"
	[ "$status" -eq 1 ]
	events "$r" | tail -n 1 | jq -e '.state == "fail" and (.reason | contains("db") and contains("localhost:1/none:1"))'
}

@test "cx-converge: an app.json that cannot be read stops nothing, and nobody else" {
	app
	cx-promote "$(release "$(web)")"
	id=$(boxes "app=$CX_APP")
	cp "$CX_SPOOL/apps/$CX_APP/app.json" good
	echo '{' > "$CX_SPOOL/apps/$CX_APP/app.json"
	converge_end
	run --separate-stderr cx-converge --once
	[ "$status" -eq 0 ]
	[[ "$stderr" == *"read an app"* ]]
	[ "$(api GET "/containers/$id/json" | jq .State.Running)" = true ]
	cp good "$CX_SPOOL/apps/$CX_APP/app.json"
	converge_start
}

@test "cx-converge: one-off processes of an owner that is gone are removed, others stay; a second instance is refused" {
	wait_until 5 grep -q . "$CX_SPOOL/run/converge.lock"
	mine=$$:$(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f20)
	gone=$(docker -H "$CX_ENGINE" run -d --net none --label convox.rack=cvt33 --label convox.type=process --label convox.owner=$$:1 cvt33-box:1 sleep 60)
	kept=$(docker -H "$CX_ENGINE" run -d --net none --label convox.rack=cvt33 --label convox.type=process --label "convox.owner=$mine" cvt33-box:1 sleep 60)
	no_longer() { [ -z "$(docker -H "$CX_ENGINE" ps -aq --no-trunc -f "id=$gone")" ]; }
	wait_until 10 no_longer
	[ "$(boxes type=process)" = "$kept" ]
	docker -H "$CX_ENGINE" rm -f "$kept"
	run --separate-stderr cx-converge --once
	[ "$status" -eq 111 ]
	[[ "$stderr" == *"cx-converge"* ]]
}

@test "cx-converge: images and sources of builds that nothing needs go, and going back to one says so (1)" {
	app
	releases=()
	for _ in 1 2 3 4; do
		r=$(release "$(web)")
		echo source > "$CX_SPOOL/apps/$CX_APP/builds/$(cx-provider-local release get "$r" | jq -r .release.build)/source.tar.gz"
		cx-promote "$r"
		releases+=("$r")
	done
	only_two() { [ "$(docker -H "$CX_ENGINE" images --format '{{.Tag}}' "cvt33/$CX_APP/web" | wc -l)" -eq 2 ]; }
	wait_until 10 only_two
	[ "$(find "$CX_SPOOL/apps/$CX_APP/builds" -name source.tar.gz | wc -l)" -eq 2 ]
	[ "$(find "$CX_SPOOL/apps/$CX_APP/builds" -name build.json | wc -l)" -eq 4 ]
	run --separate-stderr cx-promote "${releases[0]}"
	[ "$status" -eq 1 ]
	events "${releases[0]}" | tail -n 1 | jq -e '.state == "fail" and (.hint | contains("cx deploy"))'
	is '.active == "'"${releases[3]}"'"'
}

@test "cx-converge: deleting an app removes containers, images, volumes, routes and folder" {
	app
	cx-promote "$(release "$(web "" $'    volumes: [/data]\n')")"
	docker -H "$CX_ENGINE" volume ls -q | grep -q "^cvt33.$CX_APP"
	cx-provider-local app delete "$CX_APP" > /dev/null
	wait_until 20 gone "$CX_APP"
	[ -z "$(boxes "app=$CX_APP")" ]
	[ -z "$(docker -H "$CX_ENGINE" images -q "cvt33/$CX_APP/*")" ]
	[ -z "$(docker -H "$CX_ENGINE" volume ls -q | grep "^cvt33.$CX_APP")" ]
	[ ! -e "$CX_SPOOL/routes/$CX_APP.json" ]
}
