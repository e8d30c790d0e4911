/*
 * cx-dns. The parent may: it binds, and waits for the rack's bridge. The
 * worker answers, as an unprivileged user.
 */
#include "dns.h"
#include <arpa/inet.h>
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/net.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/spool.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

static const char usage[] = "usage: cx-dns\n"
			    "       cx-dns --routes dir --domain name --listen address:port --answer address\n"
			    "       [--resolver address[@port]] ...\n";

struct parent {
	struct cx_spool spool;
	const char *routes, *domain, *address, *gateway, *bridge, *answer;
	const char *resolvers[RESOLVERS_MAX];
	size_t n_resolvers;
	char listen[46];
	int port, udp, tcp, worker_sock;
	long uid, gid;
	pid_t worker;
	unsigned bridge_index;
};

static volatile sig_atomic_t ended;

static void
on_signal(int sig)
{
	(void)sig;
	ended = 1;
}

static int
from_rack(struct parent *p, struct cx_err *e)
{
	const json_t *list;
	size_t i;
	json_t *v;

	if (cx_spool_open(&p->spool, e) < 0)
		return -1;
	p->routes = cx_fmt("%s/routes", p->spool.path);
	p->domain = cx_json_strd(p->spool.rack, "domain", "convox");
	p->address = p->answer = cx_json_strd(p->spool.rack, "address", "");
	p->gateway = cx_json_str(p->spool.rack, "gateway");
	p->bridge = cx_json_str(p->spool.rack, "bridge");
	p->port = (int)cx_json_int(json_object_get(p->spool.rack, "ports"), "dns", 53);
	p->uid = (long)cx_json_int(p->spool.rack, "uid", 65534);
	p->gid = (long)cx_json_int(p->spool.rack, "gid", 65534);
	list = json_object_get(p->spool.rack, "resolvers");
	json_array_foreach ((json_t *)list, i, v)
		if (json_is_string(v) && p->n_resolvers < RESOLVERS_MAX)
			p->resolvers[p->n_resolvers++] = json_string_value(v);
	return 0;
}

static int
prepare(struct dns *d, const struct parent *p, struct cx_err *e)
{
	struct sockaddr_in own[VIEWS] = {{.sin_port = htons((uint16_t)p->port)}, {.sin_port = htons(53)}};
	uint8_t view[VIEWS][4] = {{0}};

	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	d->routes = (struct source){ROUTES, inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
	if (d->epoll < 0 || d->routes.fd < 0)
		return cx_err_sys(e, "epoll or inotify");
	if (inet_pton(AF_INET, p->answer, view[VIEW_HOST]) != 1)
		return cx_err_set(e, CX_BAD, "\"%.60s\" is not an IPv4 address", p->answer);
	(void)inet_pton(AF_INET, p->gateway ? p->gateway : p->answer, view[VIEW_CONTAINER]);
	(void)inet_pton(AF_INET, p->address, &own[VIEW_HOST].sin_addr);
	if (p->gateway)
		(void)inet_pton(AF_INET, p->gateway, &own[VIEW_CONTAINER].sin_addr);
	for (size_t i = 0; i < p->n_resolvers; i++)
		forward_add_resolver(d, p->resolvers[i], own);
	if (answerer_init(&d->answerer) < 0)
		return cx_err_set(e, CX_SYS, "no memory for packets");
	return zone_init(&d->zone, p->domain, (const uint8_t(*)[4])view, e);
}

static int
worker(struct parent *p, int sock, struct cx_err *e)
{
	struct dns *d = cx_alloc(sizeof(*d));

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* The folder becomes the working directory: the way to it may be closed to the user that we become. */
	if (!p->routes || chdir(p->routes) < 0)
		return cx_err_sys(e, "open the folder of routes");
	if (prepare(d, p, e) < 0 || cx_net_drop(p->uid, p->gid, e) < 0)
		return -1;
	d->dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dir < 0 ||
		inotify_add_watch(d->routes.fd, ".", IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE) < 0)
		return cx_err_sys(e, "watch the routes");
	zone_load_all(&d->zone, d->dir);
	d->parent = (struct source){PARENT, sock};
	worker_watch(d, &d->routes, EPOLLIN);
	worker_watch(d, &d->parent, EPOLLIN);
	worker_add(d, p->udp, 0, VIEW_HOST);
	worker_add(d, p->tcp, 1, VIEW_HOST);
	cx_ready();
	return worker_run(d);
}

