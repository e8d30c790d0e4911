#include "procfile.h"
#include "dockerfile.h"
#include "health.h"
#include "project.h"
#include "text.h"
#include <ctype.h>
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <string.h>

/* What foreman gives the first process. */
#define PORT_DEFAULT 5000

struct procfile {
	struct init *in;
	const char *name; /* of the file */
	json_t *entries; /* name as written -> {"command","line"}; a later one replaces the earlier */
	struct image image; /* of the Dockerfile beside it */
	int built; /* there is one */
	const char *release; /* the command of the release process */
};

static json_t *
place(const struct procfile *p, long long line)
{
	return json_pack("{s:s,s:I,s:i}", "file", p->name, "line", (json_int_t)line, "column", 1);
}

static void
add_entry(struct procfile *p, const char *name, const char *command, unsigned line)
{
	const json_t *old = json_object_get(p->entries, name);
	CX_JSON json_t *at = place(p, line);

	if (!cx_utf8_valid(command, strlen(command))) {
		say(p->in, DROPPED, name, at, "the command is not UTF-8");
		return;
	}
	if (json_object_size(p->entries) >= MAX_SERVICES) {
		init_full(p->in, at, "more than 1000 processes");
		return;
	}
	if (old)
		say(p->in, CHANGED, name, at, "it stands twice; this line counts, and not line %lld",
			cx_json_int(old, "line", 0));
	(void)json_object_set_new(p->entries, name, json_pack("{s:s,s:i}", "command", command, "line", (int)line));
}

/* NAME: COMMAND, as foreman reads it: a name is letters, digits, _ and -; other lines do not count. */
static void
read_line(struct procfile *p, const char *line, size_t n, unsigned number)
{
	size_t name_n = 0, from;
	CX_FREE char *name = NULL, *command = NULL;

	while (n && isspace((unsigned char)line[n - 1]))
		n--;
	while (name_n < n && (isalnum((unsigned char)line[name_n]) || line[name_n] == '_' || line[name_n] == '-'))
		name_n++;
	from = name_n + (name_n < n && line[name_n] == ':');
	while (from < n && isspace((unsigned char)line[from]))
		from++;
	if (name_n > 0 && name_n < n && line[name_n] == ':' && from < n) {
		name = cx_strndup(line, name_n);
		command = cx_strndup(line + from, n - from);
		add_entry(p, name, command, number);
	} else if (n > 0 && line[strspn(line, " \t")] != '#') {
		CX_JSON json_t *at = place(p, number);

		say(p->in, DROPPED, "", at, "this line is no NAME: COMMAND");
	}
}

static void
read_lines(struct procfile *p, const char *text)
{
	unsigned line = 1;

	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	for (; *text && !p->in->full; line++) {
		size_t n = strcspn(text, "\n");

		read_line(p, text, n, line);
		text += n + (text[n] == '\n');
	}
}

/* --- the port --- */

static long
number_at(const char *s)
{
	size_t n = strspn(s, "0123456789");
	CX_FREE char *digits = cx_strndup(s, n);

	return s[n] == '\0' || isspace((unsigned char)s[n]) || strchr("\"'/;&|)", s[n]) ? text_number(digits, 65535)
											: -1;
}

/* A port that the command itself names: -p 3000, --port=3000, 0.0.0.0:8000. */
static long
port_in(const char *command)
{
	static const char *const before[] = {
		" -p ", " --port ", " --port=", " -port ", " -Dserver.port=", "0.0.0.0:", "127.0.0.1:", " -p"};

	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		const char *at = strstr(command, before[i]);
		long n = at ? number_at(at + strlen(before[i])) : -1;

		if (n > 0)
			return n;
	}
	return -1;
}

static int
reads(const char *command, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = strchr(command, '$'); p; p = strchr(p + 1, '$')) {
		const char *at = p + 1 + (p[1] == '{');

		if (strncmp(at, name, len) == 0 && !isalnum((unsigned char)at[len]) && at[len] != '_')
			return 1;
	}
	return 0;
}

