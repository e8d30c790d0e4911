#include "talk.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <stdarg.h>
#include <string.h>

/* Of progress lines, bytes in a build's log. Starts and ends are always written. */
#define LOG_MAX (32LL << 20)

static void
write_log(struct talk *t, const json_t *j, int progress)
{
	CX_BUF struct cx_buf line = {0};
	CX_FREE char *text = NULL;
	struct cx_err ignore;

	if (t->log < 0 || (progress && t->written > LOG_MAX))
		return;
	text = cx_json_text(j);
	cx_buf_addf(&line, "%s\n", text);
	t->written += (long long)line.n;
	if (cx_write_all(t->log, line.p, line.n, &ignore) < 0) {
		close(t->log);
		t->log = -1;
	}
}

void
talk_event(struct talk *t, struct cx_event ev)
{
	CX_JSON json_t *j = NULL;

	ev.app = t->app;
	ev.build = t->build;
	ev.at = "build";
	j = cx_event_json(&ev, &t->seq);
	write_log(t, j, strcmp(ev.state, "progress") == 0);
	cx_display_event(t->display, j);
}

void
talk_say(struct talk *t, const char *id, const char *state, const char *fmt, ...)
{
	CX_FREE char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	talk_event(t, (struct cx_event){.id = id, .state = state, .text = text});
}

void
talk_fail(struct talk *t, const char *id, const char *text, const char *reason, const char *hint, const char *log)
{
	t->failed = 1;
	talk_event(t,
		(struct cx_event){.id = id, .state = "fail", .text = text, .reason = reason, .hint = hint, .log = log});
}
