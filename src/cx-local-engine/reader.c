#include "reader.h"
#include "decode.h"
#include <cx/err.h>
#include <cx/own.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* What the stream's callbacks need. */
struct stream {
	struct decoder d;
	int fd;
};

static int
flush_out(struct stream *s)
{
	struct cx_err e;
	int rc = cx_write_all(s->fd, cx_buf_str(&s->d.out), s->d.out.n, &e);

	s->d.out.n = 0;
	return rc;
}

static int
on_framed(void *arg, const char *p, size_t n)
{
	struct stream *s = arg;
	struct cx_err e;

	return decode_framed(&s->d, p, n, &e) < 0 || flush_out(s) < 0;
}

static int
on_terminal(void *arg, const char *p, size_t n)
{
	struct stream *s = arg;

	decode_terminal(&s->d, p, n);
	return flush_out(s) < 0;
}

static int
on_event(void *arg, const char *p, size_t n)
{
	struct stream *s = arg;
	struct cx_err e;

	return cx_write_all(s->fd, p, n, &e) < 0;
}

static int
child_log(struct local *l, const char *id, const char *query, int fd)
{
	struct cx_err e;
	struct cx_engine *en = cx_engine_open(NULL, l->spool.rack, &e);
	CX_FREE char *inspect = cx_fmt("/containers/%s/json", id), *path = cx_fmt("/containers/%s/logs?%s", id, query);
	CX_JSON json_t *c = en ? cx_engine_call(en, "GET", inspect, NULL, &e) : NULL;
	struct stream s = {.fd = fd};
	int tty = cx_json_true(json_object_get(c, "Config"), "Tty");
	struct cx_http_req r = {.method = "GET", .write = tty ? on_terminal : on_framed, .arg = &s};

	if (!c || cx_engine_stream(en, path, &r, &e) < 0)
		return e.cls;
	decode_end(&s.d);
	return flush_out(&s) < 0;
}

static int
child_events(struct local *l, const char *query, int fd)
{
	struct cx_err e;
	struct cx_engine *en = cx_engine_open(NULL, l->spool.rack, &e);
	CX_FREE char *path = cx_fmt("/events?%s", query);
	struct stream s = {.fd = fd};
	struct cx_http_req r = {.method = "GET", .write = on_event, .arg = &s};

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
