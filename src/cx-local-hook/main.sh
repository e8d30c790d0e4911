#!/bin/sh
# The only program that changes the machine outside a rack's spool: the system's
# trust, its resolver, its boot. Each change stands in SPOOL/undo before it is
# made, so that `undo` takes back even what a crash left half done, and then
# compares. cx-local-hook(8) describes the lines.
set -u
me=cx-local-hook
dir=$(dirname -- "$0")
PATH=${CX_EXEC_PATH:+$CX_EXEC_PATH:}$dir:$PATH:/usr/sbin:/sbin
export PATH
share=${CX_SHARE:-$dir/../share/cx}

usage_text() {
	cat <<-END
		usage: cx-local-hook trust | resolver | boot
		       cx-local-hook undo trust | resolver | boot
		       cx-local-hook list
	END
}

usage() {
	usage_text >&2
	exit 100
}

event() { # ID STATE TEXT [HINT]
	jq -cn --arg id "$1" --arg state "$2" --arg text "$3" --arg hint "${4-}" \
		'{v: 1, time: (now | todate), at: "rack", id: $id, state: $state, text: $text}
		+ if $hint == "" then {} else {hint: $hint} end'
}

die() {
	if [ "${CX_JSON-}" = 1 ]; then
		jq -cn --arg t "$1" --arg h "${2-}" '{v: 1, error: {class: "sys", text: $t, hint: $h}}' >&2
	else
		echo "$me: $1" >&2
		[ $# -lt 2 ] || echo "  hint: $2" >&2
	fi
	exit 111
}

rack() {
	jq -r "$1" "$CX_SPOOL/rack.json"
}

sha() {
	sha256sum <"$1" 2>/dev/null | cut -c1-64
}

# The journal; half a line that a crash left describes a change that was not made.
journal() {
	[ ! -f "$CX_SPOOL/undo" ] || jq -cR 'fromjson?' "$CX_SPOOL/undo"
}

next_number() {
	journal | jq -s '(map(.n) | max // 0) + 1'
}

# Appends a line to the journal and waits until the disk has it. Arguments as jq's, the last is the object.
record() {
	[ ! -s "$CX_SPOOL/undo" ] || [ -z "$(tail -c 1 "$CX_SPOOL/undo")" ] || echo >>"$CX_SPOOL/undo"
	jq -cn --argjson n "$(next_number)" --arg what "$what" "$@" >"$CX_SPOOL/.undo.line" || die "cannot write the journal of changes"
	if ! cat "$CX_SPOOL/.undo.line" >>"$CX_SPOOL/undo" || ! sync "$CX_SPOOL/undo" "$CX_SPOOL"; then
		die "cannot write $CX_SPOOL/undo" "nothing was changed"
	fi
	rm -f "$CX_SPOOL/.undo.line"
}

# Records what a file is now (a copy, or that there is none); sets `number` for record_after.
record_file() {
	number=$(next_number)
	backup=
	if [ -e "$1" ]; then
		backup=undo.d/$number
		mkdir -p "$CX_SPOOL/undo.d"
		if ! cp -p -- "$1" "$CX_SPOOL/$backup" || ! sync "$CX_SPOOL/$backup" "$CX_SPOOL/undo.d"; then
			die "cannot keep a copy of $1" "nothing was changed"
		fi
	fi
	# shellcheck disable=SC2016
	record --arg path "$1" --arg backup "$backup" '{v: 1, n: $n, what: $what, do: "file", path: $path,
		backup: (if $backup == "" then null else $backup end)}'
}

# What the file was after our change: undo tells a later change by somebody else from ours.
record_after() {
	# shellcheck disable=SC2016
	record --argjson of "$number" --arg sha "$(sha "$1")" '{v: 1, n: $n, what: $what, do: "after", of: $of, sha: $sha}'
}

record_do() { # KIND NAME
	# shellcheck disable=SC2016
	record --arg kind "$1" --arg name "$2" '{v: 1, n: $n, what: $what, do: $kind, name: $name}'
}

