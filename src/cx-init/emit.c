#include "emit.h"
#include "compose.h"
#include "health.h"
#include "project.h"
#include "text.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <cx/path.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *
text_of(const json_t *svc, const char *key)
{
	return cx_json_str(json_object_get(json_object_get(svc, "text"), key), "value");
}

const json_t *
place_of(const json_t *svc, const char *key)
{
	return json_object_get(json_object_get(json_object_get(svc, "text"), key), "at");
}

void
comment(json_t *out, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)json_array_append_new(child_array(out, "#"), json_string(text));
}

/* --- build and image --- */

/* The Dockerfile as seen from the build's folder; NULL when it lies outside. */
static char *
dockerfile_of(const char *written)
{
	char *clean = cx_path_clean(written);

	if (*clean != '/' && strcmp(clean, "..") != 0 && strncmp(clean, "../", 3) != 0)
		return clean;
	free(clean);
	return NULL;
}

/* NAME=VALUE; a bare NAME takes its value from the app's environment. */
static json_t *
args_list(const json_t *args)
{
	json_t *list = json_array();
	const char *name;
	const json_t *v;

	json_object_foreach ((json_t *)args, name, v) {
		CX_FREE char *s = json_is_string(v) ? cx_fmt("%s=%s", name, json_string_value(v)) : cx_strdup(name);

		(void)json_array_append_new(list, json_string(s));
	}
	return list;
}

static json_t *
make_build(struct init *in, const json_t *b, const char *path)
{
	const json_t *at = json_object_get(b, "at");
	const char *context = cx_json_str(b, "context"), *written = cx_json_strd(b, "written", ".");
	CX_FREE char *folder = context ? project_in_app(in->project, context) : NULL;
	CX_FREE char *manifest = dockerfile_of(cx_json_strd(b, "dockerfile", "Dockerfile"));
	json_t *out;

	if (!folder) {
		say(in, DROPPED, path, at, "%.120s is no folder within the app's: it cannot be built here", written);
		say_hint(in, strstr(written, "://") ? "clone it below the app's folder and name that folder"
						    : "run cx init in a folder that holds both");
		return NULL;
	}
	out = json_pack("{s:s}", "path", folder);
	if (!manifest) {
		say(in, DROPPED, path, at, "the Dockerfile %.120s lies outside of the folder %s that is built",
			cx_json_strd(b, "dockerfile", ""), folder);
		say_hint(in, "move it there, or build the folder that holds both");
	} else if (strcmp(manifest, "Dockerfile") != 0) {
		cx_json_set(out, "manifest", manifest);
	}
	if (cx_json_str(b, "target"))
		(void)json_object_set(out, "target", json_object_get(b, "target"));
	if (json_object_size(json_object_get(b, "args")))
		(void)json_object_set_new(out, "args", args_list(json_object_get(b, "args")));
	say(in, KEPT, path, at, "%s%s%s", folder, manifest && json_object_get(out, "manifest") ? ", " : "",
		manifest && json_object_get(out, "manifest") ? manifest : "");
	if (json_object_size(out) > 1)
		return out;
	json_decref(out);
	return json_string(folder);
}

/* 0 when nothing says what runs. */
static int
emit_source(const struct plan *p, const json_t *svc, const char *path, json_t *out)
{
	const json_t *b = json_object_get(svc, "build");
	const char *image = text_of(svc, "image");
	CX_FREE char *key = cx_fmt("%s.%s", path, b ? "build" : "image");
	json_t *build = b ? make_build(p->in, b, key) : NULL;

	if (build) {
		(void)json_object_set_new(out, "build", build);
		if (image)
			say(p->in, CHANGED, path, place_of(svc, "image"), "image: cx names what it builds itself");
		return 1;
	}
	if (image) {
		cx_json_set(out, "image", image);
		say(p->in, KEPT, path, place_of(svc, "image"), "image: %.120s", image);
		return 1;
	}
	if (!b) {
		say(p->in, DROPPED, path, json_object_get(svc, "at"), "it has neither build nor image");
		say_hint(p->in,
			"an override file is not complete: convert the file that it belongs to, and edit the result");
	}
	return 0;
}

/* --- command --- */

static int
plain_word(const char *s)
{
	if (!*s)
		return 0;
	for (; *s; s++) {
		size_t n = text_variable(s);

		if (n)
			s += n - 1;
		else if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@,+%-", *s))
			return 0;
	}
	return 1;
}

