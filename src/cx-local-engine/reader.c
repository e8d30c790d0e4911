#include "reader.h"
#include <cx/err.h>
#include <cx/own.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define TIME_MAX 40

/* A line that is being put together; the engine cuts long ones into pieces. */
struct line {
	char time[TIME_MAX];
	struct cx_buf text;
	int begun;
};

struct decoder {
	struct cx_demux demux;
	struct cx_buf piece; /* one frame; on a terminal, one line */
	struct line line[3];
	struct cx_buf out;
	int fd;
};

static void
put_line(struct decoder *d, int stream)
{
	struct line *l = &d->line[stream];

	cx_buf_addf(&d->out, "%s %d ", l->time, stream);
	cx_buf_add(&d->out, l->text.p, l->text.n);
	cx_buf_addc(&d->out, '\n');
	l->text.n = 0;
	l->begun = 0;
}

/* TIME TEXT[\n], one message of the engine. */
static void
put_piece(struct decoder *d, int stream)
{
	struct line *l = &d->line[stream];
	const char *p = cx_buf_str(&d->piece), *end = p + d->piece.n;
	const char *space = memchr(p, ' ', d->piece.n < TIME_MAX ? d->piece.n : TIME_MAX - 1);

	if (!space)
		return;
	if (!l->begun)
		(void)snprintf(l->time, sizeof(l->time), "%.*s", (int)(space - p), p);
	for (p = space + 1; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		l->begun = 1;
		cx_buf_add(&l->text, p, (size_t)((nl ? nl : end) - p));
		if (nl || l->text.n > LINE_MAX_BYTES)
			put_line(d, stream);
		p = nl ? nl + 1 : end;
	}
}

static int
on_frame(void *arg, int stream, const char *p, size_t n)
{
	struct decoder *d = arg;

	cx_buf_add(&d->piece, p, n);
	if (d->piece.n > 2 * LINE_MAX_BYTES)
		return 1;
	if (d->demux.left == n) { /* the frame's last bytes */
		put_piece(d, stream ? stream : 1);
		d->piece.n = 0;
	}
	return 0;
}

static int
flush_out(struct decoder *d)
{
	struct cx_err e;
	int rc = cx_write_all(d->fd, cx_buf_str(&d->out), d->out.n, &e);

	d->out.n = 0;
	return rc;
}

static int
on_framed(void *arg, const char *p, size_t n)
{
	struct decoder *d = arg;
	struct cx_err e;

	return cx_demux(&d->demux, p, n, on_frame, d, &e) != 0 || flush_out(d) < 0;
}

static int
on_terminal(void *arg, const char *p, size_t n)
{
	struct decoder *d = arg;

	for (; n; p++, n--) {
		if (*p == '\n' || d->piece.n > LINE_MAX_BYTES) {
			if (d->piece.n && d->piece.p[d->piece.n - 1] == '\r')
				d->piece.n--;
			cx_buf_addc(&d->piece, '\n');
			put_piece(d, 1);
			d->piece.n = 0;
		}
		if (*p != '\n')
			cx_buf_addc(&d->piece, *p);
	}
	return flush_out(d) < 0;
}

static int
on_event(void *arg, const char *p, size_t n)
{
	struct decoder *d = arg;

	cx_buf_add(&d->out, p, n);
	return flush_out(d) < 0;
}

static int
child_log(struct local *l, const char *id, const char *query, int fd)
{
	struct cx_err e;
	struct cx_engine *en = cx_engine_open(NULL, l->spool.rack, &e);
	CX_FREE char *inspect = cx_fmt("/containers/%s/json", id), *path = cx_fmt("/containers/%s/logs?%s", id, query);
	CX_JSON json_t *c = en ? cx_engine_call(en, "GET", inspect, NULL, &e) : NULL;
	struct decoder d = {.fd = fd};
	int tty = cx_json_true(json_object_get(c, "Config"), "Tty");
	struct cx_http_req r = {.method = "GET", .write = tty ? on_terminal : on_framed, .arg = &d};

	if (!c || cx_engine_stream(en, path, &r, &e) < 0)
		return e.cls;
	for (int i = 1; i < 3; i++)
		if (d.line[i].begun)
			put_line(&d, i);
	return flush_out(&d) < 0;
}

static int
child_events(struct local *l, const char *query, int fd)
{
	struct cx_err e;
	struct cx_engine *en = cx_engine_open(NULL, l->spool.rack, &e);
	CX_FREE char *path = cx_fmt("/events?%s", query);
	struct decoder d = {.fd = fd};
	struct cx_http_req r = {.method = "GET", .write = on_event, .arg = &d};

	return en && cx_engine_stream(en, path, &r, &e) == 0 ? 0 : CX_SYS;
}

/* id NULL: events. */
static int
start(struct reader *r, struct local *l, const char *id, const char *query, struct cx_err *e)
{
	pid_t parent = getpid();
	int p[2];

	(void)fflush(stdout);
	if (pipe2(p, O_CLOEXEC) < 0)
		return cx_err_sys(e, "make a pipe");
	r->pid = fork();
	if (r->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)signal(SIGPIPE, SIG_DFL);
		if (getppid() != parent)
			_exit(0);
		close(p[0]);
		_exit(id ? child_log(l, id, query, p[1]) : child_events(l, query, p[1]));
	}
	close(p[1]);
	if (r->pid < 0) {
		close(p[0]);
		return cx_err_sys(e, "fork");
	}
	r->fd = p[0];
	return 0;
}

int
reader_log(struct reader *r, struct local *l, const char *id, const char *since, const char *tail, int follow,
	struct cx_err *e)
{
	CX_FREE char *query = cx_fmt("stdout=1&stderr=1&timestamps=1&follow=%d&tail=%s%s%s", follow,
		tail ? tail : "all", since ? "&since=" : "", since ? since : "");

	return start(r, l, id, query, e);
}

int
reader_events(struct reader *r, struct local *l, const char *since, struct cx_err *e)
{
	CX_FREE char *rack = cx_fmt("convox.rack=%s", cx_json_strd(l->spool.rack, "name", "local"));
	CX_FREE char *app = cx_fmt("convox.app=%s", l->app), *text = NULL;
	CX_JSON json_t *filters =
		json_pack("{s:[s],s:[s],s:[s,s]}", "type", "container", "event", "start", "label", rack, app);
	CX_BUF struct cx_buf query = {0};

	text = cx_json_text(filters);
	cx_buf_addf(&query, "since=%s&filters=", since);
	cx_query(&query, text);
	return start(r, l, NULL, query.p, e);
}

void
reader_end(struct reader *r)
{
	if (r->fd < 0)
		return;
	close(r->fd);
	r->fd = -1;
	(void)kill(r->pid, SIGKILL);
	(void)waitpid(r->pid, NULL, 0);
}
