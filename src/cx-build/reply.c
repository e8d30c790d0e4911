#include "reply.h"
#include "hint.h"
#include "step.h"
#include "trace.h"
#include <ctype.h>
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <string.h>
#include <strings.h>

#define REPLY_LINE_MAX ((size_t)16 << 20)

struct reply {
	struct talk *t;
	const char *id;
	struct steps *steps;
	struct step *now; /* the classic builder's step */
	int now_cached;
	struct cx_buf line; /* of the reply */
	struct cx_buf stream; /* a line of the classic builder */
	char *error;
	int broken;
};

struct reply *
reply_new(struct talk *t, const char *id)
{
	struct reply *r = cx_alloc(sizeof(*r));

	r->t = t;
	r->id = id;
	r->steps = steps_new(t, id);
	return r;
}

void
reply_free(struct reply *r)
{
	if (!r)
		return;
	steps_free(r->steps);
	cx_buf_free(&r->line);
	cx_buf_free(&r->stream);
	free(r->error);
	free(r);
}

static void
on_vertex(void *arg, const struct trace_vertex *v)
{
	struct reply *r = arg;
	struct step *st = steps_get(r->steps, v->digest.p, v->digest.n);

	if (!st)
		return;
	step_name(r->steps, st, v->name.p, v->name.n);
	if (v->started)
		step_start(r->steps, st);
	if (!v->completed)
		return;
	/* What another step's failure cancelled is no cause. */
	if (v->error.p && !memmem(v->error.p, v->error.n, "context canceled", 16))
		step_fail(r->steps, st);
	else if (!v->error.p)
		step_done(r->steps, st, v->cached);
}

static void
on_status(void *arg, const struct trace_status *s)
{
	struct reply *r = arg;
	struct step *st = steps_get(r->steps, s->vertex.p, s->vertex.n);
	CX_FREE char *text = cx_strndup(s->id.p ? s->id.p : "", s->id.n < 200 ? s->id.n : 200);

	if (st && !s->completed)
		step_progress(r->steps, st, text, s->current, s->total);
}

static void
on_log(void *arg, const struct trace_log *l)
{
	struct reply *r = arg;
	struct step *st = steps_get(r->steps, l->vertex.p, l->vertex.n);

	if (st)
		step_output(r->steps, st, l->text.p, l->text.n);
}

static int
take_trace(struct reply *r, const char *base64)
{
	static const struct trace_ops ops = {on_vertex, on_status, on_log};
	CX_FREE char *p = cx_strdup(base64);
	long n = trace_base64(p, strlen(p));
	struct cx_err ignore;

	return n < 0 ? -1 : trace_decode(p, (size_t)n, &ops, r, &ignore);
}

static void
end_classic(struct reply *r)
{
	if (r->now)
		step_done(r->steps, r->now, r->now_cached);
	r->now = NULL;
	r->now_cached = 0;
}

/* "Step 2/5 : RUN make" (Docker), "STEP 2/5: RUN make" (Podman) begin a step. */
static int
begins_step(struct reply *r, const char *line)
{
	const char *p = line + 5, *colon = strchr(line, ':');
	CX_FREE char *name = NULL;
	size_t n;

	if (strncasecmp(line, "step ", 5) != 0 || !colon)
		return 0;
	n = strspn(p, "0123456789/");
	if (n == 0 || !memchr(p, '/', n))
		return 0;
	end_classic(r);
	name = cx_fmt("[%.*s] %s", (int)n, p, colon + 1);
	r->now = steps_get(r->steps, name, strlen(name));
	if (r->now) {
		step_name(r->steps, r->now, name, strlen(name));
		step_start(r->steps, r->now);
	}
	return 1;
}

static int
is_chatter(const char *line)
{
	static const char *const starts[] = {
		" ---> ", "--> ", "Removing intermediate container", "Successfully ", "COMMIT "};

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (strncmp(line, starts[i], strlen(starts[i])) == 0)
			return 1;
	return *line == '\0';
}

