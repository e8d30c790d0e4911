#include "dockerfile.h"
#include "health.h"
#include "project.h"
#include "text.h"
#include <ctype.h>
#include <cx/buf.h>
#include <cx/docker.h>
#include <cx/err.h>
#include <cx/own.h>
#include <string.h>
#include <strings.h>

#define STAGES_MAX 200

/* One stage; a later one may begin where it ends. */
struct stage {
	char *name;
	json_t *vars; /* ARG and ENV with a value */
	json_t *ports, *volumes, *health;
	int command;
	unsigned health_line, port_line, volume_line;
};

struct scan {
	struct stage *list;
	size_t n;
	json_t *global; /* ARGs before the first FROM */
	unsigned line;
};

static char *
word_at(const char **p)
{
	size_t n = cx_docker_word(p);
	char *s = n ? cx_strndup(*p, n) : NULL;

	*p += n;
	return s && cx_utf8_valid(s, n) ? s : (free(s), NULL);
}

/* Without its quotes, $NAME, ${NAME} and ${NAME:-default} replaced by what is known here. */
static char *
expand(const json_t *vars, const char *s)
{
	struct cx_buf b = {0};

	while (*s) {
		CX_FREE char *name = NULL, *operand = NULL;
		size_t n = text_variable(s);
		CX_FREE char *whole = n ? cx_strndup(s, n) : NULL;
		char op = 0;

		if (*s == '"' || *s == '\'') {
			s++;
			continue;
		}
		if (!n) {
			cx_buf_addc(&b, *s++);
			continue;
		}
		if (text_is_variable(whole, &name, &op, &operand))
			cx_buf_adds(&b, cx_json_strd(vars, name, op == '-' ? operand : whole));
		s += n;
		if (b.n > 4096)
			break;
	}
	return cx_buf_take(&b);
}

static void
set_var(json_t *vars, const char *name, const char *value)
{
	CX_FREE char *v = expand(vars, value);

	if (*name && json_object_size(vars) < 1000)
		cx_json_set(vars, name, v);
}

/* ARG NAME[=VALUE]..., ENV NAME=VALUE..., ENV NAME VALUE */
static void
read_vars(json_t *vars, const json_t *global, const char *p, int env)
{
	CX_FREE char *first = word_at(&p);

	if (first && env && !strchr(first, '=')) {
		set_var(vars, first, p + strspn(p, " \t"));
		return;
	}
	for (char *w = first; w; w = word_at(&p)) {
		char *eq = strchr(w, '=');

		if (eq)
			*eq = '\0';
		if (eq)
			set_var(vars, w, eq + 1);
		else if (cx_json_str(global, w))
			set_var(vars, w, cx_json_str(global, w));
		if (w != first)
			free(w);
	}
}

static const struct stage *
find_stage(const struct scan *s, const char *name)
{
	for (size_t i = s->n; i-- > 0;)
		if (s->list[i].name && strcasecmp(s->list[i].name, name) == 0)
			return &s->list[i];
	return NULL;
}

static void
begin_stage(struct scan *s, const char *p)
{
	CX_FREE char *image = NULL, *as = NULL, *name = NULL;
	const struct stage *base;
	struct stage *st;

	if (s->n >= STAGES_MAX)
		return;
	do {
		free(cx_steal(&image));
		image = word_at(&p);
	} while (image && strncmp(image, "--", 2) == 0);
	as = word_at(&p);
	name = as && strcasecmp(as, "AS") == 0 ? word_at(&p) : NULL;
	base = image ? find_stage(s, image) : NULL;
	st = &s->list[s->n];
	*st = base ? *base : (struct stage){0};
	st->vars = base ? json_deep_copy(base->vars) : json_object();
	st->health = base ? json_deep_copy(base->health) : NULL;
	st->ports = base ? json_copy(base->ports) : json_array();
	st->volumes = base ? json_copy(base->volumes) : json_array();
	st->name = cx_steal(&name);
	s->n++;
}

static void
read_expose_words(struct stage *st, const char *p)
{
	char *w;

	while ((w = word_at(&p))) {
		CX_FREE char *port = expand(st->vars, w);
		char *slash = strchr(port, '/');

		free(w);
		if (slash && strcasecmp(slash, "/tcp") != 0)
			continue;
		if (slash)
			*slash = '\0';
		port[strcspn(port, "-")] = '\0';
		if ((text_number(port, 65535) > 0 || text_variable(port)) && json_array_size(st->ports) < 100)
			(void)json_array_append_new(st->ports, json_string(port));
	}
}

