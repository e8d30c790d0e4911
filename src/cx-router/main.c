/*
 * cx-router. The parent may: it binds, opens the log, starts cx-mint, watches
 * for the bridge. The worker talks to the network: it runs as an unprivileged
 * user and holds no authority's key.
 */
#include "admin.h"
#include "metrics.h"
#include "parent.h"
#include <cx/err.h>
#include <cx/net.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/spool.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static const char usage[] = "usage: cx-router\n"
			    "       cx-router --routes dir [--listen address:port --cert file] [--plain address:port]\n"
			    "       [--http address:port] [--https-port port] [--log file] [--log-format json|alb]\n"
			    "       [--metrics path|address:port] [--workers n]\n"
			    "       cx-router top [--interval seconds] [--metrics path|address:port]\n";

static int
bind_text(struct parent *p, const char *text, enum how how, struct cx_err *e)
{
	char address[46];
	int port;

	if (cx_net_parse(text, ':', address, &port, e) < 0)
		return -1;
	if (how == TLS)
		p->https_port = port;
	return parent_bind(p, address, port, how, e);
}

static int
set_workers(struct parent *p, long long n, struct cx_err *e)
{
	if (n < 1 || n > WORKERS_MAX)
		return cx_err_set(e, CX_BAD, "workers: 1 to %d", WORKERS_MAX);
	p->workers_n = (size_t)n;
	return 0;
}

/* Everything from rack.json. */
static int
from_rack(struct parent *p, struct cx_err *e)
{
	const json_t *ports;
	const char *address;

	if (cx_spool_open(&p->spool, e) < 0)
		return -1;
	ports = json_object_get(p->spool.rack, "ports");
	address = cx_json_strd(p->spool.rack, "address", "");
	p->https_port = (int)cx_json_int(ports, "https", 443);
	if (!p->workers_n && json_object_get(p->spool.rack, "workers") &&
		set_workers(p, cx_json_int(p->spool.rack, "workers", 0), e) < 0)
		return -1;
	p->uid = (long)cx_json_int(p->spool.rack, "uid", 65534);
	p->gid = (long)cx_json_int(p->spool.rack, "gid", 65534);
	p->gateway = (struct cx_net_gateway){.prog = "cx-router",
		.address = cx_json_str(p->spool.rack, "gateway"),
		.device = cx_json_str(p->spool.rack, "bridge")};
	p->routes = cx_fmt("%s/routes", p->spool.path);
	p->log_file = cx_fmt("%s/log/access.log", p->spool.path);
	if (p->metrics_n < METRICS_MAX)
		p->metrics_at[p->metrics_n++] = cx_fmt("%s/run/router.sock", p->spool.path);
	if (cx_spool_mkdir(p->spool.dir, "log", 0700, e) < 0 || cx_spool_mkdir(p->spool.dir, "run", 0711, e) < 0)
		return -1;
	return parent_bind(p, address, p->https_port, TLS, e) < 0
		       ? -1
		       : parent_bind(p, address, (int)cx_json_int(ports, "http", 80), REDIRECT, e);
}

static int
watch_routes(struct router *r, struct cx_err *e)
{
	r->routes = (struct source){ROUTES, inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
	if (r->routes.fd < 0 || inotify_add_watch(r->routes.fd, r->routes_dir,
					IN_MOVED_TO | IN_DELETE | IN_CLOSE_WRITE | IN_ONLYDIR) < 0)
		return cx_err_sys(e, "watch the routes");
	return 0;
}

static int
worker(struct parent *p, int sock, struct cx_err *e)
{
	struct rlimit files = {65536, 65536}, now;
	struct router r = {.routes_dir = ".",
		.domain = p->spool.rack ? cx_json_strd(p->spool.rack, "domain", "convox") : "",
		.https_port = p->https_port,
		.metrics = p->metrics,
		.tickets = p->tickets,
		.number = p->number,
		.workers = (int)p->workers_n,
		.ppid = getppid(),
		.log = log_open(p->log, p->format),
		.log_agents = p->format == LOG_ALB};

	if (getrlimit(RLIMIT_NOFILE, &now) == 0 && setrlimit(RLIMIT_NOFILE, &files) < 0) {
		files.rlim_cur = files.rlim_max = now.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	/* Two descriptors a connection, and some for the rest: accept() itself must never run out of them. */
	r.max = files.rlim_cur > 768 ? files.rlim_cur / 2 - 256 : 128;
	r.max = r.max < CONNS_MAX ? r.max : CONNS_MAX;
	r.epoll = epoll_create1(EPOLL_CLOEXEC);
	r.mint = (struct source){MINT, p->mint_sock};
	r.parent = (struct source){PARENT, sock};
	r.now = worker_clock();
	if (r.epoll < 0)
		return cx_err_sys(e, "epoll");
	/* The folder becomes the working directory: the way to it may be closed to the user that the worker becomes. */
	if (tls_open(&r, p->cert, e) < 0 || h2_open(&r, e) < 0)
		return -1;
	if (p->spool.rack)
		close(p->spool.dir);
	if (!p->routes || chdir(p->routes) < 0)
		return cx_err_sys(e, "open %s", p->routes ? p->routes : "the routes");
	if (cx_net_drop(p->uid, p->gid, e) < 0 || watch_routes(&r, e) < 0)
		return -1;
	worker_watch(&r, &r.routes, EPOLLIN);
	worker_watch(&r, &r.parent, EPOLLIN);
	if (r.mint.fd >= 0)
		worker_watch(&r, &r.mint, EPOLLIN);
	for (size_t i = 0; i < p->n; i++)
		worker_add_listener(&r, p->bound[i].fd, p->bound[i].how, p->bound[i].group, NULL);
	return worker_run(&r) ? CX_SYS : 0;
}

static int
monitor(struct parent *p, struct cx_err *e)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->bound[i].fd >= 0)
			close(p->bound[i].fd);
	if (p->log >= 0)
		close(p->log);
	if (!p->routes || chdir(p->routes) < 0)
		return cx_err_sys(e, "open %s", p->routes ? p->routes : "the routes");
	if (cx_net_drop(p->uid, p->gid, e) < 0)
		return -1;
	return admin_run(p->metrics, p->metrics_fds, p->metrics_n, e);
}