static void
take_classic_line(struct reply *r, const char *line)
{
	if (begins_step(r, line))
		return;
	if (strstr(line, "-> Using cache"))
		r->now_cached = 1;
	if (strncmp(line, "Successfully built", 18) == 0 || strncmp(line, "COMMIT ", 7) == 0)
		end_classic(r);
	if (is_chatter(line) || !r->now)
		return;
	step_output(r->steps, r->now, line, strlen(line));
	step_output(r->steps, r->now, "\n", 1);
}

static void
take_stream(struct reply *r, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] != '\n') {
			if (s[i] && r->stream.n < 65536)
				cx_buf_addc(&r->stream, s[i]);
			continue;
		}
		if (r->stream.n)
			(void)step_plain(r->stream.p, r->stream.n);
		take_classic_line(r, cx_buf_str(&r->stream));
		cx_buf_eat(&r->stream, r->stream.n);
	}
}

static void
take_status(struct reply *r, const json_t *j, const char *status)
{
	const json_t *detail = json_object_get(j, "progressDetail");
	const char *layer = cx_json_strd(j, "id", "");
	CX_FREE char *text = cx_fmt("%s%s%s", layer, *layer ? " " : "", status);

	step_progress(r->steps, r->now, text, cx_json_int(detail, "current", 0), cx_json_int(detail, "total", 0));
}

static int
take_line(struct reply *r, const char *p, size_t n)
{
	/* Output of a step may hold NUL bytes. */
	CX_JSON json_t *j = json_loadb(p, n, JSON_ALLOW_NUL, NULL);
	const char *id = cx_json_strd(j, "id", ""), *error = cx_json_str(j, "error");
	const char *stream = cx_json_str(j, "stream"), *status = cx_json_str(j, "status");

	if (!json_is_object(j))
		return -1;
	if (error && !r->error)
		r->error = cx_strdup(error);
	else if (strcmp(id, "moby.buildkit.trace") == 0)
		return take_trace(r, cx_json_strd(j, "aux", ""));
	else if (stream)
		take_stream(r, stream, json_string_length(json_object_get(j, "stream")));
	else if (status)
		take_status(r, j, status);
	return 0;
}

int
reply_feed(void *reply, const char *p, size_t n)
{
	struct reply *r = reply;

	while (n > 0 && !r->broken) {
		const char *end = memchr(p, '\n', n);
		size_t len = end ? (size_t)(end - p) : n;

		cx_buf_add(&r->line, p, len);
		if (r->line.n > REPLY_LINE_MAX)
			r->broken = 1;
		if (end && !r->broken) {
			if (strspn(cx_buf_str(&r->line), " \t\r") < r->line.n)
				r->broken = take_line(r, r->line.p, r->line.n) < 0;
			r->line.n = 0;
		}
		p += len + (end != NULL);
		n -= len + (end != NULL);
	}
	return r->broken;
}

void
reply_upload(struct reply *r, long long done, long long total)
{
	step_progress(r->steps, NULL, "sending the source", done, total);
}

int
reply_broken(const struct reply *r)
{
	return r->broken;
}

int
reply_end(struct reply *r, struct cx_err *e)
{
	const char *command, *log, *hint;
	CX_FREE char *reason = NULL;

	if (!r->broken && r->line.n && strspn(r->line.p, " \t\r") < r->line.n)
		r->broken = take_line(r, r->line.p, r->line.n) < 0;
	r->line.n = 0;
	if (r->broken)
		return cx_err_set(e, CX_SYS, "the container engine's reply cannot be read");
	if (!r->error) {
		end_classic(r);
		return 0;
	}
	if (r->now)
		step_fail(r->steps, r->now);
	steps_cause(r->steps, &command, &log);
	reason = hint_reason(r->error);
	hint = hint_find(r->error);
	talk_fail(r->t, r->id, command, reason, hint, log);
	(void)cx_err_set(e, CX_NO, "%s: %.400s%s%.800s", r->id, command ? command : "", command ? ": " : "", reason);
	return hint ? cx_err_hint(e, "%s", hint) : -1;
}