/* VOLUME /a /b, or VOLUME ["/a", "/b"] */
static void
read_volume_words(struct stage *st, const char *p)
{
	CX_FREE char *copy = cx_strdup(p);
	char *save = NULL;

	for (char *w = strtok_r(copy, " \t[],", &save); w; w = strtok_r(NULL, " \t[],", &save)) {
		CX_FREE char *path = expand(st->vars, w);

		if (*path == '/' && cx_utf8_valid(path, strlen(path)) && !strchr(path, ':') &&
			json_array_size(st->volumes) < 100)
			(void)json_array_append_new(st->volumes, json_string(path));
	}
}

static void
health_option(json_t *h, const char *option)
{
	static const char *const names[][2] = {
		{"--interval=", "interval"}, {"--timeout=", "timeout"}, {"--start-period=", "grace"}};

	for (size_t i = 0; i < 3; i++) {
		size_t n = strlen(names[i][0]);
		long s = strncmp(option, names[i][0], n) == 0 ? text_seconds(option + n) : -1;

		if (s >= 0)
			cx_json_seti(h, names[i][1], s > 3600 ? 3600 : s < 1 && i < 2 ? 1 : s);
	}
}

static void
read_healthcheck(struct stage *st, const char *p)
{
	json_t *h = json_object();
	CX_FREE char *w = word_at(&p), *port = NULL, *path = NULL, *command = NULL;

	json_decref(st->health);
	st->health = h;
	for (; w && strncmp(w, "--", 2) == 0; w = word_at(&p)) {
		health_option(h, w);
		free(cx_steal(&w));
	}
	if (w && strcasecmp(w, "NONE") == 0) {
		(void)json_object_set_new(h, "disable", json_true());
		return;
	}
	command = expand(st->vars, p);
	if (health_url(command, &port, &path) && !strchr(path, '$') && cx_utf8_valid(path, strlen(path)))
		cx_json_set(h, "path", path);
	if (port && text_number(port, 65535) > 0)
		cx_json_set(h, "port", port);
}

static void
read_instruction(struct scan *s, const char *text)
{
	struct stage *st = s->n ? &s->list[s->n - 1] : NULL;
	const char *rest;

	if (cx_docker_is(text, "FROM", &rest)) {
		begin_stage(s, rest);
	} else if (cx_docker_is(text, "ARG", &rest)) {
		read_vars(st ? st->vars : s->global, s->global, rest, 0);
	} else if (!st) {
		return;
	} else if (cx_docker_is(text, "ENV", &rest)) {
		read_vars(st->vars, NULL, rest, 1);
	} else if (cx_docker_is(text, "EXPOSE", &rest)) {
		read_expose_words(st, rest);
		st->port_line = s->line;
	} else if (cx_docker_is(text, "VOLUME", &rest)) {
		read_volume_words(st, rest);
		st->volume_line = s->line;
	} else if (cx_docker_is(text, "HEALTHCHECK", &rest)) {
		read_healthcheck(st, rest);
		st->health_line = s->line;
	} else if (cx_docker_is(text, "CMD", &rest) || cx_docker_is(text, "ENTRYPOINT", &rest)) {
		st->command = 1;
	}
}

void
image_read(struct image *im, const char *file, const char *text, size_t n)
{
	CX_FREE struct stage *list = cx_alloc(STAGES_MAX * sizeof(*list));
	CX_JSON json_t *global = json_object();
	struct scan s = {.list = list, .global = global};
	struct cx_docker d = {.p = text, .n = n};
	CX_BUF struct cx_buf b = {0};

	*im = (struct image){.file = file};
	while (cx_docker_next(&d, &b)) {
		s.line = d.line;
		read_instruction(&s, b.p);
	}
	if (s.n) {
		const struct stage *last = &s.list[s.n - 1];

		*im = (struct image){.ports = json_incref(last->ports),
			.volumes = json_incref(last->volumes),
			.health = json_incref(last->health),
			.from = 1,
			.command = last->command,
			.file = file,
			.health_line = last->health_line,
			.port_line = last->port_line,
			.volume_line = last->volume_line};
	}
	for (size_t i = 0; i < s.n; i++) {
		free(s.list[i].name);
		json_decref(s.list[i].vars);
		json_decref(s.list[i].ports);
		json_decref(s.list[i].volumes);
		json_decref(s.list[i].health);
	}
}