# Replaces a file by stdin. In place: resolv.conf may be a mount point, where rename(2) fails.
write_file() {
	tmp=$CX_SPOOL/.hook.$$
	cat >"$tmp" && mkdir -p "$(dirname "$1")" && cat "$tmp" >"$1" && sync "$1"
	r=$?
	rm -f "$tmp"
	[ "$r" = 0 ] || die "cannot write $1"
}

done_already() {
	journal | jq -se --arg w "$what" 'any(.[]; .what == $w)' >/dev/null
}

# --- trust -----------------------------------------------------------------

certs_listing() {
	(cd /etc/ssl/certs 2>/dev/null && find . -printf '%P %l\n' | LC_ALL=C sort | sha256sum | cut -c1-64)
}

# "USER DIR" of each NSS database on the machine.
nss_databases() {
	getent passwd | awk -F: '$3 == 0 || $3 >= 1000 { print $1, $6 }' | while read -r user home; do
		for db in "$home"/.pki/nssdb/cert9.db "$home"/snap/chromium/current/.pki/nssdb/cert9.db \
			"$home"/.mozilla/firefox/*/cert9.db "$home"/snap/firefox/common/.mozilla/firefox/*/cert9.db; do
			[ -f "$db" ] && echo "$user ${db%/cert9.db}"
		done
	done
}

nss() { # USER DIR ARGS...: as the owner, who may have made the folder a link
	u=$1 d=$2
	shift 2
	if [ "$u" = root ]; then
		certutil "$@" -d "sql:$d" 2>/dev/null
	else
		runuser -u "$u" -- certutil "$@" -d "sql:$d" 2>/dev/null
	fi
}

trust_nss() {
	command -v certutil >/dev/null || return 0
	nss_databases >"$CX_SPOOL/.nss"
	while read -r user db; do
		# shellcheck disable=SC2016
		record --arg user "$user" --arg dir "$db" --arg nick "$nick" \
			'{v: 1, n: $n, what: $what, do: "nss", user: $user, dir: $dir, name: $nick}'
		if nss "$user" "$db" -A -t C,, -n "$nick" -a <"$CX_SPOOL/ca/ca.crt"; then
			event trust progress "certificate added to $db"
		else
			event trust warn "cannot add the certificate to $db" "a database with a password must be open"
		fi
	done <"$CX_SPOOL/.nss"
	rm -f "$CX_SPOOL/.nss"
}

do_trust() {
	command -v update-ca-certificates >/dev/null ||
		die "no update-ca-certificates on this machine" "apt-get install ca-certificates, or install with --no-trust"
	event trust start "trusting the rack's certificate authority"
	# In this order, since undo goes from the last to the first: our file away, the tool run, what it wrote put back.
	watched=
	for f in /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/java/cacerts; do
		[ -f "$f" ] || continue
		record_file "$f"
		watched="$watched $number:$f"
	done
	# shellcheck disable=SC2016
	record --arg links "$(certs_listing)" '{v: 1, n: $n, what: $what, do: "certificates", links: $links}'
	record_file "/usr/local/share/ca-certificates/cx-rack-$name.crt"
	write_file "/usr/local/share/ca-certificates/cx-rack-$name.crt" <"$CX_SPOOL/ca/ca.crt"
	update-ca-certificates >/dev/null 2>"$CX_SPOOL/.out" || die "update-ca-certificates: $(tail -n 1 "$CX_SPOOL/.out")"
	rm -f "$CX_SPOOL/.out"
	for f in $watched; do
		number=${f%%:*}
		record_after "${f#*:}"
	done
	trust_nss
	event trust "done" "https://*.$domain is trusted on this machine"
}

undo_certificates() {
	# --fresh clears links that lead nowhere, and makes those of the tool anew.
	update-ca-certificates --fresh >/dev/null 2>&1 || event trust warn "update-ca-certificates --fresh failed"
	if [ "$(certs_listing)" != "$1" ]; then
		event trust warn "/etc/ssl/certs is not as it was before the install" "somebody else changed it meanwhile"
	fi
}

