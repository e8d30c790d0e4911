/* cx-supervise: starts the rack's daemons, starts them again when they end, and stops them. */
#include "daemon.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/spool.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

#define DAEMONS_MAX 8
#define READY_SECONDS 30
#define STOP_SECONDS 12.0

static const char usage[] = "usage: cx-supervise [-d] [--daemons name,...]\n";

struct super {
	struct cx_spool spool;
	struct daemon d[DAEMONS_MAX];
	size_t n;
	int signals, told; /* told: the starter of a -d was told that all are ready */
	int tell; /* where to tell it; -1: nobody waits */
	char started[32];
	int stopping;
};

static void
publish(struct super *s)
{
	CX_JSON json_t *list = json_array(), *j = NULL;
	struct cx_err e;

	for (size_t i = 0; i < s->n; i++)
		(void)json_array_append_new(list, daemon_json(&s->d[i]));
	j = json_pack("{s:i,s:i,s:s,s:O}", "v", 1, "pid", (int)getpid(), "started", s->started, "daemons", list);
	if (cx_spool_publish_json(s->spool.dir, "run/supervise.json", j, 0644, &e) < 0)
		(void)cx_err_report(&e, "cx-supervise");
}

/* Whether pid is the very process that a former supervisor started: same start time, and a program of ours. */
static int
is_leftover(pid_t pid, unsigned long long birth)
{
	CX_FREE char *path = cx_fmt("/proc/%ld/stat", (long)pid);
	CX_FCLOSE FILE *f = pid > 1 ? fopen(path, "re") : NULL;
	char comm[32] = "", state = 'Z'; /* a zombie holds nothing */

	return f && fscanf(f, "%*d (%31[^)]) %c", comm, &state) == 2 && state != 'Z' && strncmp(comm, "cx-", 3) == 0 &&
	       birth && daemon_birth(pid) == birth;
}

/* Daemons that outlived a supervisor that was killed: they hold ports and locks. */
static void
end_leftovers(struct super *s)
{
	struct timespec nap = {.tv_nsec = 50000000};
	struct cx_err e;
	CX_JSON json_t *j = cx_json_load(s->spool.dir, "run/supervise.json", &e);
	size_t i;
	json_t *d;

	json_array_foreach (json_object_get(j, "daemons"), i, d) {
		pid_t pid = (pid_t)cx_json_int(d, "pid", 0);
		unsigned long long birth = strtoull(cx_json_strd(d, "birth", "0"), NULL, 10);

		for (int tries = 0; is_leftover(pid, birth) && tries < 240; tries++) {
			if (tries % 20 == 0)
				(void)kill(pid, tries < 100 ? SIGTERM : SIGKILL);
			(void)nanosleep(&nap, NULL);
		}
	}
}

static struct daemon *
by_pid(struct super *s, pid_t pid)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->d[i].pid == pid)
			return &s->d[i];
	return NULL;
}

static int
reap(struct super *s)
{
	int st, changed = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &st, WNOHANG)) > 0) {
		struct daemon *d = by_pid(s, pid);

		if (!d)
			continue;
		daemon_ended(d, st);
		if (s->stopping)
			d->phase = STOPPED;
		changed = 1;
	}
	return changed;
}

/* Tells the one who started us with -d: "ok", or why not. */
static void
tell(struct super *s, const char *text)
{
	if (s->tell < 0)
		return;
	(void)!write(s->tell, text, strlen(text));
	close(s->tell);
	s->tell = -1;
}

static void
tell_when_ready(struct super *s)
{
	CX_BUF struct cx_buf why = {0};
	size_t up = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct daemon *d = &s->d[i];

		up += d->phase == UP;
		if (d->phase == FAILED || (d->phase == BACKOFF && d->restarts >= 3))
			cx_buf_addf(
				&why, "%s%s: %s", why.n ? "; " : "", d->name, d->last[0] ? d->last : "ended at once");
	}
	if (up == s->n)
		tell(s, "ok");
	else if (why.n)
		tell(s, why.p);
}