static void
convert_port(const struct procfile *p, const char *name, const char *command, const json_t *at, json_t *out)
{
	const char *exposed = p->built ? image_port(&p->image) : NULL;
	long n = port_in(command), dflt = exposed ? text_number(exposed, 65535) : PORT_DEFAULT;
	int asks = reads(command, "PORT");

	if (strcmp(name, "web") != 0 && !asks)
		return;
	if (n > 0 && !asks) {
		cx_json_seti(out, "port", n);
		say(p->in, KEPT, name, at, "port %ld is named by its command", n);
		return;
	}
	CX_FREE char *entry = cx_fmt("PORT=%ld", dflt);

	cx_json_seti(out, "port", dflt);
	(void)json_object_set_new(out, "environment", json_pack("[{s:s}]", "entry", entry));
	say(p->in, CHANGED, name, at, "PORT is %ld, and so is its port%s", dflt,
		exposed ? ", as the Dockerfile exposes" : "");
	if (!asks)
		say_hint(p->in, "see that the program listens on the PORT of its environment");
}

/* --- the environment --- */

/* What a shell or a container has by itself. */
static int
is_given(const char *name)
{
	static const char *const given[] = {"PORT", "HOME", "PATH", "PWD", "USER", "HOSTNAME", "SHELL", "TERM", "LANG",
		"JAVA_HOME", "APP", "RELEASE", "RACK_URL", "RANDOM"};

	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		if (strcmp(given[i], name) == 0)
			return 1;
	return 0;
}

static int
is_set_by(const char *command, const char *name)
{
	CX_FREE char *set = cx_fmt("%s=", name);
	const char *at = strstr(command, set);

	return at && (at == command || isspace((unsigned char)at[-1]));
}

/* The variables that the command reads must be named, or the service would not see them. */
static void
convert_environment(const struct procfile *p, const char *process, const char *command, const json_t *at, json_t *out)
{
	CX_JSON json_t *seen = json_object();
	json_t *env = json_object_get(out, "environment");

	for (const char *s = strchr(command, '$'); s && json_object_size(seen) < 500; s = strchr(s + 1, '$')) {
		size_t n = text_variable(s);
		CX_FREE char *whole = cx_strndup(s, n), *name = NULL, *operand = NULL, *entry = NULL, *value = NULL;
		char op = 0;

		if (!n || !text_is_variable(whole, &name, &op, &operand) || is_given(name) ||
			json_object_get(seen, name) || is_set_by(command, name) ||
			strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != strlen(name))
			continue;
		(void)json_object_set_new(seen, name, json_true());
		value = text_escape(op == '-' && !strpbrk(operand, "$`") ? operand : "");
		entry = cx_fmt("%s=%s", name, value);
		if (!env) {
			env = json_array();
			(void)json_object_set_new(out, "environment", env);
		}
		(void)json_array_append_new(env, json_pack("{s:s}", "entry", entry));
		say(p->in, CHANGED, process, at, "its command reads %s: it is in its environment, by default \"%s\"",
			name, value);
	}
}

/* --- processes --- */

static char *
free_name(const json_t *services, const char *written)
{
	CX_FREE char *name = text_name(written);

	for (int i = 2; json_object_get(services, name); i++) {
		CX_FREE char *base = text_name(written), *next = cx_fmt("%.34s-%d", base, i);

		free(cx_steal(&name));
		name = cx_steal(&next);
	}
	return cx_steal(&name);
}

static void
convert_release(struct procfile *p, const char *command, const json_t *at)
{
	p->release = command;
	say(p->in, DROPPED, "release", at, "a command that runs before each release");
	say_hint(p->in, "cx build; cx run -r RELEASE web '%.200s'; cx promote", command);
}