static int
start_worker(struct parent *p, struct cx_err *e)
{
	int sock[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return cx_err_sys(e, "make a socket pair");
	p->worker = fork();
	if (p->worker < 0)
		return cx_err_sys(e, "fork");
	if (p->worker == 0) {
		close(sock[0]);
		_exit(worker(p, sock[1], e) < 0 ? cx_err_report(e, "cx-dns") : 0);
	}
	close(sock[1]);
	close(p->udp);
	close(p->tcp);
	p->worker_sock = sock[0];
	return 0;
}

/* The gateway's sockets, as soon as the bridge is there, and again when it was made anew. */
static void
follow_bridge(struct parent *p)
{
	unsigned index = p->bridge && p->gateway ? if_nametoindex(p->bridge) : 0;
	static int complained;
	int udp, tcp;
	struct cx_err e;

	if (index == 0 || index == p->bridge_index)
		return;
	udp = cx_net_listen(SOCK_DGRAM, p->gateway, 53, p->bridge, &e);
	tcp = udp < 0 ? -1 : cx_net_listen(SOCK_STREAM, p->gateway, 53, p->bridge, &e);
	if (tcp >= 0 && cx_net_pass(p->worker_sock, 'u', udp) == 0 && cx_net_pass(p->worker_sock, 't', tcp) == 0) {
		p->bridge_index = index;
		complained = 0;
	} else if (!complained++) {
		(void)cx_err_report(&e, "cx-dns");
	}
	if (udp >= 0)
		close(udp);
	if (tcp >= 0)
		close(tcp);
}

static int
watch_over(struct parent *p)
{
	struct timespec second = {.tv_sec = 1};
	sigset_t set;
	int st, told = 0;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	for (;;) {
		int sig;

		follow_bridge(p);
		sig = ended ? SIGTERM : sigtimedwait(&set, NULL, &second);
		if ((sig == SIGTERM || sig == SIGINT) && !told++)
			(void)kill(p->worker, SIGTERM);
		if (waitpid(p->worker, &st, told ? 0 : WNOHANG) == p->worker)
			return WIFSIGNALED(st) ? CX_SYS : WEXITSTATUS(st);
	}
}

static int
run(struct parent *p, struct cx_err *e)
{
	struct sigaction sa = {.sa_handler = on_signal};

	p->udp = cx_net_listen(SOCK_DGRAM, p->address, p->port, NULL, e);
	if (p->udp < 0)
		return -1;
	p->tcp = cx_net_listen(SOCK_STREAM, p->address, p->port, NULL, e);
	if (p->tcp < 0 || start_worker(p, e) < 0)
		return -1;
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	return watch_over(p);
}

static int
option(struct parent *p, int o, struct cx_err *e)
{
	switch (o) {
	case 'r':
		p->routes = optarg;
		return 0;
	case 'd':
		p->domain = optarg;
		return 0;
	case 'a':
		p->answer = optarg;
		return 0;
	case 's':
		if (p->n_resolvers == RESOLVERS_MAX)
			return cx_err_set(e, CX_BAD, "more than %d resolvers", RESOLVERS_MAX);
		p->resolvers[p->n_resolvers++] = optarg;
		return 0;
	case 'l':
		p->address = p->listen;
		return cx_net_parse(optarg, ':', p->listen, &p->port, e);
	default:
		(void)fputs(usage, o == 'h' ? stdout : stderr);
		exit(o == 'h' ? 0 : CX_BAD);
	}
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {{"routes", required_argument, NULL, 'r'},
		{"domain", required_argument, NULL, 'd'}, {"listen", required_argument, NULL, 'l'},
		{"answer", required_argument, NULL, 'a'}, {"resolver", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	static struct parent p = {.uid = 65534, .gid = 65534};
	struct cx_err e;
	int st;

	if (cx_globals(&argc, argv, 0, &e) < 0)
		return cx_err_report(&e, "cx-dns");
	for (int o; (o = getopt_long(argc, argv, "", longs, NULL)) != -1;)
		if (option(&p, o, &e) < 0)
			return cx_err_report(&e, "cx-dns");
	if (optind != argc || (p.routes && (!p.domain || !p.address || !p.answer)) ||
		(!p.routes && (p.domain || p.address))) {
		(void)fputs(usage, stderr);
		return CX_BAD;
	}
	if (!p.routes && from_rack(&p, &e) < 0)
		return cx_err_report(&e, "cx-dns");
	st = run(&p, &e);
	return st < 0 ? cx_err_report(&e, "cx-dns") : st;
}
