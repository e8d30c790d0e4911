#include "local.h"
#include "process.h"
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>

/* A container gets 10 s to end unless told; converge may be busy with a roll-out for a while. */
#define STOP_SECONDS 10
#define PATIENCE_SECONDS 60

static int
parse(int argc, char **argv, long *timeout, int *first, struct cx_err *e)
{
	int i = 1;

	*timeout = -1;
	for (; i < argc && argv[i][0] == '-'; i++) {
		char *end = NULL;

		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (strcmp(argv[i], "--timeout") != 0 || i + 1 >= argc)
			return usage_error(e, "process stop takes --timeout SECONDS and processes or services");
		*timeout = strtol(argv[++i], &end, 10);
		if (*end || end == argv[i] || *timeout < 0 || *timeout > 3600)
			return usage_error(e, "--timeout is a number of seconds, 0 to 3600");
	}
	if (i >= argc)
		return usage_error(e, "process stop needs a process or service");
	*first = i;
	return 0;
}

static int
add_unique(json_t *all, const json_t *item)
{
	const char *id = cx_json_strd(item, "Id", "");
	json_t *v;
	size_t i;

	json_array_foreach (all, i, v)
		if (strcmp(cx_json_strd(v, "Id", ""), id) == 0)
			return 0;
	return json_array_append(all, (json_t *)item);
}

static json_t *
find_all(struct local *l, char **words, struct cx_err *e)
{
	CX_JSON json_t *all = json_array();

	for (; *words; words++) {
		CX_JSON json_t *found = process_find(l, *words, 1, e);
		json_t *item;
		size_t i;

		if (!found)
			return NULL;
		json_array_foreach (found, i, item)
			(void)add_unique(all, item);
	}
	return cx_steal(&all);
}

/* One request a process, named by it: asking twice is asking once. */
static int
request(struct local *l, const char *dir, const json_t *item, long timeout, json_t *names, struct cx_err *e)
{
	const char *id = cx_json_strd(item, "Id", "");
	CX_JSON json_t *r = json_pack("{s:i,s:s,s:s}", "v", 1, "op", "stop", "process", id);
	CX_FREE char *name = cx_fmt("%s/stop-%.*s.json", dir, ID_SHOWN, id);

	(void)json_object_set_new(r, "timeout", timeout < 0 ? json_null() : json_integer(timeout));
	(void)json_array_append_new(names, json_string(name));
	return cx_spool_publish_json(l->spool.dir, name, r, 0644, e);
}

static int
pending(struct local *l, const json_t *names)
{
	int n = 0;
	json_t *v;
	size_t i;

	json_array_foreach ((json_t *)names, i, v)
		n += faccessat(l->spool.dir, json_string_value(v), F_OK, 0) == 0;
	return n;
}

static int
wait_done(struct local *l, const char *dir, const json_t *names, long seconds, struct cx_err *e)
{
	CX_FREE char *path = cx_fmt("%s/%s", l->spool.path, dir);
	CX_CLOSE int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	time_t end = time(NULL) + seconds;
	json_t *v;
	size_t i;

	if (fd < 0 || inotify_add_watch(fd, path, IN_DELETE | IN_MOVED_FROM) < 0)
		return cx_err_sys(e, "watch %s", path);
	while (pending(l, names)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		char buf[4096];

		if (time(NULL) >= end) {
			json_array_foreach ((json_t *)names, i, v)
				(void)unlinkat(l->spool.dir, json_string_value(v), 0);
			(void)cx_err_set(
				e, CX_SYS, "nobody took the request to stop in %ld seconds; it is withdrawn", seconds);
			return cx_err_hint(e, "do the rack's daemons run? see: cx rack");
		}
		(void)poll(&p, 1, 1000);
		while (read(fd, buf, sizeof(buf)) > 0)
			;
	}
	return 0;
}

static int
print_stopped(const json_t *items, struct cx_err *e)
{
	CX_JSON json_t *doc = json_pack("{s:i,s:[]}", "v", 1, "stopped");
	json_t *item;
	size_t i;

	json_array_foreach ((json_t *)items, i, item) {
		CX_FREE char *id = cx_strndup(cx_json_strd(item, "Id", ""), ID_SHOWN);

		(void)json_array_append_new(json_object_get(doc, "stopped"),
			json_pack("{s:s,s:s,s:s}", "id", id, "service", process_name(item), "release",
				process_label(item, "convox.release")));
	}
	return cx_json_print(stdout, doc, e);
}

int
verb_stop(struct local *l, int argc, char **argv, struct cx_err *e)
{
	CX_FREE char *dir = cx_fmt("apps/%s/requests", l->app);
	CX_JSON json_t *items = NULL, *names = json_array();
	json_t *item;
	long timeout = -1;
	int first = 0;
	size_t i;

	if (parse(argc, argv, &timeout, &first, e) < 0)
		return -1;
	items = find_all(l, argv + first, e);
	if (!items || cx_spool_mkdir(l->spool.dir, dir, 0755, e) < 0)
		return -1;
	json_array_foreach (items, i, item)
		if (request(l, dir, item, timeout, names, e) < 0)
			return -1;
	if (wait_done(l, dir, names,
		    (timeout < 0 ? STOP_SECONDS : timeout) * (long)json_array_size(items) + PATIENCE_SECONDS, e) < 0)
		return -1;
	return print_stopped(items, e);
}
