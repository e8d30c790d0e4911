#include "parent.h"
#include <arpa/inet.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RECEIVE_BUFFER (1 << 20) /* a burst waits instead of being lost */

static void
own_addresses(struct dns *d, const struct parent *p)
{
	d->own[VIEW_HOST].sin_port = htons((uint16_t)p->port);
	(void)inet_pton(AF_INET, p->address, &d->own[VIEW_HOST].sin_addr);
	d->own[VIEW_CONTAINER].sin_port = htons(53);
	if (p->gateway.address)
		(void)inet_pton(AF_INET, p->gateway.address, &d->own[VIEW_CONTAINER].sin_addr);
}

/* Those of now, which may be others than at the parent's start. */
static void
resolvers(struct dns *d, const struct parent *p)
{
	struct cx_err e;
	CX_JSON json_t *rack = p->spool.rack ? cx_json_load(p->spool.dir, "rack.json", &e) : NULL;
	CX_JSON json_t *list = json_array();

	if (rack) {
		worker_resolvers(d, json_object_get(rack, "resolvers"));
		return;
	}
	for (size_t i = 0; i < p->n_resolvers; i++)
		(void)json_array_append_new(list, json_string(p->resolvers[i]));
	worker_resolvers(d, list);
}

static int
prepare(struct dns *d, const struct parent *p, struct cx_err *e)
{
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	d->routes.inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	d->routes.dir = d->routes.watch = -1;
	if (d->epoll < 0 || d->routes.inotify < 0)
		return cx_err_sys(e, "epoll or inotify");
	d->workers = (unsigned)p->workers;
	d->stats = &p->stats[p->starting];
	d->all = p->stats;
	memcpy(d->answerer.secret, p->secret, sizeof(p->secret));
	memcpy(d->allowed, p->allowed, sizeof(p->allowed));
	own_addresses(d, p);
	worker_init(d);
	resolvers(d, p);
	d->routes.zone = &d->zone;
	return zone_init(&d->zone, p->domain, p->answer, p->https, e);
}

static int
worker(void *arg, int sock, struct cx_err *e)
{
	struct parent *p = arg;
	struct dns *d = cx_alloc(sizeof(*d));
	int dir;

	for (int i = 0; i < p->workers; i++)
		if (i != p->starting && p->pid[i] > 0)
			close(p->sock[i]);
	/* Opened while the way to it is surely open. */
	dir = open(p->routes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return cx_err_sys(e, "open the folder of routes");
	if (prepare(d, p, e) < 0 || cx_net_drop(p->uid, p->gid, e) < 0 || routes_open(&d->routes, dir, e) < 0)
		return -1;
	d->watch = (struct source){ROUTES, d->routes.inotify};
	d->parent = (struct source){PARENT, sock};
	d->metrics = (struct source){METRICS, p->metrics_fd};
	worker_watch(d, &d->watch, EPOLLIN);
	worker_watch(d, &d->parent, EPOLLIN);
	if (p->metrics_fd >= 0 && p->starting == 0)
		worker_watch(d, &d->metrics, EPOLLIN);
	worker_add(d, p->udp[p->starting], 0, VIEW_HOST);
	worker_add(d, p->tcp, 1, VIEW_HOST);
	d->stats->ready = 1;
	cx_ready();
	return worker_run(d);
}

static int
start(struct parent *p, int i, struct cx_err *e)
{
	if (p->pid[i] > 0)
		close(p->sock[i]);
	p->starting = i;
	p->started[i] = time(NULL);
	p->pid[i] = cx_net_worker("cx-dns", worker, p, &p->sock[i], e);
	if (i == 0)
		p->gateway.index = 0; /* its sockets went with the old one */
	return p->pid[i] < 0 ? -1 : 0;
}

static void
tell_all(const struct parent *p, char what, int fd)
{
	for (int i = 0; i < p->workers && fd >= 0; i++)
		(void)cx_net_pass(p->sock[i], what, fd);
}

static int
other(struct stat *seen, const struct stat *now)
{
	int is = seen->st_ino != now->st_ino || seen->st_dev != now->st_dev ||
		 seen->st_mtim.tv_sec != now->st_mtim.tv_sec || seen->st_mtim.tv_nsec != now->st_mtim.tv_nsec;

	*seen = *now;
	return is;
}

/* Once a second: what the workers have no right to see. */
static void
tick(struct parent *p)
{
	static const struct cx_net_port ports[2] = {{SOCK_DGRAM, 53, 'u'}, {SOCK_STREAM, 53, 't'}};
	struct stat st;

	if (stat(p->routes, &st) == 0 && (st.st_ino != p->routes_seen.st_ino || st.st_dev != p->routes_seen.st_dev)) {
		CX_CLOSE int fd = open(p->routes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0) {
			p->routes_seen = st;
			tell_all(p, 'd', fd);
		}
	}
	if (p->spool.rack && fstatat(p->spool.dir, "rack.json", &st, 0) == 0 && other(&p->rack_seen, &st)) {
		CX_CLOSE int fd = openat(p->spool.dir, "rack.json", O_RDONLY | O_CLOEXEC);

		tell_all(p, 'r', fd);
	}
	if (p->pid[0] > 0)
		cx_net_follow(&p->gateway, ports, p->sock[0]);
}

/* A socket of another worker on the same address and port: exclusive among programs, shared among ours. */
static int
one_more(const struct parent *p, struct cx_err *e)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)p->port)};
	CX_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	(void)inet_pton(AF_INET, p->address, &sa.sin_addr);
	/* On the first one only now: had it been set before bind, another program's would have been no obstacle. */
	if (fd < 0 || setsockopt(p->udp[0], SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0 ||
		bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return cx_err_sys(e, "bind %s:%d once more", p->address, p->port);
	return cx_steal_fd(&fd);
}

static int
listen_metrics(struct parent *p, struct cx_err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	CX_FREE char *base = cx_strdup(p->metrics), *way = cx_strdup(p->metrics);
	const char *name = basename(base);
	/* The path may be longer than a socket's name can be. */
	CX_CLOSE int dir = open(dirname(way), O_PATH | O_DIRECTORY | O_CLOEXEC);
	CX_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/%s", dir, name);
	struct stat st;

	if (dir < 0 || fd < 0 || n >= (int)sizeof(sa.sun_path))
		return cx_err_sys(e, "make the socket %s", p->metrics);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode))
		(void)unlinkat(dir, name, 0);
	if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 || fchmodat(dir, name, 0600, 0) < 0 ||
		listen(fd, 16) < 0)
		return cx_err_sys(e, "make the socket %s", p->metrics);
	p->metrics_fd = cx_steal_fd(&fd);
	return 0;
}