undo_nss() { # USER DIR NICK
	while nss "$1" "$2" -L -n "$3" >/dev/null; do
		nss "$1" "$2" -D -n "$3" || { event trust warn "cannot remove the certificate from $2" && return; }
	done
}

# --- resolver --------------------------------------------------------------

running() {
	[ -d /run/systemd/system ] && systemctl is-active --quiet "$1" 2>/dev/null
}

hook_resolved() {
	record_do reload systemd-resolved
	record_file "/etc/systemd/resolved.conf.d/cx-rack-$name.conf"
	write_file "/etc/systemd/resolved.conf.d/cx-rack-$name.conf" <<-END
		# Names below $domain are answered by the rack $name (cx uninstall $name removes this file).
		[Resolve]
		DNS=$address:$dns
		Domains=~$domain
	END
	systemctl restart systemd-resolved || die "systemd-resolved did not restart"
}

hook_dnsmasq() {
	record_do reload NetworkManager
	record_file "/etc/NetworkManager/dnsmasq.d/cx-rack-$name.conf"
	write_file "/etc/NetworkManager/dnsmasq.d/cx-rack-$name.conf" <<-END
		server=/$domain/$address#$dns
	END
	systemctl reload NetworkManager || die "NetworkManager did not reload"
}

hook_resolv_conf() {
	[ "$dns" = 53 ] || die "/etc/resolv.conf can name only port 53, and the rack's DNS listens on $dns" \
		"install with --dns-port 53, or with --no-resolver"
	record_file /etc/resolv.conf
	{
		printf '# cx rack %s, removed by cx uninstall:\nnameserver %s\n' "$name" "$address"
		cat /etc/resolv.conf 2>/dev/null
	} | write_file /etc/resolv.conf
	record_after /etc/resolv.conf
	if running NetworkManager; then
		event resolver warn "NetworkManager writes /etc/resolv.conf anew when a connection changes" \
			"set dns=dnsmasq in NetworkManager.conf, and install again"
	fi
}

do_resolver() {
	event resolver start "sending names below $domain to the rack"
	if running systemd-resolved; then
		hook_resolved
		by=systemd-resolved
	elif running NetworkManager && grep -rqs '^dns=dnsmasq' /etc/NetworkManager; then
		hook_dnsmasq
		by="NetworkManager's dnsmasq"
	else
		hook_resolv_conf
		by=/etc/resolv.conf
	fi
	event resolver "done" "*.$domain resolves on this machine, by $by"
}

undo_reload() {
	case $1 in
	systemd) systemctl daemon-reload ;;
	NetworkManager) systemctl reload NetworkManager ;;
	*) ! running "$1" || systemctl restart "$1" ;;
	esac || event "$what" warn "cannot reload $1"
}

# --- boot ------------------------------------------------------------------

do_boot() {
	if [ ! -d /run/systemd/system ]; then
		event boot skip "no systemd: after a reboot, start the rack with: cx rack start"
		return 0
	fi
	unit=cx-rack-$name.service
	record_do reload systemd
	record_file "/etc/systemd/system/$unit"
	bin=$(cd "$dir" && pwd -P)
	sed "s|@NAME@|$name|g;s|@SPOOL@|$CX_SPOOL|g;s|@BIN@|$bin|g;s|@SHARE@|$(cd "$share" && pwd -P)|g" \
		"$share/units/cx-rack.service" | write_file "/etc/systemd/system/$unit"
	record_do unit "$unit"
	systemctl daemon-reload
	systemctl enable --quiet "$unit" || die "systemctl enable $unit failed"
	event boot "done" "the rack starts with the machine ($unit)"
}

undo_unit() {
	systemctl disable --quiet --now "$1" 2>/dev/null
	! systemctl is-active --quiet "$1" || event boot warn "$1 still runs"
}

# --- undo ------------------------------------------------------------------

# Our own lines out of a resolv.conf that somebody else changed since.
resolv_conf_without() {
	awk -v mark="# cx rack $name, removed by cx uninstall:" '$0 == mark { skip = 1; next } skip { skip = 0; next } 1' \
		/etc/resolv.conf | write_file /etc/resolv.conf
}