/* Beside the workers, who do not need it: when it ends, another takes its place. */
static void
keep_monitor(struct parent *p)
{
	struct cx_err e;
	sigset_t none;

	if (p->monitor > 0 && kill(p->monitor, 0) == 0)
		return;
	p->monitor = fork();
	if (p->monitor != 0)
		return;
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGTERM, SIG_DFL);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)prctl(PR_SET_NAME, "cx-router-mon");
	_exit(monitor(p, &e) < 0 ? cx_err_report(&e, "cx-router") : 0);
}

static int
open_metrics(struct parent *p, struct cx_err *e)
{
	for (size_t i = 0; i < p->metrics_n; i++) {
		p->metrics_fds[i] = admin_listen(p->metrics_at[i], e);
		if (p->metrics_fds[i] < 0)
			return -1;
	}
	return 0;
}

static int
run(struct parent *p, struct cx_err *e)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (!p->workers_n)
		p->workers_n = cpus < 1 ? 1 : cpus < WORKERS_DEFAULT ? (size_t)cpus : WORKERS_DEFAULT;
	p->metrics = metrics_make();
	if (open_metrics(p, e) < 0 || parent_open_log(p, e) < 0)
		return -1;
	return parent_run(p, worker, keep_monitor, e);
}

static int
option(struct parent *p, int o, struct cx_err *e)
{
	switch (o) {
	case 'r':
		p->routes = optarg;
		return 0;
	case 'c':
		p->cert = optarg;
		return 0;
	case 'g':
		p->log_file = optarg;
		return 0;
	case 's':
		p->https_port = atoi(optarg);
		return 0;
	case 'f':
		if (strcmp(optarg, "json") != 0 && strcmp(optarg, "alb") != 0)
			return cx_err_set(e, CX_BAD, "--log-format is json or alb");
		p->format = optarg[0] == 'a' ? LOG_ALB : LOG_JSON;
		return 0;
	case 'm':
		if (p->metrics_n == METRICS_MAX)
			return cx_err_set(e, CX_BAD, "--metrics stands more than %d times", METRICS_MAX);
		p->metrics_at[p->metrics_n++] = optarg;
		return 0;
	case 'w':
		return set_workers(p, atoi(optarg), e);
	case 'l':
		return bind_text(p, optarg, TLS, e);
	case 'p':
		return bind_text(p, optarg, PLAIN, e);
	case 't':
		return bind_text(p, optarg, REDIRECT, e);
	default:
		(void)fputs(usage, o == 'h' ? stdout : stderr);
		exit(o == 'h' ? 0 : CX_BAD);
	}
}

static int
has_tls(const struct parent *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->bound[i].how == TLS)
			return 1;
	return 0;
}

/* As it was: getopt and the global options take it apart. */
static char **
copy_argv(int argc, char **argv)
{
	char **copy = cx_alloc((size_t)(argc + 1) * sizeof(*copy));

	for (int i = 0; i < argc; i++)
		copy[i] = argv[i];
	return copy;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {{"routes", required_argument, NULL, 'r'},
		{"listen", required_argument, NULL, 'l'}, {"cert", required_argument, NULL, 'c'},
		{"plain", required_argument, NULL, 'p'}, {"http", required_argument, NULL, 't'},
		{"log-format", required_argument, NULL, 'f'}, {"metrics", required_argument, NULL, 'm'},
		{"https-port", required_argument, NULL, 's'}, {"log", required_argument, NULL, 'g'},
		{"workers", required_argument, NULL, 'w'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	static struct parent p = {.https_port = 443, .uid = 65534, .gid = 65534};
	struct cx_err e;
	int st;

	p.argv = copy_argv(argc, argv);
	parent_inherit(&p);
	if (cx_globals(&argc, argv, 0, &e) < 0)
		return cx_err_report(&e, "cx-router");
	if (argc > 1 && strcmp(argv[1], "top") == 0)
		return top_main(argc - 1, argv + 1, usage);
	for (int o; (o = getopt_long(argc, argv, "", longs, NULL)) != -1;)
		if (option(&p, o, &e) < 0)
			return cx_err_report(&e, "cx-router");
	if (optind != argc || (p.n && !p.routes) || (p.routes && !p.n) || !p.cert != !has_tls(&p)) {
		(void)fputs(usage, stderr);
		return CX_BAD;
	}
	if (!p.routes && from_rack(&p, &e) < 0)
		return cx_err_report(&e, "cx-router");
	st = run(&p, &e);
	return st < 0 ? cx_err_report(&e, "cx-router") : st;
}
