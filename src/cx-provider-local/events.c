/* The events of a release: replayed, and followed until the attempt that is meant has ended. */
#include "local.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/event.h>
#include <cx/follow.h>
#include <cx/own.h>
#include <string.h>

#define RACK_GRACE_S 3.0
/* How long the last event may come after state.json said the result. */
#define EVENT_GRACE_S 2.0

struct watch {
	struct local *l;
	const char *release;
	char attempt[12]; /* "" : all attempts */
};

static int
put(const char *p, size_t n, struct cx_err *e)
{
	if (fwrite(p, 1, n, stdout) != n || putchar('\n') == EOF || fflush(stdout) != 0)
		return cx_err_sys(e, "write to standard output");
	return 0;
}

static int
on_event(void *arg, const char *p, size_t n, struct cx_err *e)
{
	struct watch *w = arg;
	struct cx_err bad;
	CX_JSON json_t *ev = cx_json_parse(p, n, "an event", &bad);
	const char *state = cx_json_strd(ev, "state", "");

	/* A line cut off by a crash is no event. */
	if (!ev || (w->attempt[0] && strcmp(cx_json_strd(ev, "attempt", ""), w->attempt) != 0))
		return 0;
	if (put(p, n, e) < 0)
		return -1;
	return w->attempt[0] && strcmp(cx_json_strd(ev, "at", ""), "release") == 0 &&
	       (strcmp(state, "done") == 0 || strcmp(state, "fail") == 0);
}

/* The last event, when whoever should have written it was killed before; state.json has the result. */
static int
end_by_state(const struct watch *w, const char *state, const char *reason, struct cx_err *e)
{
	const struct cx_event ev = {.app = w->l->app,
		.release = w->release,
		.attempt = w->attempt,
		.at = "release",
		.state = state,
		.reason = reason};
	CX_JSON json_t *j = cx_event_json(&ev, NULL);
	CX_FREE char *text = cx_json_text(j);

	return put(text, strlen(text), e) < 0 ? -1 : 1;
}

static int
not_running(const struct watch *w, struct cx_err *e)
{
	(void)cx_err_set(e, CX_SYS, "the rack is not running: cx rack start");
	return cx_err_hint(e, "the promotion goes on when it runs; follow it with: cx releases logs %s -f -a %s",
		w->release, w->l->app);
}

static int
is_over(void *arg, double quiet, struct cx_err *e)
{
	struct watch *w = arg;
	CX_FREE char *path = cx_fmt("apps/%s/state.json", w->l->app);
	CX_JSON json_t *app = cx_store_app(&w->l->spool, w->l->app, e), *state = NULL;
	struct cx_err ignore;
	const char *result, *handled;

	if (!app)
		return -1;
	state = cx_json_load(w->l->spool.dir, path, &ignore);
	result = cx_json_strd(state, "result", "");
	handled = cx_json_strd(state, "attempt", "");
	if (quiet >= EVENT_GRACE_S && strcmp(handled, w->attempt) == 0 && strcmp(result, "active") == 0)
		return end_by_state(w, "done", NULL, e);
	if (quiet >= EVENT_GRACE_S && strcmp(handled, w->attempt) == 0 && strcmp(result, "failed") == 0)
		return end_by_state(w, "fail", cx_json_str(state, "reason"), e);
	if (quiet >= EVENT_GRACE_S && strcmp(cx_json_strd(app, "attempt", ""), w->attempt) != 0 &&
		strcmp(handled, w->attempt) != 0)
		return end_by_state(w, "fail", "another promotion took its place before it began", e);
	if (quiet >= RACK_GRACE_S && !cx_rack_runs(&w->l->spool))
		return not_running(w, e);
	return 0;
}

/* Which attempt to follow: the one named, or the one that is wanted now when it is this release's. */
static int
choose_attempt(struct watch *w, const char *named, struct cx_err *e)
{
	CX_JSON json_t *app = NULL;

	if (named && !cx_id_valid(named, 'T'))
		return cx_err_set(e, CX_BAD, "\"%.40s\" is not the ID of an attempt", named);
	if (named) {
		(void)snprintf(w->attempt, sizeof(w->attempt), "%s", named);
		return 1;
	}
	app = cx_store_app(&w->l->spool, w->l->app, e);
	if (!app)
		return -1;
	if (strcmp(cx_json_strd(app, "release", ""), w->release) != 0 || !cx_json_str(app, "attempt") ||
		strcmp(cx_json_strd(app, "status", ""), "promoting") != 0)
		return 0;
	(void)snprintf(w->attempt, sizeof(w->attempt), "%s", cx_json_str(app, "attempt"));
	return 1;
}

int
release_events(struct local *l, int argc, char **argv, struct cx_err *e)
{
	int follow = 0;
	const char *attempt = NULL;
	const struct cx_option options[] = {{"follow", 'f', &follow, NULL}, {"attempt", 0, NULL, &attempt}, {0}};
	struct watch w = {.l = l};
	CX_JSON json_t *r = NULL;
	CX_FREE char *folder = NULL;
	struct cx_follow f = {.dir = l->spool.dir, .file = "events", .line = on_event, .arg = &w};

	if (cx_options(argc, argv, options, 1, 1) < 0)
		return CX_USAGE;
	w.release = argv[optind];
	r = cx_store_release(&l->spool, l->app, w.release, e);
	if (!r)
		return -1;
	if (follow || attempt) {
		int chosen = choose_attempt(&w, attempt, e);

		if (chosen < 0)
			return -1;
		follow = chosen && follow;
	}
	folder = cx_fmt("apps/%s/releases/%s", l->app, w.release);
	f.folder = folder;
	f.idle = follow ? is_over : NULL;
	return cx_follow(&f, e);
}