undo_file() { # PATH BACKUP NUMBER
	case $ours in
	*" $3 "*) mine=1 ;;
	*) mine=0 ;;
	esac
	if [ -z "$2" ]; then
		rm -f -- "$1"
		# Folders that were made for it, when nothing else came to live there.
		rmdir -- "$(dirname "$1")" 2>/dev/null
		[ ! -e "$1" ] || event "$what" warn "cannot remove $1"
	elif [ "$mine" = 0 ]; then
		case $1 in
		/etc/resolv.conf) resolv_conf_without ;;
		esac
		event "$what" warn "$1 was changed by somebody else since; only what is ours was taken back"
	else
		cmp -s "$CX_SPOOL/$2" "$1" || cat "$CX_SPOOL/$2" >"$1"
		cmp -s "$CX_SPOOL/$2" "$1" || die "$1 is not as it was" "its copy is $CX_SPOOL/$2"
		touch -r "$CX_SPOOL/$2" "$1"
	fi
}

# Before anything is taken back: the files that nobody but us changed since, their numbers between blanks.
find_ours() {
	ours=' '
	while IFS=$(printf '\001') read -r kind path backup after n; do
		[ "$kind" = file ] || continue
		if [ -z "$after" ] || [ "$(sha "$path")" = "$after" ] || cmp -s "$CX_SPOOL/$backup" "$path"; then
			ours="$ours$n "
		fi
	done <"$CX_SPOOL/.undoing"
}

undo_line() {
	case $1 in
	after) ;;
	file) undo_file "$2" "$3" "$5" ;;
	certificates) undo_certificates "$2" ;;
	nss) undo_nss "$2" "$3" "$4" ;;
	reload) undo_reload "$2" ;;
	unit) undo_unit "$2" ;;
	*) event "$what" warn "unknown change in the journal: $1" ;;
	esac
}

undo() {
	done_already || return 0
	event "$what" start "taking back: $what"
	# One change a line, its fields separated by a byte that no path has; an empty field must stay one.
	journal | jq -rs --arg w "$what" '. as $all | [.[] | select(.what == $w)] | reverse[]
		| . as $l
		| (if .do == "file" then [.path, .backup // "", ([$all[] | select(.do == "after" and .of == $l.n).sha] | last // ""), (.n | tostring)]
		elif .do == "certificates" then [.links]
		elif .do == "nss" then [.user, .dir, .name]
		else [.name // ""] end)
		| [$l.do] + . | join("\u0001")' >"$CX_SPOOL/.undoing" || die "the journal $CX_SPOOL/undo is damaged"
	find_ours
	while IFS=$(printf '\001') read -r a b c d n; do
		undo_line "$a" "$b" "${c-}" "${d-}" "${n-}" </dev/null
	done <"$CX_SPOOL/.undoing"
	rm -f "$CX_SPOOL/.undoing"
	journal | jq -c --arg w "$what" 'select(.what != $w)' >"$CX_SPOOL/.undo.new" &&
		mv "$CX_SPOOL/.undo.new" "$CX_SPOOL/undo"
	event "$what" "done" "$what: the machine is as it was"
}

case ${1-} in
--help) usage_text && exit 0 ;;
trust | resolver | boot) [ $# -eq 1 ] || usage ;;
undo) case ${2-} in trust | resolver | boot) [ $# -eq 2 ] || usage ;; *) usage ;; esac ;;
list) [ $# -eq 1 ] || usage ;;
*) usage ;;
esac
[ -n "${CX_SPOOL-}" ] || die "CX_SPOOL is not set" "it names the rack's folder"
[ -f "$CX_SPOOL/rack.json" ] || die "CX_SPOOL names no rack" "cx install local makes one"
if [ "$1" = list ]; then
	journal
	exit 0
fi
[ "$(id -u)" = 0 ] || die "changing the machine needs root" "use sudo"
name=$(rack .name) domain=$(rack .domain) address=$(rack .address) dns=$(rack .ports.dns)
nick="cx rack $name"
if [ "$1" = undo ]; then
	what=$2
	undo
else
	what=$1
	! done_already || undo
	"do_$what"
fi
