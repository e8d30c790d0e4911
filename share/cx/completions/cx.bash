# Completion for bash: source this file. Commands, apps, services, releases and options come from cx itself.
_cx_words() { # FIELD COMMAND...: one value a row of a command's JSON
	local field=$1
	shift
	cx --json "$@" 2>/dev/null | jq -r --arg f "$field" '[.[] | arrays][0][]? | if type == "object" then .[$f] else . end' 2>/dev/null
}

_cx() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' app=() i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-a | --app) app=(-a "${COMP_WORDS[++i]}") ;;
		--rack | -C) ((i++)) ;;
		-*) ;;
		*) command=${command:-${COMP_WORDS[i]}} ;;
		esac
	done
	case $before/$command in
	-a/* | --app/*) mapfile -t COMPREPLY < <(compgen -W "$(_cx_words name apps)" -- "$word") ;;
	-C/*) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
	*/) mapfile -t COMPREPLY < <(compgen -W "help -a --rack --json -C $(_cx_words '' help)" -- "$word") ;;
	*/promote | */rollback | */releases) mapfile -t COMPREPLY < <(compgen -W "$(_cx_words id "${app[@]}" releases)" -- "$word") ;;
	*/builds) mapfile -t COMPREPLY < <(compgen -W "logs info $(_cx_words id "${app[@]}" builds)" -- "$word") ;;
	*/run | */scale) mapfile -t COMPREPLY < <(compgen -W "$(_cx_words name "${app[@]}" services)" -- "$word") ;;
	*/exec | */stop) mapfile -t COMPREPLY < <(compgen -W "$(_cx_words id "${app[@]}" ps) $(_cx_words name "${app[@]}" services)" -- "$word") ;;
	*/apps) mapfile -t COMPREPLY < <(compgen -W "create delete info $(_cx_words name apps)" -- "$word") ;;
	*/env) mapfile -t COMPREPLY < <(compgen -W "get set unset edit list" -- "$word") ;;
	*/rack) mapfile -t COMPREPLY < <(compgen -W "start stop restart status logs trust untrust" -- "$word") ;;
	*/install | */uninstall) mapfile -t COMPREPLY < <(compgen -W "local" -- "$word") ;;
	get/manifest) mapfile -t COMPREPLY < <(compgen -W "$(cx manifest 2>/dev/null | jq -r '.manifest | del(.file, .text) | paths | map(if type == "number" then "[\(.)]" else "." + . end) | add[1:]' 2>/dev/null)" -- "$word") ;;
	explain/manifest) mapfile -t COMPREPLY < <(compgen -W "$(cx --json manifest explain 2>/dev/null | jq -r '.keys[].name' 2>/dev/null)" -- "$word") ;;
	--format/manifest) mapfile -t COMPREPLY < <(compgen -W "json yaml" -- "$word") ;;
	*/manifest) mapfile -t COMPREPLY < <(compgen -W "check get fmt explain --strict --expand --env-file --format --positions -w --check" -f -- "$word") ;;
	*/help) mapfile -t COMPREPLY < <(compgen -W "$(_cx_words '' help)" -- "$word") ;;
	*) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
	esac
}
complete -F _cx cx