static json_t *
trimmed(const char *s)
{
	size_t n;

	s += strspn(s, " \t\n");
	for (n = strlen(s); n && strchr(" \t\n", s[n - 1]);)
		n--;
	return json_stringn(s, n);
}

/* One text where that is the same as the words: it reads better. */
static json_t *
command_value(const json_t *words)
{
	const char *first = json_string_value(json_array_get(words, 0)),
		   *flag = json_string_value(json_array_get(words, 1));
	const char *script = json_string_value(json_array_get(words, 2));
	CX_BUF struct cx_buf b = {0};
	const json_t *w;
	size_t i;

	if (json_array_size(words) == 3 && (strcmp(first, "sh") == 0 || strcmp(first, "/bin/sh") == 0) &&
		strcmp(flag, "-c") == 0 && script[strspn(script, " \t\n")])
		return trimmed(script);
	json_array_foreach (words, i, w) {
		if (!plain_word(json_string_value(w)) || strchr(first, '='))
			return json_deep_copy(words);
		cx_buf_addf(&b, "%s%s", i ? " " : "", json_string_value(w));
	}
	return json_string(cx_buf_str(&b));
}

static void
emit_command(const struct plan *p, const json_t *svc, const char *path, json_t *out)
{
	const json_t *entrypoint = json_object_get(svc, "entrypoint"), *command = json_object_get(svc, "command");
	CX_JSON json_t *words = json_array();

	if (json_array_size(entrypoint)) {
		say(p->in, CHANGED, path, json_object_get(svc, "entrypoint_at"),
			"entrypoint and command are one command now");
		say_hint(p->in,
			"an ENTRYPOINT in the image would still run in front of it: take it out of the Dockerfile");
	} else if (entrypoint) {
		say(p->in, DROPPED, path, json_object_get(svc, "entrypoint_at"),
			"entrypoint: that of the image cannot be switched off");
		say_hint(p->in, "take ENTRYPOINT out of the Dockerfile");
	}
	(void)json_array_extend(words, (json_t *)entrypoint);
	(void)json_array_extend(words, (json_t *)command);
	if (json_array_size(words) == 0)
		return;
	(void)json_object_set_new(out, "command", command_value(words));
	if (!json_array_size(entrypoint))
		say(p->in, KEPT, path, json_object_get(svc, "command_at"), "command");
}

/* --- scale --- */

static void
emit_memory(const struct plan *p, const json_t *svc, const char *path, json_t *scale)
{
	static const char *const keys[] = {
		"deploy.limits.memory", "mem_limit", "deploy.reservations.memory", "mem_reservation"};

	for (size_t i = 0; i < 4; i++) {
		const char *s = text_of(svc, keys[i]);
		long mb = s ? text_megabytes(s) : 0;

		if (!s)
			continue;
		if (text_variable(s) == strlen(s) && *s) {
			cx_json_set(scale, "memory", s);
			say(p->in, CHANGED, path, place_of(svc, keys[i]),
				"%s is scale.memory: %s must be a number of MB", keys[i], s);
			return;
		}
		if (mb < 0 || mb > 1048576) {
			say(p->in, DROPPED, path, place_of(svc, keys[i]), "%s: \"%.40s\" is no size", keys[i], s);
			say_hint(p->in, "write MB under scale.memory in convox.yml");
			return;
		}
		if (mb == 0)
			continue;
		cx_json_seti(scale, "memory", mb < 6 ? 6 : mb);
		say(p->in, KEPT, path, place_of(svc, keys[i]), "%s: %s is scale.memory: %ld (MB)", keys[i], s, mb);
		return;
	}
}

static void
emit_cpu(const struct plan *p, const json_t *svc, const char *path, json_t *scale)
{
	static const char *const keys[] = {"deploy.limits.cpus", "cpus", "deploy.reservations.cpus"};
	const char *shares = text_of(svc, "cpu_shares");

	if (shares && text_number(shares, 262144) > 0) {
		cx_json_seti(scale, "cpu", text_number(shares, 262144));
		say(p->in, KEPT, path, place_of(svc, "cpu_shares"), "cpu_shares is scale.cpu");
		return;
	}
	for (size_t i = 0; i < 3; i++) {
		const char *s = text_of(svc, keys[i]);
		char *end = NULL;
		double n = s ? strtod(s, &end) : 0;

		if (!s)
			continue;
		if (*end || !(n > 0 && n <= 256)) {
			say(p->in, DROPPED, path, place_of(svc, keys[i]), "%s: \"%.40s\" is no number of processors",
				keys[i], s);
			return;
		}
		cx_json_seti(scale, "cpu", n * 1024 < 1 ? 1 : (long long)(n * 1024));
		say(p->in, CHANGED, path, place_of(svc, keys[i]),
			"%s: %s is scale.cpu: %lld, shares of 1024 a processor, not a limit", keys[i], s,
			cx_json_int(scale, "cpu", 0));
		return;
	}
}

