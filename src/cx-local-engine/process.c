#include "process.h"
#include <ctype.h>
#include <cx/err.h>
#include <cx/own.h>
#include <string.h>

json_t *
process_containers(struct local *l, struct cx_err *e)
{
	CX_JSON json_t *filters = json_object();
	CX_FREE char *rack = cx_fmt("convox.rack=%s", cx_json_strd(l->spool.rack, "name", "local"));
	CX_FREE char *app = cx_fmt("convox.app=%s", l->app), *text = NULL;
	CX_BUF struct cx_buf path = {0};
	json_t *list;

	(void)json_object_set_new(filters, "label", json_pack("[s,s]", rack, app));
	text = cx_json_text(filters);
	cx_buf_adds(&path, "/containers/json?all=1&filters=");
	cx_query(&path, text);
	list = cx_engine_call(l->en, "GET", path.p, NULL, e);
	if (list && !json_is_array(list)) {
		json_decref(list);
		(void)cx_err_set(e, CX_SYS, "the container engine sent no list of containers");
		return NULL;
	}
	return list;
}

const char *
process_label(const json_t *item, const char *label)
{
	return cx_json_strd(json_object_get(item, "Labels"), label, "");
}

const char *
process_name(const json_t *item)
{
	const char *service = process_label(item, "convox.service");

	return *service ? service : process_label(item, "convox.name");
}

static int
looks_like_id(const char *word)
{
	size_t n = strspn(word, "0123456789abcdef");

	return n >= 4 && n <= 64 && word[n] == '\0';
}

/* A service's own processes; one-off ones of it are named by their ID only. */
static int
means(const json_t *item, const char *word)
{
	return strcmp(process_label(item, "convox.type"), "process") != 0 && strcmp(process_name(item), word) == 0;
}

static json_t *
pick(json_t *all, const char *word, int by_id, int running)
{
	json_t *found = json_array(), *item;
	size_t i;

	json_array_foreach (all, i, item) {
		int hit = by_id ? strncmp(cx_json_strd(item, "Id", ""), word, strlen(word)) == 0 : means(item, word);

		if (hit && (!running || strcmp(cx_json_strd(item, "State", ""), "running") == 0))
			(void)json_array_append(found, item);
	}
	return found;
}

/* Those of the active release first: an exec into a service means what serves. */
static void
active_first(json_t *found, const char *active)
{
	for (size_t i = 1; active && i < json_array_size(found); i++) {
		json_t *item = json_array_get(found, i);

		if (strcmp(process_label(item, "convox.release"), active) != 0)
			continue;
		json_incref(item);
		(void)json_array_remove(found, i);
		(void)json_array_insert_new(found, 0, item);
	}
}

json_t *
process_find(struct local *l, const char *word, int running, struct cx_err *e)
{
	CX_JSON json_t *all = process_containers(l, e), *found = NULL;

	if (!all)
		return NULL;
	found = pick(all, word, 0, running);
	if (json_array_size(found) == 0 && looks_like_id(word)) {
		json_decref(found);
		found = pick(all, word, 1, running);
		if (json_array_size(found) > 1) {
			(void)cx_err_set(e, CX_NO, "%s is the beginning of %zu processes of %s", word,
				json_array_size(found), l->app);
			(void)cx_err_hint(e, "type more of the ID; cx ps -a %s lists them", l->app);
			return NULL;
		}
	}
	if (json_array_size(found) == 0) {
		(void)cx_err_set(
			e, CX_NO, "%s has no %sprocess or service \"%s\"", l->app, running ? "running " : "", word);
		(void)cx_err_hint(e, "cx ps -a %s lists them", l->app);
		return NULL;
	}
	active_first(found, cx_json_str(l->app_record, "active"));
	return cx_steal(&found);
}