static void
start_due(struct super *s, int *changed)
{
	for (size_t i = 0; i < s->n; i++) {
		struct daemon *d = &s->d[i];

		if (d->phase != UP && d->phase != STARTING && daemon_now() >= d->next) {
			daemon_start(d);
			*changed = 1;
		}
	}
}

/* Milliseconds until a daemon is due; -1: none is. */
static int
next_due(const struct super *s)
{
	double best = -1, now = daemon_now();

	for (size_t i = 0; i < s->n; i++)
		if ((s->d[i].phase == BACKOFF || s->d[i].phase == FAILED) && (best < 0 || s->d[i].next < best))
			best = s->d[i].next;
	return best < 0 ? -1 : best <= now ? 0 : (int)((best - now) * 1000) + 1;
}

static void
wait_for_news(struct super *s, int ms, int *changed)
{
	struct pollfd p[1 + 2 * DAEMONS_MAX] = {{.fd = s->signals, .events = POLLIN}};
	size_t n = 1;

	for (size_t i = 0; i < s->n; i++) {
		p[n++] = (struct pollfd){.fd = s->d[i].out, .events = POLLIN};
		p[n++] = (struct pollfd){.fd = s->d[i].ready, .events = POLLIN};
	}
	(void)poll(p, n, ms);
	for (size_t i = 0; i < s->n; i++) {
		daemon_read(&s->d[i]);
		*changed |= daemon_check_ready(&s->d[i]);
	}
}

/* SIGHUP: one after another, the next when this one is ready again (or has had its time). */
static void
restart_all(struct super *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct daemon *d = &s->d[i];
		double end = daemon_now() + STOP_SECONDS;
		int changed = 0;

		if (d->pid > 0)
			(void)kill(d->pid, SIGTERM);
		while (d->pid > 0 && daemon_now() < end) {
			wait_for_news(s, 50, &changed);
			(void)reap(s);
		}
		d->next = 0;
		d->delay = 0.2;
		start_due(s, &changed);
		for (end = daemon_now() + STOP_SECONDS; d->phase == STARTING && daemon_now() < end;) {
			wait_for_news(s, 50, &changed);
			(void)reap(s);
		}
		publish(s);
	}
}

static void
stop_all(struct super *s)
{
	double end;
	int changed = 0;

	s->stopping = 1;
	for (size_t i = s->n; i-- > 0;) {
		struct daemon *d = &s->d[i];

		if (d->pid > 0)
			(void)kill(d->pid, SIGTERM);
		for (end = daemon_now() + STOP_SECONDS; d->pid > 0;) {
			wait_for_news(s, 50, &changed);
			(void)reap(s);
			if (d->pid > 0 && daemon_now() > end)
				(void)kill(d->pid, SIGKILL);
		}
		d->phase = STOPPED;
	}
	publish(s);
}

/* 1: go on; 0: stop. */
static int
take_signals(struct super *s, int *changed)
{
	struct signalfd_siginfo si;

	while (read(s->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			*changed |= reap(s);
		else if (si.ssi_signo == SIGHUP)
			restart_all(s);
		else
			return 0;
	}
	return 1;
}

static int
loop(struct super *s)
{
	double end = daemon_now() + READY_SECONDS;
	int changed = 1;

	for (;;) {
		int ms;

		start_due(s, &changed);
		if (changed)
			publish(s);
		changed = 0;
		tell_when_ready(s);
		ms = next_due(s);
		if (s->tell >= 0 && daemon_now() > end)
			tell(s, "not all daemons became ready in time; cx rack status says which");
		if (s->tell >= 0 && (ms < 0 || ms > 200))
			ms = 200;
		wait_for_news(s, ms, &changed);
		if (!take_signals(s, &changed))
			break;
		changed |= reap(s);
	}
	stop_all(s);
	return 0;
}

static int
block_signals(struct cx_err *e)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? cx_err_sys(e, "watch for signals") : fd;
}

