load helpers

@test "cx-manifest: the schema for editors and cx-manifest give the same verdict on 3000 manifests, good and broken" {
	run --separate-stderr "$ROOT/t/schema/agreement" 3000
	echo "$output" >&2
	[ "$status" -eq 0 ]
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
