load helpers

@test "cx-manifest: the schema for editors and cx-manifest give the same verdict on 3000 manifests, good and broken" {
	run --separate-stderr "$ROOT/t/schema/agreement" 3000
	echo "$output" >&2
	[ "$status" -eq 0 ]
}

@test "cx-manifest: what other people's files are refused for is known to be right, and PyYAML sees every value of the others" {
	corpus=${CX_CORPUS:-$ROOT/../shared/corpus}
	[ -d "$corpus/convox" ] || skip "there is no corpus of other people's files here"
	run --separate-stderr "$ROOT/t/schema/corpus" "$corpus"
	echo "$stderr" >&2
	[ "$status" -eq 0 ]
	[[ "$output" == *"| accepted |"* ]]
}

@test "cx-manifest explain: every key of the schema says what it is, what racks make of it, and how it is written" {
	run --separate-stderr python3 -c '
import json, sys
schema = json.load(open(sys.argv[1]))
def walk(node, path):
    if isinstance(node, dict):
        for key, sub in node.get("properties", {}).items():
            if isinstance(sub, dict) and not (sub.get("description") and "default" in sub and sub.get("examples") and {"local", "aws"} <= set(sub.get("x-cx", {}))) and key != "<<":
                print(path + "." + key)
        for key, sub in node.items():
            walk(sub, path + "." + key)
    elif isinstance(node, list):
        for sub in node: walk(sub, path)
walk(schema, "")' "$ROOT/share/cx/schema/convox.json"
	[ -z "$output" ] || { echo "$output" >&2; false; }
}
