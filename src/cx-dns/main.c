/* cx-dns: options and rack.json become what the parent does. */
#include "parent.h"
#include <arpa/inet.h>
#include <cx/err.h>
#include <cx/proc.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: cx-dns [--workers n] [--metrics path]\n"
			    "       cx-dns --routes dir --domain name --listen address:port --answer address\n"
			    "       [--answer address] [--https port] [--resolver address[@port]] ...\n"
			    "       [--allow network/bits] [--workers n] [--metrics path]\n";

#define LOOPBACK "127.0.0.0/8"

static int
network(const char *text, struct network *n, struct cx_err *e)
{
	const char *slash = strchr(text, '/');
	char address[16] = "";
	struct in_addr in;
	char *end = NULL;
	long bits = slash ? strtol(slash + 1, &end, 10) : -1;

	if (slash && slash - text < (long)sizeof(address))
		(void)snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
	if (bits < 0 || bits > 32 || *end || end == slash + 1 || inet_pton(AF_INET, address, &in) != 1)
		return cx_err_set(e, CX_BAD, "\"%.60s\" is not NETWORK/BITS, for example %s", text, LOOPBACK);
	n->mask = bits ? htonl(0xffffffffU << (32 - bits)) : 0;
	n->at = in.s_addr & n->mask;
	return 0;
}

static int
answer(struct address *a, const char *text, struct cx_err *e)
{
	if (!a->has4 && inet_pton(AF_INET, text, a->v4) == 1)
		a->has4 = 1;
	else if (!a->has6 && inet_pton(AF_INET6, text, a->v6) == 1)
		a->has6 = 1;
	else
		return cx_err_set(e, CX_BAD, "\"%.60s\" is not one IPv4 address, or one IPv6 address beside it", text);
	return 0;
}

static int
number(const char *text, const char *what, long max, long *n, struct cx_err *e)
{
	char *end;

	*n = strtol(text, &end, 10);
	if (*end || end == text || *n < 1 || *n > max)
		return cx_err_set(e, CX_BAD, "%s: \"%.60s\" is not a number from 1 to %ld", what, text, max);
	return 0;
}

static int
from_rack(struct parent *p, struct cx_err *e)
{
	const json_t *rack, *ports;

	if (cx_spool_open(&p->spool, e) < 0)
		return -1;
	rack = p->spool.rack;
	ports = json_object_get(rack, "ports");
	p->routes = cx_fmt("%s/routes", p->spool.path);
	if (!p->metrics)
		p->metrics = cx_fmt("%s/run/cx-dns.metrics", p->spool.path);
	p->domain = cx_json_strd(rack, "domain", "convox");
	(void)snprintf(p->address, sizeof(p->address), "%s", cx_json_strd(rack, "address", ""));
	p->gateway = (struct cx_net_gateway){
		.prog = "cx-dns", .address = cx_json_str(rack, "gateway"), .device = cx_json_str(rack, "bridge")};
	p->port = (int)cx_json_int(ports, "dns", 53);
	p->https[VIEW_HOST] = (uint16_t)cx_json_int(ports, "https", 443);
	p->https[VIEW_CONTAINER] = 443;
	p->uid = (long)cx_json_int(rack, "uid", 65534);
	p->gid = (long)cx_json_int(rack, "gid", 65534);
	if (answer(&p->answer[VIEW_HOST], p->address, e) < 0)
		return cx_err_prefix(e, "rack.json: address");
	if (!p->gateway.address)
		return 0;
	/* The device is the bridge alone, so whoever comes from its subnet is a container of ours. */
	if (answer(&p->answer[VIEW_CONTAINER], p->gateway.address, e) < 0)
		return cx_err_prefix(e, "rack.json: gateway");
	if (network(cx_json_strd(rack, "subnet", LOOPBACK), &p->allowed[VIEW_CONTAINER], e) < 0)
		return cx_err_prefix(e, "rack.json: subnet");
	return 0;
}

struct options {
	int listen, alone;
};

static int
option(struct parent *p, struct options *given, int o, struct cx_err *e)
{
	long n;

	given->alone |= o != 'w' && o != 'm';
	switch (o) {
	case 'r':
		p->routes = optarg;
		return 0;
	case 'd':
		p->domain = optarg;
		return 0;
	case 'a':
		return answer(&p->answer[VIEW_HOST], optarg, e);
	case 's':
		if (p->n_resolvers == RESOLVERS_MAX)
			return cx_err_set(e, CX_BAD, "more than %d resolvers", RESOLVERS_MAX);
		p->resolvers[p->n_resolvers++] = optarg;
		return 0;
	case 'l':
		given->listen = 1;
		return cx_net_parse(optarg, ':', p->address, &p->port, e);
	case 't':
		if (number(optarg, "--https", 65535, &n, e) < 0)
			return -1;
		p->https[VIEW_HOST] = (uint16_t)n;
		return 0;
	case 'n':
		return network(optarg, &p->allowed[VIEW_HOST], e);
	case 'w':
		if (number(optarg, "--workers", WORKERS_MAX, &n, e) < 0)
			return -1;
		p->workers = (int)n;
		return 0;
	case 'm':
		p->metrics = optarg;
		return 0;
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
		{"https", required_argument, NULL, 't'}, {"allow", required_argument, NULL, 'n'},
		{"workers", required_argument, NULL, 'w'}, {"metrics", required_argument, NULL, 'm'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	static struct parent p = {.uid = 65534, .gid = 65534, .workers = 1};
	struct options given = {0};
	struct cx_err e;
	int st;

	if (cx_globals(&argc, argv, 0, &e) < 0 || network(LOOPBACK, &p.allowed[VIEW_HOST], &e) < 0)
		return cx_err_report(&e, "cx-dns");
	for (int o; (o = getopt_long(argc, argv, "", longs, NULL)) != -1;)
		if (option(&p, &given, o, &e) < 0)
			return cx_err_report(&e, "cx-dns");
	if (optind != argc || (given.alone && (!p.routes || !p.domain || !given.listen ||
						      (!p.answer[VIEW_HOST].has4 && !p.answer[VIEW_HOST].has6)))) {
		(void)fputs(usage, stderr);
		return CX_BAD;
	}
	if (!given.alone && from_rack(&p, &e) < 0)
		return cx_err_report(&e, "cx-dns");
	st = parent_run(&p, &e);
	return st < 0 ? cx_err_report(&e, "cx-dns") : st;
}
