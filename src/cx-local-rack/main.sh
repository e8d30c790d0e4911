#!/bin/sh
# One Local Rack: makes its spool, starts and stops its daemons, takes all away
# again. Composition of cx-seal, cx-mint, cx-supervise, cx-local-hook and the
# engine's API; emits events on stdout (data on get, status, logs). cx-local-rack(8).
set -u
me=cx-local-rack
dir=$(dirname -- "$0")
PATH=${CX_EXEC_PATH:+$CX_EXEC_PATH:}$dir:$PATH:/usr/sbin:/sbin
export PATH

usage_text() {
	cat <<-END
		usage: cx-local-rack install [--name NAME] [--domain DOMAIN] [--address ADDRESS]
		           [--https-port PORT] [--http-port PORT] [--dns-port PORT]
		           [--subnet CIDR] [--engine URL] [--no-trust] [--no-resolver] [--no-boot]
		       cx-local-rack uninstall [--force] [NAME]
		       cx-local-rack get | status | start | stop | restart | trust | untrust
		       cx-local-rack logs [-f] [-n LINES] [DAEMON]
	END
}

usage() {
	[ $# -eq 0 ] || echo "$me: $1" >&2
	usage_text >&2
	exit 100
}

event() { # ID STATE TEXT [HINT]
	jq -cn --arg id "$1" --arg state "$2" --arg text "$3" --arg hint "${4-}" \
		'{v: 1, time: (now | todate), at: "rack", id: $id, state: $state, text: $text}
		+ if $hint == "" then {} else {hint: $hint} end'
}

fail() { # STATUS TEXT [HINT]
	if [ "${CX_JSON-}" = 1 ]; then
		jq -cn --arg s "$1" --arg t "$2" --arg h "${3-}" \
			'{v: 1, error: {class: ({"1": "no", "100": "bad"}[$s] // "sys"), text: $t, hint: $h}}' >&2
	else
		echo "$me: $2" >&2
		[ -z "${3-}" ] || echo "  hint: $3" >&2
	fi
	exit "$1"
}

need_root() {
	[ "$(id -u)" = 0 ] || fail 111 "a Local Rack is $1 by root: it binds ports and speaks to the engine" "use sudo"
}

need() {
	for p in "$@"; do
		command -v "$p" >/dev/null || fail 111 "the program $p is not installed" "make deps installs what cx needs"
	done
}

# The spool by the rule of all commands (cx_spool_path).
spool_path() {
	if [ -n "${CX_SPOOL-}" ]; then
		echo "$CX_SPOOL"
	elif [ "$(id -u)" = 0 ] || [ -d /var/lib/cx/racks ]; then
		echo "/var/lib/cx/racks/${1:-${CX_RACK:-local}}"
	else
		echo "${XDG_STATE_HOME:-$HOME/.local/state}/cx/racks/${1:-${CX_RACK:-local}}"
	fi
}

open_spool() {
	CX_SPOOL=$(spool_path "${1-}")
	[ -f "$CX_SPOOL/rack.json" ] || fail 1 "there is no rack at $CX_SPOOL" "install one with: cx install local"
	CX_SPOOL=$(cd "$CX_SPOOL" && pwd -P) || exit 111
	export CX_SPOOL
	name=$(rack .name)
	# The rack's own, whatever the environment says: an uninstall must look where the containers are.
	engine=$(rack .engine)
}

rack() {
	jq -r "$1" "$CX_SPOOL/rack.json"
}

# --- engine ----------------------------------------------------------------

socket() {
	case $engine in
	unix:///*) echo "${engine#unix://}" ;;
	*) fail 100 "the engine $engine is not a Unix socket" "a Local Rack needs one: --engine unix:///var/run/docker.sock" ;;
	esac
}

engine_answers() {
	[ "$(curl -s --max-time 10 --unix-socket "$sock" http://engine/_ping)" = OK ]
}

need_engine() {
	sock=$(socket) || exit
	engine_answers || fail 111 "no container engine answers at $sock" \
		"start it (systemctl start docker), or name another: --engine unix:///PATH"
}

# --- checks of install -----------------------------------------------------

check_name() {
	printf '%s' "$1" | LC_ALL=C grep -Eqx '[a-z]([a-z0-9-]{0,38}[a-z0-9])?' ||
		fail 100 "\"$1\" is not a name for a rack" "a-z, then a-z, 0-9 and -, at most 40"
}