static void
convert_process(const struct procfile *p, const char *written, const char *command, const json_t *at)
{
	static const char *const by_hand[] = {"console", "shell", "rake"};
	json_t *services = json_object_get(p->in->out, "services"), *out = json_object();
	CX_FREE char *name = free_name(services, written), *text = text_escape(command);

	(void)json_object_set_new(out, "build", json_string("."));
	cx_json_set(out, "command", text);
	say(p->in, KEPT, written, at, "command");
	if (strcmp(name, written) != 0)
		say(p->in, CHANGED, written, at,
			"its name is %s now: names are lower-case letters, digits and dashes, at most 40", name);
	convert_port(p, written, command, at, out);
	convert_environment(p, written, command, at, out);
	for (size_t i = 0; i < 3; i++)
		if (strcmp(by_hand[i], written) == 0) {
			cx_json_seti(out, "scale", 0);
			say(p->in, CHANGED, written, at, "it is not started");
			say_hint(p->in, "cx run %s", name);
		}
	if (p->built && json_object_get(out, "port") && p->image.health) {
		CX_JSON json_t *health = health_make(p->image.health);

		if (health)
			(void)json_object_set(out, "health", health);
	}
	(void)json_object_set_new(services, name, out);
}

static void
convert_all(struct procfile *p)
{
	json_t *services = json_object_get(p->in->out, "services"), *first;
	const char *name;
	const json_t *v;

	json_object_foreach (p->entries, name, v) {
		const char *command = cx_json_strd(v, "command", "");
		CX_JSON json_t *at = place(p, cx_json_int(v, "line", 0));

		if (strcmp(name, "release") == 0)
			convert_release(p, command, at);
		else
			convert_process(p, name, command, at);
		if (strstr(command, "%PORT%"))
			say(p->in, DROPPED, name, at, "%%PORT%% is a variable of Windows: write $PORT");
	}
	first = json_object_iter_value(json_object_iter(services));
	if (first && p->release) {
		CX_FREE char *line = cx_fmt("Before a release is promoted, Procfile ran: %.200s", p->release);

		(void)json_object_set_new(first, "#", json_pack("[s]", line));
	}
	if (first && !json_object_get(services, "web"))
		say(p->in, CHANGED, "", NULL, "no process is called web: what takes no port has no URL");
}

/* The Dockerfile beside it: a process runs in the image that it makes. */
static void
read_image(struct procfile *p, const char *folder)
{
	CX_FREE char *path = strcmp(folder, ".") == 0 ? cx_strdup("Dockerfile") : cx_fmt("%s/Dockerfile", folder);
	CX_BUF struct cx_buf text = {0};
	struct cx_err e;

	if (project_read(p->in->project, path, &text, &e) < 0) {
		say(p->in, DROPPED, "", NULL,
			"there is no Dockerfile: cx builds an image from one, and has no buildpacks");
		say_hint(p->in, "write a Dockerfile that installs what the program needs");
		return;
	}
	image_read(&p->image, "Dockerfile", cx_buf_str(&text), text.n);
	p->built = p->image.from;
}

int
procfile_convert(struct init *in, const char *name, const char *text, struct cx_err *e)
{
	CX_FREE char *folder = project_folder(name), *path = project_in_app(in->project, folder);
	CX_JSON json_t *entries = json_object();
	struct procfile p = {.in = in, .name = name, .entries = entries};
	const char *service;
	json_t *v;

	if (!path)
		return cx_err_set(e, CX_BAD, "%s lies outside of the folder that convox.yml goes to", name);
	read_lines(&p, text);
	if (json_object_size(entries) == 0) {
		(void)cx_err_set(e, CX_BAD, "%s is no Procfile: it has no line NAME: COMMAND", name);
		return -1;
	}
	read_image(&p, folder);
	convert_all(&p);
	json_object_foreach (json_object_get(in->out, "services"), service, v)
		(void)json_object_set_new(v, "build", json_string(path));
	image_free(&p.image);
	return 0;
}
