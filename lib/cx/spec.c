#include <ctype.h>
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/spec.h>
#include <cx/store.h>
#include <fcntl.h>
#include <string.h>

json_t *
cx_spec_manifest(struct cx_spool *s, const char *app, const json_t *release, struct cx_err *e)
{
	const char *argv[] = {"cx-manifest", "--release", "--quiet", NULL};
	const char *id = cx_json_str(release, "id"), *text = cx_json_str(release, "manifest");
	CX_JSON json_t *env = NULL, *in = NULL, *doc = NULL;
	CX_BUF struct cx_buf out = {0};
	CX_FREE char *body = NULL;
	json_t *m;
	int st;

	if (!id || !text) {
		(void)cx_err_set(e, CX_NO, "release %s of %s has no build", id ? id : "?", app);
		(void)cx_err_hint(e, "deploy it with: cx deploy -a %s", app);
		return NULL;
	}
	env = cx_store_env(s, app, id, e);
	if (!env)
		return NULL;
	in = json_pack("{s:s,s:s,s:O}", "text", text, "file", "convox.yml", "env", env);
	body = cx_json_text(in);
	st = cx_run(argv, NULL, body, strlen(body), &out, CX_JSON_MAX, e);
	if (st < 0)
		return NULL;
	if (st != 0) {
		(void)cx_err_set(
			e, st == CX_SYS ? CX_SYS : CX_BAD, "the manifest of release %s of %s cannot be used", id, app);
		return NULL;
	}
	doc = cx_json_parse(cx_buf_str(&out), out.n, "the output of cx-manifest", e);
	m = json_object_get(doc, "manifest");
	if (doc && !json_is_object(m))
		(void)cx_err_set(e, CX_SYS, "cx-manifest printed no manifest");
	return json_is_object(m) ? json_incref(m) : NULL;
}

char *
cx_spec_url_name(const char *resource)
{
	char *name = cx_fmt("%s_URL", resource);

	for (char *p = name; *p; p++)
		*p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
	return name;
}

/* Fills ${host}, ${port}, ${name} and ${app} (any case) into a resource type's URL; other text stands for itself. */
static char *
fill_url(const char *tpl, const char *host, const char *name, const char *app, long long port)
{
	struct cx_buf b = {0};
	CX_FREE char *digits = cx_fmt("%lld", port);
	const char *keys[] = {"${host}", "${port}", "${name}", "${app}"}, *vals[] = {host, digits, name, app};

	while (*tpl) {
		size_t k = 0;

		while (k < 4 && strncasecmp(tpl, keys[k], strlen(keys[k])) != 0)
			k++;
		if (k == 4) {
			cx_buf_addc(&b, *tpl++);
			continue;
		}
		cx_buf_adds(&b, vals[k]);
		tpl += strlen(keys[k]);
	}
	return cx_buf_take(&b);
}

static int
add_url(json_t *urls, const json_t *rack, const char *app, const char *name, const json_t *resource, struct cx_err *e)
{
	const char *type = cx_json_strd(resource, "type", "");
	CX_FREE char *host = cx_fmt("%s.resource.%s.%s", name, app, cx_json_strd(rack, "domain", "convox"));
	CX_FREE char *rel = cx_fmt("resource/%s.json", type), *key = cx_spec_url_name(name), *url = NULL;
	CX_JSON json_t *spec = NULL;
	char path[4096];

	if (cx_name_check("resource type", type, e) < 0 || cx_share(rel, path, sizeof(path), e) < 0)
		return -1;
	spec = cx_json_load(AT_FDCWD, path, e);
	if (!spec)
		return cx_err_prefix(e, "resources.%s: type %s", name, type);
	if (!cx_json_str(spec, "url"))
		return 0;
	url = fill_url(cx_json_str(spec, "url"), host, name, app, cx_json_int(spec, "port", 0));
	cx_json_set(urls, key, url);
	return 0;
}

json_t *
cx_spec_resource_urls(const json_t *rack, const char *app, const json_t *manifest, struct cx_err *e)
{
	CX_JSON json_t *urls = json_object();
	const char *name;
	json_t *resource;

	json_object_foreach (json_object_get(manifest, "resources"), name, resource)
		if (add_url(urls, rack, app, name, resource, e) < 0)
			return NULL;
	return cx_steal(&urls);
}

