/* Images of resources that are not there are pulled by a child each, so that no app waits for another's. */
#include "converge.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PULL_MS 600000

struct pull {
	struct pull *next;
	pid_t pid;
	int from; /* the child's reason to fail */
	char image[256];
};

static int
fetch(struct conv *c, const char *image, struct cx_err *e)
{
	struct cx_engine *en = cx_engine_open(NULL, c->spool.rack, e);
	CX_BUF struct cx_buf path = {0};
	struct cx_http_req r = {.method = "POST", .timeout_ms = PULL_MS};
	const char *slash = strrchr(image, '/'), *said;
	int rc;

	if (!en)
		return -1;
	cx_buf_adds(&path, "/images/create?fromImage=");
	cx_query(&path, image);
	if (!strchr(slash ? slash : image, ':'))
		cx_buf_adds(&path, "&tag=latest");
	rc = cx_engine_stream(en, path.p, &r, e);
	/* A failure in the stream of a 200 is {"error":...} on its last line. */
	said = rc == 0 ? strstr(cx_buf_str(&r.reply), "\"error\":\"") : NULL;
	if (said)
		rc = cx_err_set(e, CX_SYS, "%.*s", (int)strcspn(said + 9, "\""), said + 9);
	cx_buf_free(&r.reply);
	cx_engine_close(en);
	return rc;
}

static _Noreturn void
child(struct conv *c, const char *image, int to)
{
	struct cx_err e;

	close(c->lock);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
	if (fetch(c, image, &e) == 0)
		_exit(0);
	_exit(write(to, e.text, strlen(e.text)) > 0 ? 1 : 2);
}

static int
begin(struct conv *c, const char *image, struct cx_err *e)
{
	struct pull *p;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return cx_err_sys(e, "pipe");
	p = cx_alloc(sizeof(*p));
	(void)snprintf(p->image, sizeof(p->image), "%s", image);
	p->from = fds[0];
	p->pid = fork();
	if (p->pid == 0)
		child(c, image, fds[1]);
	close(fds[1]);
	if (p->pid < 0) {
		close(fds[0]);
		free(p);
		return cx_err_sys(e, "fork");
	}
	(void)fprintf(stderr, "pulling %s\n", image);
	p->next = c->pulls;
	c->pulls = p;
	c->busy = 1;
	return 0;
}

/* Takes an ended pull out of the list; 1, or -1 with what the child said. */
static int
collect(struct pull **at, int status, struct cx_err *e)
{
	struct pull *p = *at;
	char text[512];
	ssize_t n = read(p->from, text, sizeof(text) - 1);
	int good = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	text[n > 0 ? n : 0] = '\0';
	if (!good) {
		(void)cx_err_set(e, CX_SYS, "the image %s cannot be pulled: %s", p->image,
			text[0] ? text : "the pull was killed");
		(void)cx_err_hint(e, "see whether this machine reaches the registry, or load the image: docker load");
	}
	*at = p->next;
	close(p->from);
	free(p);
	return good ? 1 : -1;
}

int
pull_step(struct conv *c, const char *image, struct cx_err *e)
{
	CX_FREE char *look = cx_fmt("/images/%s/json", image);
	struct pull **p = &c->pulls;
	int status;

	while (*p && strcmp((*p)->image, image) != 0)
		p = &(*p)->next;
	if (*p) {
		c->busy = 1;
		return waitpid((*p)->pid, &status, WNOHANG) == (*p)->pid ? collect(p, status, e) : 0;
	}
	CX_JSON json_t *there = cx_engine_call(c->engine, "GET", look, NULL, e);
	if (there)
		return 1;
	return e->cls == CX_NO ? begin(c, image, e) : -1;
}
