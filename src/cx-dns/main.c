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
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>

static const char usage[] = "usage: cx-dns\n"
			    "       cx-dns --routes dir --domain name --listen address:port --answer address\n"
			    "       [--resolver address[@port]] ...\n";

struct parent {
	struct cx_spool spool;
	const char *routes, *domain, *address, *answer;
	struct cx_net_gateway gateway;
	const char *resolvers[RESOLVERS_MAX];
	size_t n_resolvers;
	char listen[46];
	int port, udp, tcp, worker_sock;
	long uid, gid;
};

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
	p->gateway = (struct cx_net_gateway){.prog = "cx-dns",
		.address = cx_json_str(p->spool.rack, "gateway"),
		.device = cx_json_str(p->spool.rack, "bridge")};
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
	(void)inet_pton(AF_INET, p->gateway.address ? p->gateway.address : p->answer, view[VIEW_CONTAINER]);
	(void)inet_pton(AF_INET, p->address, &own[VIEW_HOST].sin_addr);
	if (p->gateway.address)
		(void)inet_pton(AF_INET, p->gateway.address, &own[VIEW_CONTAINER].sin_addr);
	for (size_t i = 0; i < p->n_resolvers; i++)
		forward_add_resolver(d, p->resolvers[i], own);
	if (answerer_init(&d->answerer) < 0)
		return cx_err_set(e, CX_SYS, "no memory for packets");
	return zone_init(&d->zone, p->domain, (const uint8_t(*)[4])view, e);
}

static int
worker(void *arg, int sock, struct cx_err *e)
{
	struct parent *p = arg;
	struct dns *d = cx_alloc(sizeof(*d));

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

static void
tick(void *arg)
{
	static const struct cx_net_port ports[2] = {{SOCK_DGRAM, 53, 'u'}, {SOCK_STREAM, 53, 't'}};
	struct parent *p = arg;

	cx_net_follow(&p->gateway, ports, p->worker_sock);
}

static int
run(struct parent *p, struct cx_err *e)
{
	pid_t pid;

	p->udp = cx_net_listen(SOCK_DGRAM, p->address, p->port, NULL, e);
	if (p->udp < 0)
		return -1;
	p->tcp = cx_net_listen(SOCK_STREAM, p->address, p->port, NULL, e);
	if (p->tcp < 0)
		return -1;
	pid = cx_net_worker("cx-dns", worker, p, &p->worker_sock, e);
	if (pid < 0)
		return -1;
	close(p->udp);
	close(p->tcp);
	return cx_net_watch(pid, tick, p);
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
