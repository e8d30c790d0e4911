#include "parent.h"
#include "ticket.h"
#include <arpa/inet.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define LOG_MAX (10L << 20)
#define TAKE "CX_ROUTER_TAKE" /* fd,how,group; ... and the pids of the old workers: p,PID; */
#define AGAIN_SECONDS 1 /* between two starts of a worker */
#define READY_SECONDS 10

static int (*work)(struct parent *p, int sock, struct cx_err *e);
static void (*tick)(struct parent *p);

void
parent_inherit(struct parent *p)
{
	const char *s = getenv(TAKE);
	int fd, how, group, pid, n = 0;

	for (; s && *s; s += n) {
		if (sscanf(s, "%d,%d,%d;%n", &fd, &how, &group, &n) == 3 && p->left_n < LISTEN_MAX) {
			(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
			p->left[p->left_n++] = (struct bound){fd, (enum how)how, (enum group)group};
		} else if (sscanf(s, "p,%d;%n", &pid, &n) == 1 && p->old_n < OLD_MAX) {
			p->old[p->old_n++] = pid;
		} else {
			break;
		}
	}
	p->upgraded = s != NULL;
	(void)unsetenv(TAKE);
}

static int
is_bound_to(int fd, const char *address, int port)
{
	struct sockaddr_in sa = {0};
	socklen_t n = sizeof(sa);
	char text[INET_ADDRSTRLEN];

	return getsockname(fd, (struct sockaddr *)&sa, &n) == 0 && ntohs(sa.sin_port) == port &&
	       inet_ntop(AF_INET, &sa.sin_addr, text, sizeof(text)) && strcmp(text, address) == 0;
}

int
parent_bind(struct parent *p, const char *address, int port, enum how how, struct cx_err *e)
{
	int fd = -1;

	if (p->n == LISTEN_MAX - 2) /* two are the gateway's */
		return cx_err_set(e, CX_BAD, "more than %d listeners", LISTEN_MAX - 2);
	for (size_t i = 0; i < p->left_n && fd < 0; i++)
		if (p->left[i].fd >= 0 && p->left[i].group == HOST && is_bound_to(p->left[i].fd, address, port))
			fd = cx_steal_fd(&p->left[i].fd);
	if (fd < 0)
		fd = cx_net_listen(SOCK_STREAM, address, port, NULL, e);
	if (fd < 0)
		return -1;
	p->bound[p->n++] = (struct bound){fd, how, HOST};
	return 0;
}

/* The gateway's sockets go on, the rest is bound no more. */
static void
settle_left(struct parent *p)
{
	for (size_t i = 0; i < p->left_n; i++) {
		if (p->left[i].fd < 0)
			continue;
		if (p->left[i].group == GATEWAY && p->gateway.device && p->n < LISTEN_MAX) {
			p->bound[p->n++] = p->left[i];
			p->gateway.index = if_nametoindex(p->gateway.device);
		} else {
			close(p->left[i].fd);
		}
	}
	p->left_n = 0;
}

int
parent_open_log(struct parent *p, struct cx_err *e)
{
	p->log = -1;
	if (p->log_file)
		p->log = open(p->log_file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	return p->log_file && p->log < 0 ? cx_err_sys(e, "open %s", p->log_file) : 0;
}

static void
pass_all(struct parent *p, char what, int fd)
{
	for (size_t i = 0; i < p->workers_n; i++)
		if (p->workers[i].pid)
			(void)cx_net_pass(p->workers[i].sock, what, fd);
}

static void
rotate_log(struct parent *p)
{
	CX_FREE char *old = NULL;
	struct stat st;
	struct cx_err e;

	if (p->log < 0 || fstat(p->log, &st) < 0 || st.st_size < LOG_MAX)
		return;
	old = cx_fmt("%s.1", p->log_file);
	(void)rename(p->log_file, old);
	close(p->log);
	if (parent_open_log(p, &e) == 0)
		pass_all(p, 'l', p->log);
}

static void
follow_gateway(struct parent *p)
{
	static const struct cx_net_port ports[2] = {{SOCK_STREAM, 443, 'g'}, {SOCK_STREAM, 80, 'G'}};
	static const enum how how[2] = {TLS, REDIRECT};
	int fd[2];

	if (!cx_net_gateway(&p->gateway, ports, fd))
		return;
	for (size_t i = 0; i < p->n;) {
		if (p->bound[i].group != GATEWAY) {
			i++;
			continue;
		}
		close(p->bound[i].fd);
		p->bound[i] = p->bound[--p->n];
	}
	for (int i = 0; i < 2 && p->n < LISTEN_MAX; i++) {
		p->bound[p->n++] = (struct bound){fd[i], how[i], GATEWAY};
		pass_all(p, ports[i].what, fd[i]);
	}
}

/* Each worker has a mint of its own: they end together. */
static int
start_mint(struct parent *p, struct cx_err *e)
{
	const char *argv[] = {"cx-mint", "serve", NULL};
	struct cx_child c = {.in = -1, .out = -1, .err = 2};
	int sock[2], rc;

	p->mint_sock = -1;
	if (!p->spool.rack)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock) < 0)
		return cx_err_sys(e, "make a socket pair");
	c.pass = sock[1];
	rc = cx_spawn(&c, argv, NULL, e);
	close(sock[1]);
	(void)fcntl(sock[0], F_SETFL, O_NONBLOCK);
	p->mint_sock = sock[0];
	if (rc < 0)
		close(sock[0]);
	return rc;
}