static void
emit_count(const struct plan *p, const char *raw, const json_t *svc, const char *path, json_t *scale, json_t *out)
{
	const char *s = text_of(svc, "deploy.replicas") ? text_of(svc, "deploy.replicas") : text_of(svc, "scale");
	const char *name = cx_json_strd(p->names, raw, raw);
	long n = s ? text_number(s, 1000) : -1;

	if (json_object_get(p->jobs, raw)) {
		cx_json_seti(scale, "count", 0);
		comment(out, "It ends by itself, and others wait for that: run it with `cx run %s`.", name);
		say(p->in, CHANGED, path, json_object_get(svc, "at"),
			"others wait until it has ended: it is not started");
		say_hint(p->in, "cx run %s", name);
	} else if (json_object_get(svc, "profiles")) {
		cx_json_seti(scale, "count", 0);
		comment(out, "It has a profile, and is not started: cx scale %s=1 does it.", name);
		say(p->in, CHANGED, path, json_object_get(svc, "at"),
			"profiles: it is not started unless it is scaled up");
		say_hint(p->in, "cx scale %s=1", name);
	} else if (n >= 0 && n != 1) {
		cx_json_seti(scale, "count", n);
		say(p->in, KEPT, path, json_object_get(svc, "at"), "scale: %ld", n);
	} else if (s && n < 0 && text_variable(s) == strlen(s) && *s) {
		cx_json_set(scale, "count", s);
		say(p->in, KEPT, path, json_object_get(svc, "at"), "scale: %s", s);
	} else if (s && n < 0) {
		say(p->in, DROPPED, path, json_object_get(svc, "at"), "scale: \"%.40s\" is no number up to 1000", s);
	}
	if (text_of(svc, "deploy.mode") && strcmp(text_of(svc, "deploy.mode"), "replicated") != 0)
		say(p->in, DROPPED, path, place_of(svc, "deploy.mode"), "deploy.mode: no process on each machine");
}

static void
emit_scale(const struct plan *p, const char *raw, const json_t *svc, const char *path, json_t *out)
{
	CX_JSON json_t *scale = json_object();

	emit_count(p, raw, svc, path, scale, out);
	emit_memory(p, svc, path, scale);
	emit_cpu(p, svc, path, scale);
	if (json_object_size(scale) == 1 && json_object_get(scale, "count"))
		(void)json_object_set(out, "scale", json_object_get(scale, "count"));
	else if (json_object_size(scale))
		(void)json_object_set(out, "scale", scale);
}

/* --- what is left --- */

static void
emit_texts(const struct plan *p, const json_t *svc, const char *path, json_t *out)
{
	const char *restart = text_of(svc, "restart"), *grace = text_of(svc, "stop_grace_period");
	long seconds = grace ? text_seconds(grace) : -1;

	if (restart && strcmp(restart, "no") == 0) {
		say(p->in, CHANGED, path, place_of(svc, "restart"), "restart: a process that ends is started again");
		say_hint(p->in, "a task that ends is not a service: start it with cx run");
	} else if (restart) {
		say(p->in, KEPT, path, place_of(svc, "restart"), "restart: the rack restarts what ends");
	}
	if (seconds >= 0) {
		cx_json_seti(out, "drain", seconds > 3600 ? 3600 : seconds);
		say(p->in, KEPT, path, place_of(svc, "stop_grace_period"), "stop_grace_period is drain: %ld", seconds);
	} else if (grace) {
		say(p->in, DROPPED, path, place_of(svc, "stop_grace_period"), "stop_grace_period: \"%.40s\" is no time",
			grace);
	}
	for (int i = 0; i < 2; i++) {
		const char *key = i ? "privileged" : "init";

		if (text_of(svc, key) && strcmp(text_of(svc, key), "true") == 0) {
			(void)json_object_set_new(out, key, json_true());
			say(p->in, KEPT, path, place_of(svc, key), "%s", key);
		}
	}
	if (text_of(svc, "network_mode")) {
		say(p->in, DROPPED, path, place_of(svc, "network_mode"),
			"network_mode: all services are on the rack's network");
		say_hint(p->in, "the ports of the host are not its own; it is reached at its URL");
	}
	for (int i = 0; i < 2; i++) {
		const char *key = i ? "hostname" : "container_name";

		if (text_of(svc, key))
			say(p->in, CHANGED, path, place_of(svc, key), "%s: it is found by its service's name", key);
	}
}