check_domain() {
	printf '%s' "$1" | LC_ALL=C grep -Eqx '([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?' ||
		fail 100 "\"$1\" is not a domain" "for example convox, or dev.example"
	case $1 in
	local | *.local | localhost | *.localhost) fail 100 "the domain $1 belongs to other protocols (RFC 6761, RFC 6762)" \
		"for example convox, or dev.test" ;;
	esac
}

check_port() {
	case $2 in
	*[!0-9]* | '' | ??????*) ;;
	*) [ "$2" -ge 1 ] && [ "$2" -le 65535 ] && return ;;
	esac
	fail 100 "$1: \"$2\" is not a port" "1 to 65535"
}

octet() {
	case $1 in '' | *[!0-9]* | ????* | 0?*) return 1 ;; esac
	[ "$1" -le 255 ]
}

check_address() {
	case $1 in
	127.84.*.1)
		n=${1#127.84.}
		octet "${n%.1}" && return
		;;
	esac
	fail 100 "\"$1\" is not an address for a rack" "127.84.N.1, N from 0 to 255"
}

check_subnet() {
	case $1 in
	*.*.*.0/24)
		IFS=. read -r a b c d <<-END
			$1
		END
		octet "$a" && octet "$b" && octet "$c" && [ "$d" = 0/24 ] && return
		;;
	esac
	fail 100 "\"$1\" is not a subnet for a rack" "A.B.C.0/24, for example 10.184.0.0/24"
}

# Who listens on a port: prints "PROGRAM (process N) at ADDRESS" when ADDRESS or the wildcard is taken.
listener() { # tcp|udp ADDRESS PORT
	flag=t
	[ "$1" = tcp ] || flag=u
	ss -Hln"$flag"p "sport = :$3" | awk -v want="$2" '{
		local = $4; sub(/:[0-9]+$/, "", local); sub(/%.*/, "", local)
		if (local != want && local != "0.0.0.0" && local != "*" && local != "[::]") next
		who = "another program"; n = $0
		if (match(n, /"[^"]+",pid=[0-9]+/)) {
			n = substr(n, RSTART + 1, RLENGTH - 1); split(n, w, /",pid=/); who = w[1] " (process " w[2] ")"
		}
		print who " listens on " (local == want ? local : "every address") " at port '"$3"'"; exit }'
}

check_free() { # tcp|udp PORT OPTION
	who=$(listener "$1" "$address" "$2")
	[ -z "$who" ] || fail 111 "$who" "stop it, or choose another port: $3"
}

# Containers always use 443, 80 and 53 of the gateway; a wildcard listener takes those too.
warn_gateway() {
	for p in tcp:443 tcp:80 udp:53 tcp:53; do
		who=$(listener "${p%:*}" "$gateway" "${p#*:}")
		[ -z "$who" ] || event install warn "$who: containers may not reach the rack's names" "stop it while the rack runs"
	done
}

subnet_used() { # A.B.C
	{
		ip -4 -o addr show
		ip -4 route show
	} | grep -q "[ /]$(echo "$1" | sed 's/\./\\./g')\." && return 0
	curl -sS --max-time 10 --unix-socket "$sock" http://engine/v1.41/networks | jq -e --arg p "$1." 'any(.[]; (.IPAM.Config // [])[] | (.Subnet // "") | startswith($p))' >/dev/null
}