static int
bind_all(struct parent *p, struct cx_err *e)
{
	int size = RECEIVE_BUFFER;

	p->metrics_fd = -1;
	p->udp[0] = cx_net_listen(SOCK_DGRAM, p->address, p->port, NULL, e);
	if (p->udp[0] < 0)
		return -1;
	for (int i = 1; i < p->workers; i++) {
		p->udp[i] = one_more(p, e);
		if (p->udp[i] < 0)
			return -1;
	}
	for (int i = 0; i < p->workers; i++)
		if (setsockopt(p->udp[i], SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
			(void)setsockopt(p->udp[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	p->tcp = cx_net_listen(SOCK_STREAM, p->address, p->port, NULL, e);
	if (p->tcp < 0)
		return -1;
	return p->metrics ? listen_metrics(p, e) : 0;
}

/* A worker that died is started again: at once, unless it has just been. -1: it does not come up. */
static int
ended(struct parent *p, pid_t pid, int st, int *status, struct cx_err *e)
{
	for (int i = 0; i < p->workers; i++) {
		if (p->pid[i] != pid)
			continue;
		close(p->sock[i]);
		p->pid[i] = 0;
		if (!p->stats[i].ready) {
			*status = WIFEXITED(st) ? WEXITSTATUS(st) : CX_SYS;
			return -1;
		}
		(void)fprintf(stderr, "cx-dns: worker %d (process %ld) ended with %s %d; it is started again\n", i,
			(long)pid, WIFSIGNALED(st) ? "signal" : "status",
			WIFSIGNALED(st) ? WTERMSIG(st) : WEXITSTATUS(st));
		if (time(NULL) > p->started[i] + 1 && start(p, i, e) < 0)
			(void)cx_err_report(e, "cx-dns");
	}
	return 0;
}

static void
stop(const struct parent *p)
{
	for (int i = 0; i < p->workers; i++)
		if (p->pid[i] > 0)
			(void)kill(p->pid[i], SIGTERM);
	for (int i = 0; i < p->workers; i++)
		if (p->pid[i] > 0)
			(void)waitpid(p->pid[i], NULL, 0);
	if (p->metrics)
		(void)unlink(p->metrics);
}

static int
watch(struct parent *p, struct cx_err *e)
{
	struct timespec second = {.tv_sec = 1};
	int st, sig, status = 0;
	sigset_t set;
	pid_t pid;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	for (;;) {
		tick(p);
		sig = sigtimedwait(&set, NULL, &second);
		if (sig == SIGTERM || sig == SIGINT)
			break;
		while ((pid = waitpid(-1, &st, WNOHANG)) > 0)
			if (ended(p, pid, st, &status, e) < 0) {
				stop(p);
				return status;
			}
		for (int i = 0; sig < 0 && i < p->workers; i++)
			if (p->pid[i] <= 0 && start(p, i, e) < 0)
				(void)cx_err_report(e, "cx-dns");
	}
	stop(p);
	return 0;
}

int
parent_run(struct parent *p, struct cx_err *e)
{
	p->stats =
		mmap(NULL, sizeof(*p->stats) * WORKERS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p->stats == MAP_FAILED || getrandom(p->secret, sizeof(p->secret), 0) != (ssize_t)sizeof(p->secret))
		return cx_err_sys(e, "memory or random numbers");
	if (bind_all(p, e) < 0)
		return -1;
	(void)stat(p->routes, &p->routes_seen);
	if (p->spool.rack)
		(void)fstatat(p->spool.dir, "rack.json", &p->rack_seen, 0);
	for (int i = 0; i < p->workers; i++)
		if (start(p, i, e) < 0) {
			stop(p);
			return -1;
		}
	return watch(p, e);
}