static void
emit_others(const struct plan *p, const json_t *svc, const char *path)
{
	const char *key;
	const json_t *at;

	json_object_foreach (json_object_get(svc, "other"), key, at) {
		const struct other *o = other_find(key);
		const char *near = o ? NULL : other_near(key);
		CX_FREE char *full = cx_fmt("%s.%.60s", path, key);

		if (o && !o->text)
			continue;
		say(p->in, o ? o->verdict : DROPPED, full, at, "%s", o ? o->text : "compose has no such key");
		if (near)
			say_hint(p->in, "did you mean %s?", near);
		else if (o && o->hint)
			say_hint(p->in, "%s", o->hint);
	}
}

static void
emit_depends(const struct plan *p, const json_t *svc, const char *path)
{
	CX_BUF struct cx_buf names = {0};
	const json_t *v, *at = NULL;
	const char *name;

	json_object_foreach (json_object_get(svc, "depends"), name, v) {
		if (!json_object_get(p->in->raw, name)) {
			say(p->in, DROPPED, path, json_object_get(v, "at"), "depends_on: there is no service %.60s",
				name);
		} else if (!json_object_get(p->resources, name)) {
			cx_buf_addf(&names, "%s%s", names.n ? ", " : "", name);
			at = at ? at : json_object_get(v, "at");
		}
	}
	if (!names.n)
		return;
	say(p->in, CHANGED, path, at,
		"depends_on: services start in no order; the program must try again until %.200s answers", names.p);
}

static void
emit_resources(const struct plan *p, const char *raw, json_t *out, const char *path)
{
	json_t *list = json_array();
	CX_BUF struct cx_buf names = {0};
	const char *db;
	const json_t *r;

	json_object_foreach (p->resources, db, r) {
		const char *name = cx_json_strd(r, "name", ""), *as = cx_json_str(json_object_get(r, "as"), raw);
		CX_FREE char *use = as ? cx_fmt("%s:%s", name, as) : cx_strdup(name);

		if (!json_object_get(json_object_get(r, "users"), raw))
			continue;
		cx_buf_addf(&names, "%s%s%s%s", names.n ? ", " : "", name, as ? " as " : "", as ? as : "");
		(void)json_array_append_new(list, json_string(use));
	}
	if (json_array_size(list)) {
		(void)json_object_set(out, "resources", list);
		say(p->in, KEPT, path, json_object_get(json_object_get(p->in->raw, raw), "at"), "uses %s", names.p);
	}
	json_decref(list);
}

static void
emit_service(const struct plan *p, const char *raw, const json_t *svc)
{
	CX_FREE char *path = cx_fmt("services.%.80s", raw);
	CX_JSON json_t *out = json_object();

	if (!emit_source(p, svc, path, out))
		return;
	emit_command(p, svc, path, out);
	emit_port(p, svc, path, out);
	emit_environment(p, svc, path, out);
	emit_resources(p, raw, out, path);
	emit_volumes(p, svc, path, out);
	emit_scale(p, raw, svc, path, out);
	emit_labels(p, svc, path, out);
	emit_texts(p, svc, path, out);
	emit_depends(p, svc, path);
	emit_others(p, svc, path);
	(void)json_object_set(json_object_get(p->in->out, "services"), cx_json_strd(p->names, raw, raw), out);
}

static void
find_jobs(struct plan *p)
{
	const char *raw, *name;
	const json_t *svc, *d;

	json_object_foreach (p->in->raw, raw, svc)
		json_object_foreach (json_object_get(svc, "depends"), name, d)
			if (strcmp(cx_json_strd(d, "condition", ""), "service_completed_successfully") == 0)
				(void)json_object_set_new(p->jobs, name, json_true());
}

void
emit_all(struct init *in)
{
	struct plan p = {.in = in,
		.hosts = json_object(),
		.names = json_object(),
		.resources = json_object(),
		.jobs = json_object()};
	const char *raw;
	const json_t *svc;

	names_find(&p);
	resources_find(&p);
	find_jobs(&p);
	resources_emit(&p);
	json_object_foreach (in->raw, raw, svc)
		if (!json_object_get(p.resources, raw))
			emit_service(&p, raw, svc);
	json_decref(p.hosts);
	json_decref(p.names);
	json_decref(p.resources);
	json_decref(p.jobs);
}
