# The reference part of convox.yml(5), as mdoc, from the schema: make doc/convox.yml.5
def escaped: gsub("\\\\"; "\\e") | gsub("(?m)^(?<c>[.'])"; "\\&\(.c)");

# Sentences begin lines, as mdoc wants them.
def sentences: gsub("(?<end>[a-z)*A-Z0-9][.]) (?<next>[A-Z*])"; "\(.end)\n\(.next)") | escaped;

# An example or default as YAML in flow style.
def word: if . == "." or test("^[A-Za-z0-9./_](?!.*: )[^#{}\\[\\],&*!|>'\"%@`]*$") and (test("^(true|false|null|yes|no|on|off|[0-9.]*[0-9][0-9.]*)$") | not)
	then . else tojson end;
def flow:
	if type == "object" then "{" + ([to_entries[] | (.key | if test("^[0-9]+$") then . else word end) + ": " + (.value | flow)] | join(", ")) + "}"
	elif type == "array" then "[" + (map(flow) | join(", ")) + "]"
	elif type == "string" then word
	elif . == null then "none"
	else tojson end;

# Variables may stand for anything: their pattern says nothing about the form.
def form:
	if .anyOf then .anyOf[] | form
	elif .const != null then empty
	elif (.type | type) == "array" or .type == "string" then
		if (.pattern // "") | test("^\\^\\([^()?*+]*(true|TRUE)[^()]*\\)\\$") then empty
		else "text" end
	elif .type == "integer" then "number" + (if .maximum then " from \(.minimum // 0) to \(.maximum)" else "" end)
	elif .type == "boolean" then "true or false"
	elif .type == "array" then "list"
	elif .type == "object" or .properties then "map"
	else empty end;
# A quoted number is a number.
def forms: reduce (.anyOf[] | form) as $f ([]; if index([$f]) then . else . + [$f] end)
	| if any(startswith("number") or . == "true or false") then map(select(. != "text")) else . end
	| map(if startswith("true") then . else "a " + . end);

# In a macro's arguments quotes and lone full stops mean something.
def literal: gsub("\""; "\\(dq") | gsub("(?<a>^| )(?<b>[.,:])(?<c>$| )"; "\(.a)\\&\(.b)\(.c)");

def racks: if ."x-cx" == {"local": "yes", "aws": "planned"} then empty
	else "Local Rack: \(."x-cx".local | escaped); AWS Rack: \(."x-cx".aws | escaped)." end;

def key($path):
	".It Cm \($path)",
	(.description | sentences),
	(forms | if length > 0 then join(", or ") | (.[:1] | ascii_upcase) + .[1:] + "." else empty end),
	(if .default == null then empty else "Default:", ".Li \(.default | flow | escaped | literal) ." end),
	racks,
	(if .examples[0] == null then empty else ".Dl \($path | split(".") | last): \(.examples[0] | flow | escaped | literal)" end);

# A key, then the keys of the maps that it may be.
def keys($path):
	key($path),
	([.anyOf[] | ., (.items? // empty) | select(.properties?) | .properties | to_entries[]][]
		| .key as $k | .value | select(type == "object" and .description) | keys("\($path).\($k)"));

def section($title; $properties):
	".Ss \($title)", ".Bl -tag -width Ds", ($properties | to_entries[] | .key as $k | .value | keys($k)), ".El";

section("Top level"; .properties),
section("Keys of a service"; .definitions.service.properties),
section("Keys of a resource"; .definitions.resource.properties),
section("Keys of a timer"; .definitions.timer.properties),
section("Keys of a balancer"; .definitions.balancer.properties)