void
image_free(struct image *im)
{
	json_decref(im->ports);
	json_decref(im->volumes);
	json_decref(im->health);
}

const char *
image_port(const struct image *im)
{
	static const char *const web[] = {"80", "8080", "3000", "8000", "5000"};
	const char *asked = cx_json_str(im->health, "port");
	const json_t *v;
	size_t i;

	json_array_foreach (im->ports, i, v)
		if (asked && strcmp(json_string_value(v), asked) == 0)
			return json_string_value(v);
	for (size_t k = 0; k < sizeof(web) / sizeof(web[0]); k++)
		json_array_foreach (im->ports, i, v)
			if (strcmp(json_string_value(v), web[k]) == 0)
				return json_string_value(v);
	json_array_foreach (im->ports, i, v)
		if (text_number(json_string_value(v), 65535) > 0)
			return json_string_value(v);
	return asked;
}

/* --- a bare Dockerfile --- */

static json_t *
place(const struct image *im, unsigned line)
{
	return json_pack("{s:s,s:i,s:i}", "file", im->file, "line", (int)line, "column", 1);
}

static void
convert_port(struct init *in, const struct image *im, json_t *out)
{
	CX_JSON json_t *at = place(im, im->port_line);
	const char *port = image_port(im);
	const json_t *v;
	size_t i;

	if (port) {
		cx_json_seti(out, "port", text_number(port, 65535));
		say(in, KEPT, "EXPOSE", im->port_line ? at : NULL, "port: %s", port);
	} else {
		say(in, DROPPED, "EXPOSE", NULL, "no port is known: the service has no URL");
		say_hint(in, "EXPOSE the port that the program listens on, or write port: NUMBER");
	}
	json_array_foreach (im->ports, i, v)
		if (port && strcmp(json_string_value(v), port) != 0)
			say(in, DROPPED, "EXPOSE", at, "%.40s: a service has one port", json_string_value(v));
}

static void
convert_health(struct init *in, const struct image *im, json_t *out)
{
	CX_JSON json_t *at = place(im, im->health_line), *health = im->health ? health_make(im->health) : NULL;

	if (!im->health)
		return;
	if (!json_object_get(out, "port")) {
		say(in, DROPPED, "HEALTHCHECK", at, "a service without a port has no health check");
		return;
	}
	if (health)
		(void)json_object_set(out, "health", health);
	if (cx_json_true(im->health, "disable")) {
		say(in, KEPT, "HEALTHCHECK", at, "switched off");
	} else if (cx_json_str(im->health, "path")) {
		say(in, KEPT, "HEALTHCHECK", at, "asks %.200s", cx_json_str(im->health, "path"));
	} else {
		say(in, DROPPED, "HEALTHCHECK", at, "its command: a health check is an HTTP request, of / here");
		say_hint(in, "let the program answer at a path such as /health, and write health: /health");
	}
}

static void
convert_image(struct init *in, const struct image *im, json_t *out)
{
	CX_JSON json_t *at = place(im, im->volume_line);

	convert_port(in, im, out);
	convert_health(in, im, out);
	if (json_array_size(im->volumes)) {
		(void)json_object_set(out, "volumes", im->volumes);
		say(in, KEPT, "VOLUME", at, "the rack keeps %zu folder%s over releases", json_array_size(im->volumes),
			json_array_size(im->volumes) == 1 ? "" : "s");
	}
	if (!im->command)
		say(in, KEPT, "CMD", NULL, "the command is the one of the image that it is built from");
}

int
dockerfile_convert(struct init *in, const char *name, const char *text, size_t n, struct cx_err *e)
{
	CX_FREE char *folder = project_folder(name), *path = project_in_app(in->project, folder);
	const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
	json_t *out, *build;
	struct image im;

	image_read(&im, name, text, n);
	if (!im.from) {
		image_free(&im);
		return cx_err_set(e, CX_BAD, "%s is no Dockerfile: it has no FROM", name);
	}
	if (!path) {
		image_free(&im);
		return cx_err_set(e, CX_BAD, "%s lies outside of the folder that convox.yml goes to", name);
	}
	out = json_object();
	build = strcmp(base, "Dockerfile") == 0 ? json_string(path)
						: json_pack("{s:s,s:s}", "path", path, "manifest", base);
	(void)json_object_set_new(out, "build", build);
	say(in, KEPT, "FROM", NULL, "build: %s", path);
	convert_image(in, &im, out);
	(void)json_object_set_new(json_object_get(in->out, "services"), "web", out);
	image_free(&im);
	return 0;
}
