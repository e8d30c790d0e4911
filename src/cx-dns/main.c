/*
 * cx-dns: answers for the rack's domain by UDP. Binds, drops its rights, then
 * reads routes and answers.
 */
#include "answer.h"
#include <arpa/inet.h>
#include <cx/err.h>
#include <cx/proc.h>
#include <cx/spool.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char usage[] = "usage: cx-dns\n";

static int
listen_udp(const char *address, int port, const char *device, struct cx_err *e)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &sin.sin_addr) != 1)
		return cx_err_set(e, CX_BAD, "\"%s\" is no address", address);
	if ((device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)) < 0) ||
		bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0) {
		(void)cx_err_sys(e, "listen on %s:%d", address, port);
		close(fd);
		return -1;
	}
	return fd;
}

static int
drop(const json_t *rack, struct cx_err *e)
{
	gid_t gid = (gid_t)cx_json_int(rack, "gid", 65534);
	uid_t uid = (uid_t)cx_json_int(rack, "uid", 65534);

	if (getuid() == 0 && (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0))
		return cx_err_sys(e, "drop to uid %u", (unsigned)uid);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? cx_err_sys(e, "set no_new_privs") : 0;
}

static void
serve(struct answerer *a, const struct zone *z, enum view view, int fd)
{
	static uint8_t in[4096], out[KNOT_WIRE_MAX_PKTSIZE];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct query q = {0};
	ssize_t n;
	size_t m;

	while ((n = recvfrom(fd, in, sizeof(in), 0, (struct sockaddr *)&from, &len)) >= 0) {
		enum verdict v = answer(a, z, view, in, (size_t)n, out, sizeof(out), &m, &q);

		if (v == ANSWER_FORWARD) {
			m = answer_error(in, &q, KNOT_RCODE_SERVFAIL, 0, out);
			v = ANSWER_SEND;
		}
		if (v == ANSWER_SEND)
			(void)sendto(fd, out, m, 0, (struct sockaddr *)&from, len);
		len = sizeof(from);
	}
}

static int
run(struct cx_err *e)
{
	static struct answerer a;
	static struct zone z;
	struct cx_spool s;
	uint8_t view[VIEWS][4] = {{0}};
	char buf[16384];
	int dir, watch, fd[VIEWS] = {-1, -1};

	if (cx_spool_open(&s, e) < 0)
		return -1;
	const char *address = cx_json_strd(s.rack, "address", ""), *gateway = cx_json_strd(s.rack, "gateway", "");
	const char *bridge = cx_json_strd(s.rack, "bridge", "");
	dir = openat(s.dir, "routes", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	(void)snprintf(buf, sizeof(buf), "%s/routes", s.path);
	if (dir < 0 || watch < 0 ||
		inotify_add_watch(watch, buf, IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE) < 0)
		return cx_err_sys(e, "watch %s", buf);
	(void)inet_pton(AF_INET, address, view[VIEW_HOST]);
	(void)inet_pton(AF_INET, gateway, view[VIEW_CONTAINER]);
	fd[VIEW_HOST] = listen_udp(address, (int)cx_json_int(json_object_get(s.rack, "ports"), "dns", 53), NULL, e);
	if (fd[VIEW_HOST] < 0)
		return -1;
	if (*bridge && if_nametoindex(bridge))
		fd[VIEW_CONTAINER] = listen_udp(gateway, 53, bridge, e);
	if (zone_init(&z, cx_json_strd(s.rack, "domain", ""), (const uint8_t(*)[4])view, e) < 0 || drop(s.rack, e) < 0)
		return -1;
	if (answerer_init(&a) < 0)
		return cx_err_set(e, CX_SYS, "no memory for packets");
	zone_load_all(&z, dir);
	cx_ready();
	for (;;) {
		struct pollfd p[3] = {{fd[0], POLLIN, 0}, {fd[1], POLLIN, 0}, {watch, POLLIN, 0}};

		if (poll(p, 3, -1) < 0)
			return cx_err_sys(e, "poll");
		if (p[2].revents && read(watch, buf, sizeof(buf)) > 0)
			zone_load_all(&z, dir);
		for (int i = 0; i < VIEWS; i++)
			if (p[i].revents)
				serve(&a, &z, (enum view)i, fd[i]);
	}
}

int
main(int argc, char **argv)
{
	struct cx_err e = {0};

	if (cx_globals(&argc, argv, 0, &e) < 0)
		return cx_err_report(&e, "cx-dns");
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		(void)fputs(usage, stdout);
		return 0;
	}
	if (argc != 1) {
		(void)fputs(usage, stderr);
		return CX_BAD;
	}
	(void)run(&e);
	return cx_err_report(&e, "cx-dns");
}
