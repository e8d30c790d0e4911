#include "watch.h"
#include "converge.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define WATCHED (IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR)

int
watch_open(struct watch *w, struct cx_err *e)
{
	w->events = w->child = -1;
	w->next_child = w->settles = 0;
	w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	return w->inotify < 0 ? cx_err_sys(e, "watch the spool") : 0;
}

static int
poke(void *arg, const char *p, size_t n)
{
	(void)p, (void)n;
	return write(*(int *)arg, "e", 1) == 1 ? 0 : -1;
}

/* The child: a byte for each piece of the stream; its end is the parent's sign to start another. */
static _Noreturn void
read_events(struct conv *c, int to)
{
	CX_FREE char *filter = cx_fmt("{\"label\":[\"convox.rack=%s\"],\"type\":[\"container\"],\"event\":[\"die\","
				      "\"start\",\"destroy\",\"oom\"]}",
		c->rack);
	struct cx_http_req r = {.method = "GET", .write = poke, .arg = &to};
	CX_BUF struct cx_buf path = {0};
	struct cx_err e;
	struct cx_engine *en;

	close(c->lock);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	en = cx_engine_open(NULL, c->spool.rack, &e);
	cx_buf_adds(&path, "/events?filters=");
	cx_query(&path, filter);
	if (en)
		(void)cx_engine_stream(en, path.p, &r, &e);
	_exit(0);
}

static void
start_child(struct watch *w, struct conv *c)
{
	int p[2];

	if (now_s() < w->next_child || pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return;
	w->next_child = now_s() + 1;
	w->child = fork();
	if (w->child == 0)
		read_events(c, p[1]);
	close(p[1]);
	w->events = p[0];
}

void
watch_refresh(struct watch *w, struct conv *c)
{
	CX_FREE char *apps = cx_fmt("%s/apps", c->spool.path);

	/* Adding a watch that is there already changes nothing. */
	(void)inotify_add_watch(w->inotify, apps, WATCHED);
	for (const struct app *a = c->apps; a; a = a->next) {
		CX_FREE char *dir = cx_fmt("%s/%s", apps, a->name), *requests = cx_fmt("%s/requests", dir);

		(void)inotify_add_watch(w->inotify, dir, WATCHED);
		(void)inotify_add_watch(w->inotify, requests, WATCHED);
	}
	if (w->child < 0)
		start_child(w, c);
}

void
watch_drain(struct watch *w)
{
	char buf[4096];
	ssize_t n;

	while (read(w->inotify, buf, sizeof(buf)) > 0)
		;
	if (w->events < 0)
		return;
	/* The engine tells that a container died before its list does: look again for a second. */
	while ((n = read(w->events, buf, sizeof(buf))) > 0)
		w->settles = now_s() + 1;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		close(w->events);
		(void)kill(w->child, SIGKILL);
		(void)waitpid(w->child, NULL, 0);
		w->events = w->child = -1;
	}
}

void
watch_close(struct watch *w)
{
	if (w->child > 0) {
		(void)kill(w->child, SIGKILL);
		(void)waitpid(w->child, NULL, 0);
	}
}
