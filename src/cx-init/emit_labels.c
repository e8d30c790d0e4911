/* Volumes, and the labels of Convox 1.0. */
#include "compose.h"
#include "emit.h"
#include "text.h"
#include <ctype.h>
#include <cx/buf.h>
#include <cx/own.h>
#include <string.h>

/* --- volumes --- */

/* A path is shielded from a mount above it, as node_modules from the source: without that mount it means nothing. */
static int
shields(const json_t *volumes, const char *target)
{
	const json_t *v;
	size_t i;

	json_array_foreach (volumes, i, v) {
		const char *source = cx_json_strd(v, "source", ""), *above = cx_json_strd(v, "target", "");
		size_t n = strlen(above);

		if (*source == '.' && n < strlen(target) && strncmp(above, target, n) == 0 && target[n] == '/')
			return 1;
	}
	return 0;
}

static void
add_volume(const struct plan *p, const json_t *svc, const json_t *v, const char *path, json_t *list)
{
	const char *source = cx_json_strd(v, "source", ""), *target = cx_json_strd(v, "target", ""),
		   *mode = cx_json_strd(v, "mode", "");
	const json_t *at = json_object_get(v, "at");

	if (strcmp(mode, "tmpfs") == 0) {
		say(p->in, DROPPED, path, at, "%.80s: no file system in memory", target);
	} else if (*target != '/') {
		say(p->in, DROPPED, path, at, "\"%.80s\" is no path in the container", target);
	} else if (*source == '/' && source[1] && !text_has(source, "..")) {
		CX_FREE char *text = cx_fmt("%s:%s", source, target);

		(void)json_array_append_new(list, json_string(text));
		say(p->in, KEPT, path, at, "%.100s: it must be there on the machine of the rack", text);
		if (text_has(mode, "ro"))
			say_hint(p->in, "it can be written now");
	} else if (*source && strpbrk(source, "./~$")) {
		say(p->in, DROPPED, path, at, "the mount %.80s at %.80s: what is in the source goes into the image",
			source, target);
		say_hint(p->in, "COPY it in the Dockerfile");
	} else if (!*source && shields(json_object_get(svc, "volumes"), target)) {
		say(p->in, CHANGED, path, at, "%.80s: not needed without the mount above it", target);
	} else {
		(void)json_array_append_new(list, json_string(target));
		say(p->in, *source ? CHANGED : KEPT, path, at, "%.80s is kept by the rack%s%.80s", target,
			*source ? ", for this service alone; it was the volume " : "", source);
	}
}

void
emit_volumes(const struct plan *p, const json_t *svc, const char *path, json_t *out)
{
	CX_FREE char *key = cx_fmt("%s.volumes", path);
	json_t *list = json_array();
	const json_t *v;
	size_t i;

	json_array_foreach (json_object_get(svc, "volumes"), i, v)
		add_volume(p, svc, v, key, list);
	if (json_array_size(list))
		(void)json_object_set(out, "volumes", list);
	json_decref(list);
}

/* --- labels --- */

const char *
label(const json_t *svc, const char *name)
{
	return cx_json_str(json_object_get(json_object_get(svc, "labels"), name), "value");
}

const char *
port_label(const json_t *svc, const char *port, const char *what)
{
	CX_FREE char *name = cx_fmt("convox.port.%s.%s", port, what);

	return label(svc, name);
}

/* Days of a week were 1 (Sunday) to 7; in a crontab they are 0 to 6. */
static char *
schedule_of(const char *fields[5], const size_t sizes[5])
{
	struct cx_buf b = {0};

	for (int i = 0; i < 5; i++) {
		CX_FREE char *f = cx_strndup(fields[i], sizes[i]);

		for (char *c = f; *c; c++) {
			if (*c == '?')
				*c = '*';
			else if (i == 4 && *c >= '1' && *c <= '7' && (c == f || c[-1] != '/'))
				--*c;
		}
		cx_buf_addf(&b, "%s%s", i ? " " : "", f);
	}
	return cx_buf_take(&b);
}

