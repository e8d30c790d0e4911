#include "source.h"
#include "tar.h"
#include <cx/err.h>
#include <cx/own.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Sources above this many bytes are not kept: cx diff is not for them. */
#define SOURCE_MAX (1024LL << 20)
#define NAME "source.tar.gz"

/* The engine's connection must not stay open in the child: closing it is what ends a build. */
static void
keep_only(int a, int b, int c)
{
	int keep[] = {a, b, c}, from = 3;

	for (int i = 0; i < 3; i++) {
		int next = -1;

		for (int k = 0; k < 3; k++)
			if (keep[k] >= from && (next < 0 || keep[k] < next))
				next = keep[k];
		if (next < 0)
			break;
		if (next > from)
			(void)close_range((unsigned)from, (unsigned)next - 1, 0);
		from = next + 1;
	}
	(void)close_range((unsigned)from, ~0U, 0);
}

static _Noreturn void
child(int root, int dir, struct ignore *ig, int say, pid_t parent)
{
	struct context c = {0};
	struct cx_err e = {0};
	int rc;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(CX_SYS);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGHUP, SIG_DFL);
	keep_only(root, dir, say);
	rc = context_walk(&c, root, ig, &e);
	if (rc == 0 && c.bytes > SOURCE_MAX)
		_exit(1);
	if (rc == 0)
		rc = tar_save(&c, dir, NAME, &e);
	if (rc < 0)
		(void)!write(say, &e, sizeof(e)); /* less than PIPE_BUF: all or nothing */
	_exit(rc < 0 ? CX_SYS : 0);
}

int
source_start(struct source *s, int root, int dir, struct ignore *ig, struct cx_err *e)
{
	pid_t parent = getpid();
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return cx_err_sys(e, "make a pipe");
	s->pid = fork();
	if (s->pid == 0)
		child(root, dir, ig, p[1], parent);
	close(p[1]);
	s->said = p[0];
	if (s->pid > 0)
		return 0;
	s->pid = 0;
	close(p[0]);
	return cx_err_sys(e, "fork");
}

int
source_wait(struct source *s, const int *interrupt, struct cx_err *e)
{
	int st;

	while (waitpid(s->pid, &st, 0) < 0) {
		if (errno != EINTR)
			return cx_err_sys(e, "wait for the source archive");
		if (*interrupt)
			return cx_err_set(e, CX_SYS, "interrupted");
	}
	s->pid = 0;
	if (WIFEXITED(st) && WEXITSTATUS(st) <= 1) {
		close(s->said);
		return WEXITSTATUS(st);
	}
	if (read(s->said, e, sizeof(*e)) != (ssize_t)sizeof(*e))
		(void)cx_err_set(e, CX_SYS, "the process that packs the source was killed");
	close(s->said);
	return cx_err_prefix(e, "keep the source");
}

void
source_stop(struct source *s, int dir)
{
	if (s->pid > 0) {
		(void)kill(s->pid, SIGKILL);
		while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
			;
		close(s->said);
		s->pid = 0;
	}
	(void)unlinkat(dir, "." NAME ".new", 0);
}