address_used() { # A.B.C.1
	cat /var/lib/cx/racks/*/rack.json 2>/dev/null | jq -se --arg a "$1" 'any(.[]; .address == $a)' >/dev/null && return 0
	ss -Hlntu | awk -v a="${1%.1}." 'index($5, a) == 1 { found = 1 } END { exit !found }'
}

choose_address() {
	i=0
	while [ "$i" -le 255 ]; do
		if ! address_used "127.84.$i.1" && { [ -n "$subnet" ] || ! subnet_used "10.184.$i"; }; then
			address=127.84.$i.1
			return
		fi
		i=$((i + 1))
	done
	fail 111 "every address of 127.84.0.0/16 is in use" "name one: --address 127.84.N.1"
}

choose_bridge() {
	bridge=cx-$name
	[ ${#bridge} -le 15 ] || bridge=cx-$(printf '%.4s' "$name")-$(printf %s "$name" | sha256sum | cut -c1-6)
	[ ! -e "/sys/class/net/$bridge" ] || bridge=cx-$(printf %s "$name$spool$$" | sha256sum | cut -c1-10)
}

# The machine's resolvers, one a line: behind systemd-resolved's stub its own upstreams.
resolvers() {
	f=${CX_RESOLV_CONF:-/etc/resolv.conf}
	if grep -Eqs '^nameserver[[:space:]]+127\.0\.0\.5[34]' "$f" && [ -s /run/systemd/resolve/resolv.conf ]; then
		f=/run/systemd/resolve/resolv.conf
	fi
	awk '$1 == "nameserver" { print $2 }' "$f" 2>/dev/null
}

# --- install ---------------------------------------------------------------

options() {
	name=local domain=convox address='' https=443 http=80 dns=53 subnet='' trust=1 resolver=1 boot=1
	engine=${CX_ENGINE:-${DOCKER_HOST:-unix:///var/run/docker.sock}}
	[ -z "${CX_RACK-}" ] || name=$CX_RACK
	while [ $# -gt 0 ]; do
		case $1 in
		--*=*)
			o=${1%%=*} v=${1#*=}
			shift
			set -- "$o" "$v" "$@"
			;;
		esac
		case $1 in
		--no-trust) trust=0 && shift && continue ;;
		--no-resolver) resolver=0 && shift && continue ;;
		--no-boot) boot=0 && shift && continue ;;
		--name | --domain | --address | --https-port | --http-port | --dns-port | --subnet | --engine) ;;
		*) usage "unknown option $1" ;;
		esac
		[ $# -ge 2 ] || usage "$1 needs a value"
		case $1 in
		--name) name=$2 ;; --domain) domain=$2 ;; --address) address=$2 ;;
		--https-port) https=$2 ;; --http-port) http=$2 ;; --dns-port) dns=$2 ;;
		--subnet) subnet=$2 ;; --engine) engine=$2 ;;
		esac
		shift 2
	done
	check_name "$name"
	check_domain "$domain"
	check_port --https-port "$https"
	check_port --http-port "$http"
	check_port --dns-port "$dns"
	[ -z "$address" ] || check_address "$address"
	[ -z "$subnet" ] || check_subnet "$subnet"
	[ "$resolver" = 0 ] || [ "$dns" = 53 ] || [ -d /run/systemd/system ] ||
		fail 100 "the resolver of this machine can name only port 53" "--dns-port 53, or --no-resolver"
}

check_machine() {
	spool=$(spool_path "$name")
	case $spool in /*) ;; *) spool=$(pwd -P)/$spool ;; esac
	[ ! -f "$spool/rack.json" ] || fail 1 "the rack $name is installed already at $spool" "cx rack shows it; cx uninstall $name removes it"
	[ ! -d "$spool" ] || rmdir "$spool" 2>/dev/null || fail 1 "$spool is a folder with something else in it" "choose another: CX_SPOOL"
	need_root installed
	need curl ss ip
	need_engine
	need cx-seal cx-mint cx-supervise cx-local-sweep
	taken=$(CX_ENGINE=$engine cx-local-sweep list "$name") || exit
	[ -z "$taken" ] || fail 1 "a rack named $name lives in this engine already: $(echo "$taken" | jq -rs '.[0].name')" \
		"choose another: --name"
	[ -n "$address" ] || choose_address
	n=${address#127.84.}
	[ -n "$subnet" ] || subnet=10.184.${n%.1}.0/24
	! subnet_used "${subnet%.0/24}" || fail 111 "the subnet $subnet is in use on this machine" "choose another: --subnet A.B.C.0/24"
	gateway=${subnet%.0/24}.1
	check_free tcp "$https" --https-port
	check_free tcp "$http" --http-port
	check_free udp "$dns" --dns-port
	check_free tcp "$dns" --dns-port
	choose_bridge
}

rack_json() {
	resolvers | jq -Rn --arg name "$name" --arg domain "$domain" --arg address "$address" --arg bridge "$bridge" \
		--arg subnet "$subnet" --arg gateway "$gateway" --arg engine "$engine" \
		--argjson https "$https" --argjson http "$http" --argjson dns "$dns" \
		--argjson uid "$(id -u nobody)" --argjson gid "$(id -g nobody)" \
		'{v: 1, name: $name, domain: $domain, address: $address, network: "cx-\($name)", bridge: $bridge,
		subnet: $subnet, gateway: $gateway, ports: {https: $https, http: $http, dns: $dns}, uid: $uid, gid: $gid,
		engine: $engine, resolvers: [inputs], keep: 5, created: (now | todate)}'
}

# Builds the spool beside its place and renames it: it is there whole, or not at all.
make_spool() {
	parent=$(dirname "$spool")
	mkdir -p "$parent" || fail 111 "cannot make $parent"
	exec 8<"$parent"
	flock -w 30 8 || fail 111 "another install works in $parent"
	rm -rf "$parent/.new.$(basename "$spool")".*
	new=$parent/.new.$(basename "$spool").$$
	(umask 022 && mkdir -m 0711 "$new" && mkdir "$new/apps" "$new/ca" && mkdir -m 0750 "$new/routes" &&
		mkdir -m 0700 "$new/log" && mkdir "$new/run" && chown "0:$(id -g nobody)" "$new/routes" &&
		rack_json >"$new/rack.json") || fail 111 "cannot write below $parent"
	if ! CX_SPOOL=$new cx-seal init || ! CX_SPOOL=$new cx-mint init; then
		rm -rf "$new"
		fail 111 "cannot make the rack's keys"
	fi >/dev/null
	sync -f "$new"
	mv -T "$new" "$spool" || fail 111 "cannot put the spool at $spool"
	sync "$parent"
	exec 8<&-
	CX_SPOOL=$spool
	export CX_SPOOL
}

# What failed half way is taken back, so that the next install begins anew.
roll_back() {
	trap '' INT TERM HUP
	event install fail "the install of $name failed; taking it back"
	rm -rf "${new:?}"
	[ ! -d "$spool" ] || (uninstall --force "$name") >/dev/null
	exit 111
}

install_rack() {
	options "$@"
	need jq
	check_machine
	event install start "installing the rack $name at $address, domain $domain"
	warn_gateway
	trap roll_back INT TERM HUP
	make_spool
	event spool "done" "its files are in $CX_SPOOL"
	[ "$boot" = 0 ] || cx-local-hook boot || roll_back
	start || roll_back
	[ "$resolver" = 0 ] || cx-local-hook resolver || roll_back
	[ "$trust" = 0 ] || cx-local-hook trust || roll_back
	suffix=
	[ "$https" = 443 ] || suffix=:$https
	event install "done" "the rack $name is ready: https://SERVICE.APP.$domain$suffix"
}

# --- daemons ---------------------------------------------------------------

unit() {
	[ -d /run/systemd/system ] && cx-local-hook list | jq -r 'select(.do == "unit").name' | grep .
}

# Whether a process is a supervisor that lives: not somebody else's by now, and not one that ended and was not reaped.
is_supervisor() {
	[ "$(cat "/proc/$1/comm" 2>/dev/null)" = cx-supervise ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

supervisor() {
	p=$(jq -r '.pid // empty' "$CX_SPOOL/run/supervise.json" 2>/dev/null)
	[ -n "$p" ] && is_supervisor "$p" && echo "$p"
}

start() {
	if supervisor >/dev/null; then
		event daemons skip "the daemons run already"
		return 0
	fi
	event daemons start "starting router, DNS and converger"
	if u=$(unit); then
		systemctl start "$u" || return 1
	else
		cx-supervise -d || return 1
	fi
	event daemons "done" "router, DNS and converger run"
}

# Daemons that outlived a supervisor that was killed: the very processes that it started.
orphans() {
	jq -r '.daemons[]? | select(.pid) | "\(.pid) \(.birth)"' "$CX_SPOOL/run/supervise.json" 2>/dev/null | while read -r o birth; do
		[ "$(cut -d ' ' -f 22 "/proc/$o/stat" 2>/dev/null)" != "$birth" ] || grep -q '^State:.Z' "/proc/$o/status" || echo "$o"
	done
}

stop_orphans() {
	i=0
	for o in $(orphans); do kill -TERM "$o" 2>/dev/null; done
	while [ -n "$(orphans)" ] && [ "$i" -lt 300 ]; do
		i=$((i + 1))
		sleep 0.05
	done
	for o in $(orphans); do kill -KILL "$o" 2>/dev/null; done
}

stop() {
	if ! p=$(supervisor); then
		stop_orphans
		event daemons skip "the daemons do not run"
		return 0
	fi
	event daemons start "stopping the daemons"
	if u=$(unit); then
		systemctl stop "$u"
	else
		kill -TERM "$p"
	fi
	i=0
	while is_supervisor "$p"; do
		i=$((i + 1))
		[ "$i" -lt 600 ] || fail 111 "the supervisor (process $p) does not stop"
		sleep 0.05
	done
	event daemons "done" "the daemons are stopped; containers still run"
}

status() {
	s=$(supervisor) || s=null
	f=$CX_SPOOL/run/supervise.json
	[ -s "$f" ] || f=/dev/null
	jq -cn --argjson pid "$s" --slurpfile s "$f" --slurpfile r "$CX_SPOOL/rack.json" \
		'{v: 1, rack: $r[0].name, running: ($pid != null), pid: $pid, daemons: (if $pid then $s[0].daemons else [] end // [])}'
}

get() {
	status | jq -c --slurpfile r "$CX_SPOOL/rack.json" --arg spool "$CX_SPOOL" \
		'{v: 1, rack: ($r[0] + {spool: $spool, status: (if .running then "running" else "stopped" end), daemons})}'
}

logs() {
	follow=0 lines=50
	while getopts fn: o; do
		case $o in f) follow=1 ;; n) lines=$OPTARG ;; *) usage ;; esac
	done
	shift $((OPTIND - 1))
	case $lines in *[!0-9]* | '') usage "-n: \"$lines\" is not a number" ;; esac
	[ $# -le 1 ] || usage
	if [ $# -eq 1 ]; then
		case $1 in */* | .*) fail 100 "\"$1\" is not a daemon" "router, dns, converge or supervise" ;; esac
		set -- "$CX_SPOOL/log/${1#cx-}.log"
	else
		set -- "$CX_SPOOL"/log/*.log
	fi
	[ -e "$1" ] || fail 1 "there is no log $1" "daemons: $(cd "$CX_SPOOL/log" && echo *.log | sed 's/\.log//g')"
	if [ "$follow" = 1 ]; then
		exec tail -n "$lines" -F "$@"
	fi
	exec tail -n "$lines" "$@"
}

# --- uninstall -------------------------------------------------------------

uninstall_options() {
	force=0 wanted=
	for o in "$@"; do
		case $o in
		--force | -f) force=1 ;;
		-*) usage "unknown option $o" ;;
		*) [ -z "$wanted" ] || usage && wanted=$o ;;
		esac
	done
	[ -z "$wanted" ] || check_name "$wanted"
}

uninstall() {
	uninstall_options "$@"
	open_spool "$wanted"
	[ -z "$wanted" ] || [ "$wanted" = "$name" ] || fail 1 "the rack at $CX_SPOOL is $name, not $wanted"
	need_root uninstalled
	need curl
	apps=$(cd "$CX_SPOOL/apps" 2>/dev/null && echo [a-z]*)
	[ "$force" = 1 ] || [ "${apps:-[a-z]*}" = '[a-z]*' ] ||
		fail 1 "the rack $name has apps: $apps" "cx uninstall $name --force removes them and their data"
	sock=$(socket) || exit
	if ! engine_answers; then
		[ "$force" = 1 ] || fail 111 "no container engine answers at $sock" \
			"start it, or leave its containers: cx uninstall $name --force"
		event uninstall warn "no engine answers at $sock: containers, networks and images of $name stay there"
		sock=
	fi
	event uninstall start "removing the rack $name"
	cx-local-hook undo resolver || exit
	cx-local-hook undo trust || exit
	stop
	cx-local-hook undo boot || exit
	[ -z "$sock" ] || CX_ENGINE=$engine cx-local-sweep remove "$name" || exit
	remove_spool
	event uninstall "done" "the rack $name is gone"
}

remove_spool() {
	gone=$(dirname "$CX_SPOOL")/.gone.$(basename "$CX_SPOOL").$$
	mv -T "$CX_SPOOL" "$gone" && rm -rf "$gone"
	[ ! -e "$gone" ] || fail 111 "cannot remove $gone"
	case $CX_SPOOL in
	/var/lib/cx/racks/*) rmdir /var/lib/cx/racks /var/lib/cx 2>/dev/null ;;
	esac
	return 0
}

[ $# -gt 0 ] || usage
verb=$1
shift
case $verb in
--help) usage_text && exit 0 ;;
install) install_rack "$@" && exit 0 || exit 111 ;;
uninstall) uninstall "$@" && exit 0 || exit 111 ;;
logs) ;;
get | status | start | stop | restart | trust | untrust) [ $# -eq 0 ] || usage ;;
*) usage "unknown verb $verb" ;;
esac
need jq
open_spool
case $verb in
get) get ;;
status) status ;;
logs) logs "$@" ;;
start | stop) need_root "${verb}ed" && "$verb" ;;
restart) need_root restarted && stop && start ;;
trust) need_root trusted && cx-local-hook trust ;;
untrust) need_root untrusted && cx-local-hook undo trust ;;
esac