static _Noreturn void
be_worker(struct parent *p, int sock)
{
	struct cx_err e;
	sigset_t none;
	int st;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (size_t i = 0; i < p->workers_n; i++)
		if (p->workers[i].pid)
			close(p->workers[i].sock);
	st = work(p, sock, &e);
	_exit(st < 0 ? cx_err_report(&e, "cx-router") : st);
}

static int
start_worker(struct parent *p, struct worker *w, struct cx_err *e)
{
	int pair[2];

	w->since = worker_clock();
	if (start_mint(p, e) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return cx_err_sys(e, "make a socket pair");
	p->number = (int)(w - p->workers);
	w->pid = fork();
	if (w->pid < 0) {
		w->pid = 0;
		return cx_err_sys(e, "fork");
	}
	if (w->pid == 0) {
		close(pair[0]);
		be_worker(p, pair[1]);
	}
	close(pair[1]);
	if (p->mint_sock >= 0)
		close(p->mint_sock);
	w->sock = pair[0];
	(void)unsetenv("CX_READY_FD");
	return 0;
}

/* The new workers serve: the old ones may finish. Where they do not, the old ones stay. */
static void
relieve(struct parent *p)
{
	for (size_t i = 0; i < p->workers_n; i++) {
		struct pollfd f = {p->workers[i].sock, POLLIN, 0};
		char byte;

		if (poll(&f, 1, READY_SECONDS * 1000) != 1 || read(f.fd, &byte, 1) != 1) {
			(void)fputs("cx-router: the new workers do not come up: the old ones go on\n", stderr);
			return;
		}
	}
	for (size_t i = 0; i < p->old_n; i++)
		(void)kill(p->old[i], SIGUSR2);
}

static void
keep_open(const struct parent *p, int cloexec)
{
	for (size_t i = 0; i < p->n; i++)
		(void)fcntl(p->bound[i].fd, F_SETFD, cloexec);
}

/* The program anew, in this process: its parent, its pid and its children stay what they are. */
static void
upgrade(struct parent *p, const char *self)
{
	CX_BUF struct cx_buf take = {0};

	for (size_t i = 0; i < p->n; i++)
		cx_buf_addf(&take, "%d,%d,%d;", p->bound[i].fd, p->bound[i].how, p->bound[i].group);
	for (size_t i = 0; i < p->workers_n; i++)
		if (p->workers[i].pid)
			cx_buf_addf(&take, "p,%d;", p->workers[i].pid);
	for (size_t i = 0; i < p->old_n; i++)
		cx_buf_addf(&take, "p,%d;", p->old[i]);
	/* Its sockets are bound again by the next one. */
	if (p->monitor > 0 && kill(p->monitor, SIGTERM) == 0)
		(void)waitpid(p->monitor, NULL, 0);
	(void)setenv(TAKE, cx_buf_str(&take), 1);
	keep_open(p, 0);
	(void)execv(self, p->argv);
	(void)fprintf(stderr, "cx-router: %s: %s: this version goes on\n", self, strerror(errno));
	keep_open(p, FD_CLOEXEC);
	(void)unsetenv(TAKE);
}

static void
tell_all(const struct parent *p, int sig)
{
	for (size_t i = 0; i < p->workers_n; i++)
		if (p->workers[i].pid)
			(void)kill(p->workers[i].pid, sig);
	for (size_t i = 0; i < p->old_n; i++)
		(void)kill(p->old[i], sig);
}

/* The end: nothing new is taken, not even into a queue. */
static void
end_all(struct parent *p)
{
	while (p->n)
		close(p->bound[--p->n].fd);
	tell_all(p, SIGTERM);
}

static size_t
running(const struct parent *p)
{
	size_t n = p->old_n;

	for (size_t i = 0; i < p->workers_n; i++)
		n += p->workers[i].pid != 0;
	return n;
}

/* A child has ended. The exit status to end with when it can never work, else 0. */
static int
bury_child(struct parent *p, pid_t pid, int st, int told)
{
	for (size_t i = 0; i < p->old_n; i++)
		if (p->old[i] == pid)
			p->old[i] = p->old[--p->old_n];
	for (size_t i = 0; i < p->workers_n; i++) {
		struct worker *w = &p->workers[i];
		char byte;

		if (w->pid != pid)
			continue;
		w->pid = 0;
		/* It said that it was ready. */
		p->settled |= recv(w->sock, &byte, 1, MSG_DONTWAIT) == 1 || p->upgraded;
		close(w->sock);
		if (told)
			return 0;
		(void)fprintf(stderr, "cx-router: worker %d ended by %s %d\n", pid,
			WIFSIGNALED(st) ? "signal" : "status", WIFSIGNALED(st) ? WTERMSIG(st) : WEXITSTATUS(st));
		/* What has never worked does not get better by repetition. */
		return !p->settled && WIFEXITED(st) ? WEXITSTATUS(st) : 0;
	}
	return 0;
}

static void
start_missing(struct parent *p)
{
	struct cx_err e;

	for (size_t i = 0; i < p->workers_n; i++)
		if (!p->workers[i].pid && worker_clock() - p->workers[i].since > AGAIN_SECONDS &&
			start_worker(p, &p->workers[i], &e) < 0)
			(void)cx_err_report(&e, "cx-router");
}

static int
watch(struct parent *p, const sigset_t *set, const char *self)
{
	struct timespec second = {.tv_sec = 1};
	int told = 0, failed = 0, st;

	for (;;) {
		pid_t pid;
		int sig;

		if (!told) {
			follow_gateway(p);
			tick(p);
		}
		rotate_log(p);
		tickets_turn(p->tickets);
		sig = sigtimedwait(set, NULL, &second);
		if ((sig == SIGTERM || sig == SIGINT) && !told++)
			end_all(p);
		if (sig == SIGUSR2 && !told)
			upgrade(p, self);
		while ((pid = waitpid(-1, &st, WNOHANG)) > 0) {
			st = bury_child(p, pid, st, told);
			if (st && !told++) {
				failed = st;
				end_all(p);
			}
		}
		if (told && running(p) == 0)
			return failed;
		if (!told)
			start_missing(p);
	}
}

int
parent_run(struct parent *p, int (*run)(struct parent *p, int sock, struct cx_err *e), void (*each)(struct parent *p),
	struct cx_err *e)
{
	static char self[4096];
	sigset_t set;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return cx_err_sys(e, "read /proc/self/exe");
	work = run;
	tick = each;
	p->tickets = tickets_make();
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGUSR2);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	settle_left(p);
	for (size_t i = 0; i < p->workers_n; i++)
		if (start_worker(p, &p->workers[i], e) < 0)
			return -1;
	if (p->upgraded)
		relieve(p);
	return watch(p, &set, self);
}
