/* The container of a service: command lines, environment, volumes, limits. */
#include "tap.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/spec.h>
#include <string.h>

static int
command_is(const char *manifest, const char *want)
{
	CX_JSON json_t *in = json_loads(manifest, JSON_DECODE_ANY, NULL), *out = cx_spec_command(in);
	CX_FREE char *text = cx_json_text(out);

	if (strcmp(text, want) != 0)
		printf("# %s gave %s\n", manifest, text);
	return strcmp(text, want) == 0;
}

static json_t *
sample(void)
{
	CX_JSON json_t *rack = json_loads(
		"{\"name\":\"r\",\"domain\":\"convox\",\"network\":\"n\",\"gateway\":\"10.0.0.1\"}", 0, NULL);
	CX_JSON json_t *urls = json_loads(
		"{\"DB_URL\":\"pg://db\",\"MY_CACHE_URL\":\"redis://c\",\"OTHER_URL\":\"x\",\"MORE_URL\":\"y\"}", 0,
		NULL);
	CX_JSON json_t *service =
		json_loads("{\"command\":\"bin/web -p 3000\",\"resources\":[\"db\",\"my-cache\",\"other\"],"
			   "\"resourceVariables\":{\"db\":\"MAIN\"},\"init\":true,"
			   "\"volumes\":[\"/data\",\"/h:/p:ro\",\"up:/u:ro\"],\"scale\":{\"memory\":64,\"cpu\":512},"
			   "\"env\":{\"A\":\"1 2\",\"APP\":\"mine\",\"MY_CACHE_URL\":\"own\"}}",
			0, NULL);

	return cx_spec_container(rack, "docs", "RAAAAAAAAAA", "web", service, urls, "img:1", "service");
}

static int
env_has(const json_t *body, const char *pair)
{
	json_t *v;
	size_t i;

	json_array_foreach (json_object_get(body, "Env"), i, v)
		if (strcmp(json_string_value(v), pair) == 0)
			return 1;
	return 0;
}

static void
commands(void)
{
	ok(command_is("\"bin/web  -p 3000 \"", "[\"bin/web\",\"-p\",\"3000\"]"),
		"a plain command runs without a shell");
	ok(command_is("\"a && b\"", "[\"sh\",\"-c\",\"a && b\"]"), "an operator needs a shell");
	ok(command_is("\"echo $HOME\"", "[\"sh\",\"-c\",\"echo $HOME\"]"), "so does a variable");
	ok(command_is("\"A=1 bin/web\"", "[\"sh\",\"-c\",\"A=1 bin/web\"]"), "and an assignment");
	ok(command_is("\"exec bin/web\"", "[\"sh\",\"-c\",\"exec bin/web\"]"), "and a builtin");
	ok(command_is("[\"a b\",\"$c\"]", "[\"a b\",\"$c\"]"), "a list is taken as it is");
	ok(command_is("null", "null") && command_is("\"\"", "null"), "none is the image's own");
}

static void
containers(void)
{
	CX_JSON json_t *body = sample(), *again = sample();
	CX_FREE char *a = cx_json_text(body), *b = cx_json_text(again), *url = cx_spec_url_name("my-db");
	const json_t *host = json_object_get(body, "HostConfig"),
		     *volume = json_array_get(json_object_get(host, "Mounts"), 0);

	ok(strcmp(a, b) == 0, "the same service gives the same bytes");
	ok(env_has(body, "A=1 2") && env_has(body, "RACK_URL=https://rack.convox"),
		"environment of the app and of the rack");
	ok(env_has(body, "APP=docs") && !env_has(body, "APP=mine"), "APP and RELEASE are the rack's");
	ok(env_has(body, "OTHER_URL=x") && !env_has(body, "MORE_URL=y"), "URLs of the resources that it names only");
	ok(env_has(body, "MAIN=pg://db") && !env_has(body, "DB_URL=pg://db"), "under the name that it gives them");
	ok(env_has(body, "MY_CACHE_URL=own") && !env_has(body, "MY_CACHE_URL=redis://c"),
		"the app's own value wins over a URL");
	ok(strcmp(url, "MY_DB_URL") == 0, "a dash in a resource's name is an underscore in its variable");
	ok(cx_json_int(host, "Memory", 0) == 64LL << 20 && cx_json_int(host, "CpuShares", 0) == 512, "limits");
	ok(strcmp(cx_json_strd(volume, "Source", ""), "r.docs.volume.web.data") == 0,
		"a bare path is a volume of the service");
	ok(strcmp(json_string_value(json_array_get(json_object_get(host, "Binds"), 0)), "/h:/p:ro") == 0,
		"host:path is bound");
	volume = json_array_get(json_object_get(host, "Mounts"), 1);
	ok(strcmp(cx_json_strd(volume, "Source", ""), "r.docs.volume.-.up") == 0 &&
			strcmp(cx_json_strd(volume, "Target", ""), "/u") == 0 && cx_json_true(volume, "ReadOnly"),
		"NAME:/path is a volume of the app, read-only when it says so");
	ok(cx_json_true(host, "Init") && !json_object_get(host, "Privileged"),
		"an init and rights only when asked for");
	ok(strcmp(cx_json_strd(json_object_get(host, "RestartPolicy"), "Name", ""), "no") == 0,
		"the engine restarts nothing");
}

static void
authority(void)
{
	CX_JSON json_t *body = sample();
	struct cx_spool s = {.dir = -1, .path = "/spool"};

	(void)json_array_append_new(json_object_get(body, "Env"), json_string("SSL_CERT_FILE=/mine"));
	cx_spec_ca(body, &s);
	ok(env_has(body, "NODE_EXTRA_CA_CERTS=" CX_SPEC_CA), "the rack's authority is trusted");
	ok(!env_has(body, "SSL_CERT_FILE=" CX_SPEC_CA), "unless the app says otherwise");
}

int
main(void)
{
	commands();
	containers();
	authority();
	return done();
}