/* A command that a shell would only split at blanks runs without one: it gets signals itself and needs no sh in its
 * image. */
static int
needs_shell(const char *cmd)
{
	static const char *const builtins[] = {".", ":", "alias", "cd", "eval", "exec", "exit", "export", "for", "if",
		"set", "source", "trap", "ulimit", "umask", "until", "wait", "while", "command", "case"};
	size_t word;

	cmd += strspn(cmd, " \t");
	word = strcspn(cmd, " \t");
	for (const char *p = cmd; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(" \t_./:=@,+%-", *p))
			return 1;
	if (word == 0 || memchr(cmd, '=', word))
		return 1;
	for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++)
		if (strlen(builtins[i]) == word && strncmp(cmd, builtins[i], word) == 0)
			return 1;
	return 0;
}

json_t *
cx_spec_command(const json_t *command)
{
	const char *s = json_string_value(command);
	json_t *words;

	if (json_is_array(command))
		return json_deep_copy(command);
	if (!s || !*s)
		return json_null();
	if (needs_shell(s))
		return json_pack("[s,s,s]", "sh", "-c", s);
	words = json_array();
	for (s += strspn(s, " \t"); *s; s += strspn(s, " \t")) {
		size_t n = strcspn(s, " \t");

		(void)json_array_append_new(words, json_stringn(s, n));
		s += n;
	}
	return words;
}

static void
add_env(json_t *list, const char *name, const char *value)
{
	CX_FREE char *pair = cx_fmt("%s=%s", name, value);

	(void)json_array_append_new(list, json_string(pair));
}

/* The URL of each resource that the service names, as NAME_URL or as what the service calls it. */
static void
add_urls(json_t *list, const json_t *service, const json_t *env, const json_t *urls)
{
	const json_t *variables = json_object_get(service, "resourceVariables");
	size_t i;
	json_t *r;

	json_array_foreach (json_object_get(service, "resources"), i, r) {
		const char *name = json_string_value(r) ? json_string_value(r) : "",
			   *own = cx_json_str(variables, name);
		CX_FREE char *usual = cx_spec_url_name(name);
		const char *url = cx_json_str(urls, usual);

		if (url && !json_object_get(env, own ? own : usual))
			add_env(list, own ? own : usual, url);
	}
}

/* The whitelisted environment, then what the rack says; a variable that the app sets itself wins over a resource's URL.
 */
static json_t *
make_env(const json_t *rack, const char *app, const char *release, const json_t *service, const json_t *urls)
{
	CX_FREE char *rack_url = cx_fmt("https://rack.%s", cx_json_strd(rack, "domain", "convox"));
	const char *own[][2] = {{"APP", app}, {"RELEASE", release}, {"RACK_URL", rack_url}};
	json_t *list = json_array(), *env = json_object_get(service, "env"), *v;
	const char *name;

	json_object_foreach (env, name, v)
		if (json_is_string(v) && strcmp(name, "APP") != 0 && strcmp(name, "RELEASE") != 0 &&
			strcmp(name, "RACK_URL") != 0)
			add_env(list, name, json_string_value(v));
	for (size_t i = 0; i < 3; i++)
		add_env(list, own[i][0], own[i][1]);
	add_urls(list, service, env, urls);
	return list;
}

/*
 * A volume of the app, kept over releases, labelled for its removal. A bare path is shared by the processes of one
 * service, NAME:/path by the services that name it: no service is called "-".
 */