/* The lock was written before the fork: from here on it is this process's. */
static void
sign_lock(const struct super *s, int lock)
{
	CX_FREE char *owner = cx_fmt("pid %ld (cx-supervise) since %s\n", (long)getpid(), s->started);
	size_t n = strlen(owner);

	if (ftruncate(lock, 0) == 0)
		(void)!pwrite(lock, owner, n, 0);
}

/* In the background: a session of its own; the caller waits for what the child tells. Returns in the child only. */
static int
background(struct super *s, struct cx_err *e)
{
	char text[1024];
	int p[2], null;
	ssize_t n;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return cx_err_sys(e, "make a pipe");
	pid = fork();
	if (pid < 0)
		return cx_err_sys(e, "fork");
	if (pid > 0) {
		close(p[1]);
		n = read(p[0], text, sizeof(text) - 1);
		if (n == 2 && memcmp(text, "ok", 2) == 0)
			_exit(0);
		text[n > 0 ? n : 0] = '\0';
		(void)cx_err_set(e, CX_SYS, "the rack does not come up: %s", n > 0 ? text : "cx-supervise ended");
		return cx_err_hint(e, "cx rack status and cx rack logs show more");
	}
	close(p[0]);
	(void)setsid();
	if (chdir("/") < 0)
		_exit(CX_SYS);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	(void)dup2(null, 0);
	(void)dup2(null, 1);
	null = openat(s->spool.dir, "log/supervise.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	(void)dup2(null, 2);
	s->tell = p[1];
	return 0;
}

static int
add_daemons(struct super *s, const char *list, struct cx_err *e)
{
	for (const char *p = list; *p;) {
		size_t n = strcspn(p, ",");
		CX_FREE char *name = cx_strndup(p, n);

		if (s->n == DAEMONS_MAX || n == 0 || n > 30)
			return cx_err_set(
				e, CX_BAD, "\"%.100s\" is not a list of at most %d daemons", list, DAEMONS_MAX);
		daemon_init(&s->d[s->n++], name, s->spool.dir);
		p += n + (p[n] == ',');
	}
	return 0;
}

static int
run(const char *daemons, int back, struct cx_err *e)
{
	static struct super s = {.tell = -1};
	CX_CLOSE int lock = -1;

	if (cx_spool_open(&s.spool, e) < 0 || add_daemons(&s, daemons, e) < 0)
		return -1;
	if (setenv("CX_SPOOL", s.spool.path, 1) < 0 || cx_spool_mkdir(s.spool.dir, "run", 0755, e) < 0 ||
		cx_spool_mkdir(s.spool.dir, "log", 0755, e) < 0)
		return -1;
	/* Looked at before the fork, so that the refusal is said here; an open-file-description lock passes to the
	 * child. */
	lock = cx_lock(s.spool.dir, "run/supervise.lock", 0, "cx-supervise", e);
	if (lock < 0 || (back && background(&s, e) < 0))
		return -1;
	s.signals = block_signals(e);
	if (s.signals < 0)
		return -1;
	cx_time_now(s.started);
	sign_lock(&s, lock);
	end_leftovers(&s);
	return loop(&s);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"daemons", required_argument, NULL, 'l'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	const char *daemons = "cx-converge,cx-router,cx-dns";
	struct cx_err e;
	int back = 0;

	if (cx_globals(&argc, argv, 0, &e) < 0)
		return cx_err_report(&e, "cx-supervise");
	for (int o; (o = getopt_long(argc, argv, "d", longs, NULL)) != -1;) {
		if (o == 'd')
			back = 1;
		else if (o == 'l')
			daemons = optarg;
		else {
			(void)fputs(usage, o == 'h' ? stdout : stderr);
			return o == 'h' ? 0 : CX_BAD;
		}
	}
	if (optind != argc) {
		(void)fputs(usage, stderr);
		return CX_BAD;
	}
	if (run(daemons, back, &e) < 0)
		return cx_err_report(&e, "cx-supervise");
	return 0;
}