static void
add_timer(const struct plan *p, const char *service, const char *name, const char *value, const json_t *at,
	const char *path)
{
	CX_FREE char *timer = text_name(name), *schedule = NULL;
	json_t *timers = json_object_get(p->in->out, "timers");
	const char *fields[5], *s = value;
	size_t sizes[5];

	for (int i = 0; i < 5; i++) {
		s += strspn(s, " \t");
		fields[i] = s;
		sizes[i] = strcspn(s, " \t");
		s += sizes[i];
	}
	s += strspn(s, " \t");
	for (int i = 0; i < 5; i++)
		if (sizes[i] == 0 || strspn(fields[i], "0123456789*/,-?LW#ABCDEFGHIJKLMNOPQRSTUVWXYZ") < sizes[i])
			s = "";
	if (!*s || json_object_get(timers, timer)) {
		say(p->in, DROPPED, path, at, "convox.cron.%.40s: \"%.80s\" %s", name, value,
			*s ? "has the name of another timer" : "is not five fields and a command");
		say_hint(p->in, "add it under timers: schedule, command and service");
		return;
	}
	schedule = schedule_of(fields, sizes);
	(void)json_object_set_new(
		timers, timer, json_pack("{s:s,s:s,s:s}", "schedule", schedule, "command", s, "service", service));
	say(p->in, strncmp(value, schedule, strlen(schedule)) == 0 ? KEPT : CHANGED, path, at,
		"convox.cron.%.40s is the timer %s, \"%s\" UTC", name, timer, schedule);
}

static void
seconds_label(const struct plan *p, const char *value, const json_t *at, const char *path, json_t *out, const char *key,
	const char *name)
{
	long n = text_number(value, 3600);

	if (n < (strcmp(key, "timeout") == 0)) {
		say(p->in, DROPPED, path, at, "%s: \"%.40s\" is no number of seconds up to 3600", name, value);
		return;
	}
	cx_json_seti(out, key, n);
	say(p->in, KEPT, path, at, "%s is %s: %ld", name, key, n);
}

/* What labels of Convox 1.0 mean that are not a value of a key. */
static const struct {
	const char *begin, *end;
	enum verdict verdict;
	const char *text;
} meanings[] = {
	{"convox.port.", ".protocol", KEPT, "the balancer speaks TLS and HTTP by itself"},
	{"convox.port.", ".secure", KEPT, "the scheme, where that port is the one that is kept"},
	{"convox.port.", ".proxy", DROPPED, "no PROXY protocol: the client's address is in X-Forwarded-For"},
	{"convox.port.", ".sticky.cookie", DROPPED, "requests of a client go to any process"},
	{"convox.health.path", "", KEPT, "the path of the health check"},
	{"convox.health.port", "", KEPT, "the health check asks the service's port"},
	{"convox.health.timeout", "", KEPT, "the timeout of the health check"},
	{"convox.health.threshold", "", DROPPED, "a process is healthy after one good answer"},
	{"convox.deployment.", "", DROPPED,
		"new processes start beside the old, which end when the new ones are healthy"},
	{"convox.agent", "", DROPPED, "no process on each machine: it is a service like others"},
	{"convox.balancer", "", KEPT, "the port of the service"},
	{"convox.environment.secure", "", KEPT, "all of the environment is sealed"},
	{"convox.start.", "", CHANGED, "not needed: a rack has an address of its own"},
};

static int
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static void
convox_label(const struct plan *p, const char *service, const char *name, const char *value, const json_t *at,
	const char *path, json_t *out)
{
	if (strncmp(name, "convox.cron.", 12) == 0) {
		add_timer(p, service, name + 12, value, at, path);
		return;
	}
	if (strcmp(name, "convox.idle.timeout") == 0) {
		seconds_label(p, value, at, path, out, "timeout", name);
		return;
	}
	if (strcmp(name, "convox.draining.timeout") == 0) {
		seconds_label(p, value, at, path, out, "drain", name);
		return;
	}
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (strncmp(name, meanings[i].begin, strlen(meanings[i].begin)) == 0 &&
			ends_with(name, meanings[i].end)) {
			say(p->in, meanings[i].verdict, path, at, "%.80s: %s", name, meanings[i].text);
			return;
		}
	say(p->in, DROPPED, path, at, "%.80s: a label that means nothing here", name);
}

void
emit_labels(const struct plan *p, const json_t *svc, const char *path, json_t *out)
{
	CX_FREE char *key = cx_fmt("%s.labels", path);
	const char *raw = cx_json_strd(svc, "name", ""), *name;
	const json_t *v, *first = NULL;
	unsigned others = 0;

	json_object_foreach (json_object_get(svc, "labels"), name, v) {
		const char *value = cx_json_strd(v, "value", "");

		if (strncmp(name, "convox.", 7) == 0) {
			convox_label(
				p, cx_json_strd(p->names, raw, raw), name, value, json_object_get(v, "at"), key, out);
			continue;
		}
		first = first ? first : json_object_get(v, "at");
		others++;
	}
	if (others) {
		say(p->in, DROPPED, key, first, "%u label%s for other programs", others, others == 1 ? "" : "s");
		say_hint(p->in, "the balancer routes by itself: a host name of a label goes to domain");
	}
}