/* Quotes a word only where it needs it, so that the line could be typed again. */
static void
add_word(struct cx_buf *b, const char *w)
{
	int plain = *w != '\0';

	for (const char *p = w; *p && plain; p++)
		plain = isalnum((unsigned char)*p) || strchr("_./:=@,+%-", *p) != NULL;
	if (b->n)
		cx_buf_addc(b, ' ');
	if (plain) {
		cx_buf_adds(b, w);
		return;
	}
	cx_buf_addc(b, '\'');
	for (; *w; w++) {
		if (*w == '\'')
			cx_buf_adds(b, "'\\''");
		else
			cx_buf_addc(b, *w);
	}
	cx_buf_addc(b, '\'');
}

static char *
command_line(const json_t *c)
{
	struct cx_buf b = {0};
	json_t *w;
	size_t i;

	add_word(&b, cx_json_strd(c, "Path", ""));
	json_array_foreach (json_object_get(c, "Args"), i, w)
		add_word(&b, json_string_value(w) ? json_string_value(w) : "");
	return cx_buf_take(&b);
}

/* What a person wants to know: does it serve, is it on its way, or why not. */
static const char *
status_of(struct local *l, const json_t *state, const char *release, const char *type)
{
	const char *s = cx_json_strd(state, "Status", ""), *active = cx_json_str(l->app_record, "active");
	const char *promoting = cx_json_str(l->app_record, "promoting");

	if (strcmp(s, "created") == 0 || strcmp(s, "restarting") == 0)
		return "starting";
	if (strcmp(s, "running") != 0)
		return cx_json_int(state, "ExitCode", 0) ? "crashed" : "stopped";
	if (strcmp(type, "service") != 0 || !active || strcmp(active, release) == 0)
		return "running";
	return promoting && strcmp(promoting, release) == 0 ? "starting" : "draining";
}

static void
add_end(json_t *p, const json_t *state)
{
	const char *s = cx_json_strd(state, "Status", "");

	if (strcmp(s, "exited") != 0 && strcmp(s, "dead") != 0)
		return;
	cx_json_seti(p, "exit", cx_json_int(state, "ExitCode", 0));
	cx_json_set(p, "ended", cx_json_str(state, "FinishedAt"));
	if (cx_json_true(state, "OOMKilled"))
		cx_json_set(p, "reason", "killed: out of memory");
	else if (*cx_json_strd(state, "Error", ""))
		cx_json_set(p, "reason", cx_json_str(state, "Error"));
}

static const char *
address_of(struct local *l, const json_t *c)
{
	const json_t *nets = json_object_get(json_object_get(c, "NetworkSettings"), "Networks");
	const char *a =
		cx_json_str(json_object_get(nets, cx_json_strd(l->spool.rack, "network", "cx-local")), "IPAddress");

	return a && *a ? a : NULL;
}

json_t *
process_describe(struct local *l, const char *id, struct cx_err *e)
{
	CX_FREE char *path = cx_fmt("/containers/%s/json", id), *cmd = NULL, *shown = cx_strndup(id, ID_SHOWN);
	CX_JSON json_t *c = cx_engine_call(l->en, "GET", path, NULL, e);
	const json_t *config = json_object_get(c, "Config"), *state = json_object_get(c, "State");
	const char *release = process_label(config, "convox.release"), *type = process_label(config, "convox.type");
	const char *started = cx_json_str(state, "StartedAt"), *name = cx_json_strd(c, "Name", "");
	json_t *p;

	if (!c)
		return NULL;
	cmd = command_line(c);
	p = json_object();
	cx_json_set(p, "id", shown);
	cx_json_set(p, "app", l->app);
	cx_json_set(p, "service", process_name(config));
	cx_json_set(p, "release", release);
	cx_json_set(p, "type", type);
	cx_json_set(p, "status", status_of(l, state, release, type));
	cx_json_set(p, "started", started && strncmp(started, "0001", 4) != 0 ? started : NULL);
	cx_json_set(p, "command", cmd);
	cx_json_set(p, "image", cx_json_str(config, "Image"));
	cx_json_set(p, "name", *name == '/' ? name + 1 : name);
	cx_json_set(p, "address", address_of(l, c));
	add_end(p, state);
	return p;
}