static json_t *
own_volume(const char *rack, const char *app, const char *service, const char *text)
{
	const char *colon = strchr(text, ':'), *path = colon ? colon + 1 : text;
	CX_FREE char *target = cx_strndup(path, strcspn(path, ":"));
	CX_FREE char *source = colon ? cx_fmt("%s.%s.volume.-.%.*s", rack, app, (int)(colon - text), text)
				     : cx_fmt("%s.%s.volume.%s%s", rack, app, service, path);

	for (char *p = source; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_')
			*p = '.';
	json_t *v = json_pack("{s:s,s:s,s:s,s:{s:{s:s,s:s,s:s,s:s}}}", "Type", "volume", "Source", source, "Target",
		target, "VolumeOptions", "Labels", "convox.rack", rack, "convox.app", app, "convox.service",
		colon ? "" : service, "convox.type", "volume");

	if (strcmp(path + strlen(target), ":ro") == 0)
		(void)json_object_set_new(v, "ReadOnly", json_true());
	return v;
}

static void
add_volumes(json_t *host, const char *rack, const char *app, const char *service_name, const json_t *service)
{
	json_t *mounts = json_array(), *binds = json_array(), *v;
	size_t i;

	json_array_foreach (json_object_get(service, "volumes"), i, v) {
		const char *s = json_string_value(v);

		if (s && s[0] == '/' && strchr(s, ':'))
			(void)json_array_append(binds, v);
		else if (s)
			(void)json_array_append_new(mounts, own_volume(rack, app, service_name, s));
	}
	(void)json_object_set_new(host, "Binds", binds);
	(void)json_object_set_new(host, "Mounts", mounts);
}

static json_t *
host_config(const json_t *rack, const char *app, const char *service_name, const json_t *service)
{
	const json_t *scale = json_object_get(service, "scale");
	long long memory = cx_json_int(scale, "memory", 0), cpu = cx_json_int(scale, "cpu", 0);
	json_t *h = json_pack("{s:s,s:[s],s:{s:s}}", "NetworkMode", cx_json_strd(rack, "network", "cx-local"), "Dns",
		cx_json_strd(rack, "gateway", "10.184.0.1"), "RestartPolicy", "Name", "no");

	if (memory > 0 && memory < 1LL << 40)
		cx_json_seti(h, "Memory", memory << 20);
	if (cpu > 0)
		cx_json_seti(h, "CpuShares", cpu);
	if (cx_json_true(service, "init"))
		(void)json_object_set_new(h, "Init", json_true());
	if (cx_json_true(service, "privileged"))
		(void)json_object_set_new(h, "Privileged", json_true());
	add_volumes(h, cx_json_strd(rack, "name", "local"), app, service_name, service);
	return h;
}

json_t *
cx_spec_container(const json_t *rack, const char *app, const char *release, const char *service_name,
	const json_t *service, const json_t *resource_urls, const char *image, const char *type)
{
	json_t *body = json_pack("{s:s,s:o,s:{s:s,s:s,s:s,s:s,s:s}}", "Image", image, "Env",
		make_env(rack, app, release, service, resource_urls), "Labels", "convox.rack",
		cx_json_strd(rack, "name", "local"), "convox.app", app, "convox.release", release, "convox.type", type,
		"convox.service", service_name);
	CX_JSON json_t *cmd = cx_spec_command(json_object_get(service, "command"));

	if (json_is_array(cmd))
		(void)json_object_set(body, "Cmd", cmd);
	(void)json_object_set_new(body, "HostConfig", host_config(rack, app, service_name, service));
	return body;
}

static int
env_has(const json_t *list, const char *name)
{
	size_t i, n = strlen(name);
	json_t *v;

	json_array_foreach ((json_t *)list, i, v)
		if (strncmp(json_string_value(v), name, n) == 0 && json_string_value(v)[n] == '=')
			return 1;
	return 0;
}

void
cx_spec_ca(json_t *body, const struct cx_spool *s)
{
	static const char *const vars[] = {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"};
	CX_FREE char *source = cx_fmt("%s/ca/bundle.pem", s->path);
	json_t *mounts = json_object_get(json_object_get(body, "HostConfig"), "Mounts"),
	       *env = json_object_get(body, "Env");

	(void)json_array_append_new(mounts,
		json_pack("{s:s,s:s,s:s,s:b}", "Type", "bind", "Source", source, "Target", CX_SPEC_CA, "ReadOnly", 1));
	for (size_t i = 0; i < sizeof(vars) / sizeof(vars[0]); i++)
		if (!env_has(env, vars[i]))
			add_env(env, vars[i], CX_SPEC_CA);
}

const char *
cx_spec_image(const json_t *build, const char *service_name)
{
	return cx_json_str(json_object_get(build, "images"), service_name);
}
