#include <arpa/inet.h>
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/net.h>
#include <cx/own.h>
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Inode of the socket that has the port (of the address, or of all addresses) by /proc/net; 0: not seen. */
static unsigned long
holder_inode(int type, struct in_addr addr, int port)
{
	CX_FCLOSE FILE *f = fopen(type == SOCK_STREAM ? "/proc/net/tcp" : "/proc/net/udp", "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		unsigned a, p, state;
		unsigned long inode;

		if (sscanf(line, " %*d: %8X:%4X %*8X:%*4X %2X %*s %*s %*s %*d %*d %lu", &a, &p, &state, &inode) != 4)
			continue;
		if ((type != SOCK_STREAM || state == 0x0a) && p == (unsigned)port && (a == 0 || a == addr.s_addr))
			return inode;
	}
	return 0;
}

static int
has_socket(const char *pid, unsigned long inode)
{
	CX_FREE char *dir = cx_fmt("/proc/%s/fd", pid), *want = cx_fmt("socket:[%lu]", inode);
	DIR *d = opendir(dir);
	int found = 0;

	for (struct dirent *de = d ? readdir(d) : NULL; de && !found; de = readdir(d)) {
		CX_FREE char *path = cx_fmt("%s/%s", dir, de->d_name);
		char link[64];
		ssize_t n = readlink(path, link, sizeof(link) - 1);

		found = n > 0 && (size_t)n == strlen(want) && memcmp(link, want, (size_t)n) == 0;
	}
	if (d)
		closedir(d);
	return found;
}

/* "nginx (process 12)", or "another program"; owned by the caller. */
static char *
holder(int type, struct in_addr addr, int port)
{
	unsigned long inode = holder_inode(type, addr, port);
	DIR *d = inode ? opendir("/proc") : NULL;
	char *who = NULL;

	for (struct dirent *de = d ? readdir(d) : NULL; de && !who; de = readdir(d)) {
		char comm[32] = "?";

		if (de->d_name[0] < '1' || de->d_name[0] > '9' || !has_socket(de->d_name, inode))
			continue;
		CX_FREE char *path = cx_fmt("/proc/%s/comm", de->d_name);
		CX_FCLOSE FILE *f = fopen(path, "re");
		if (f && fgets(comm, sizeof(comm), f))
			comm[strcspn(comm, "\n")] = '\0';
		who = cx_fmt("%s (process %s)", comm, de->d_name);
	}
	if (d)
		closedir(d);
	return who ? who : cx_strdup("another program");
}

static int
in_use(int type, const char *address, struct in_addr addr, int port, struct cx_err *e)
{
	CX_FREE char *who = holder(type, addr, port);

	(void)cx_err_set(e, CX_SYS, "%s:%d is taken by %s", address, port, who);
	return cx_err_hint(e, "stop it, or use other ports (cx install local --https-port, --http-port, --dns-port)");
}

int
cx_net_listen(int type, const char *address, int port, const char *device, struct cx_err *e)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
	CX_CLOSE int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	if (fd < 0)
		return cx_err_sys(e, "make a socket");
	if (inet_pton(AF_INET, address, &sa.sin_addr) != 1)
		return cx_err_set(e, CX_BAD, "\"%.60s\" is not an IPv4 address", address);
	/* Of a datagram socket it would let another program share the port. */
	if (type == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)) < 0)
		return cx_err_sys(e, "bind to %s", device);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return errno == EADDRINUSE ? in_use(type, address, sa.sin_addr, port, e)
					   : cx_err_sys(e, "bind %s:%d", address, port);
	if (type == SOCK_STREAM && listen(fd, 4096) < 0)
		return errno == EADDRINUSE ? in_use(type, address, sa.sin_addr, port, e)
					   : cx_err_sys(e, "listen on %s:%d", address, port);
	return cx_steal_fd(&fd);
}

int
cx_net_parse(const char *text, char separator, char address[46], int *port, struct cx_err *e)
{
	const char *colon = strrchr(text, separator);
	char *end;
	long n = colon ? strtol(colon + 1, &end, 10) : 0;

	if (!colon || colon - text > 45 || n < 1 || n > 65535 || *end)
		return cx_err_set(e, CX_BAD, "\"%.80s\" is not ADDRESS%cPORT", text, separator);
	(void)snprintf(address, 46, "%.*s", (int)(colon - text), text);
	*port = (int)n;
	return 0;
}

int
cx_net_pass(int sock, char what, int fd)
{
	union {
		struct cmsghdr h;
		char buf[CMSG_SPACE(sizeof(int))];
	} u = {0};
	struct iovec iov = {&what, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = sizeof(u.buf)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	return sendmsg(sock, &m, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

int
cx_net_take(int sock, int *fd)
{
	char what;
	union {
		struct cmsghdr h;
		char buf[CMSG_SPACE(sizeof(int))];
	} u;
	struct iovec iov = {&what, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = sizeof(u.buf)};
	ssize_t n = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *h = n == 1 ? CMSG_FIRSTHDR(&m) : NULL;

	if (n == 0)
		return -1;
	if (!h || h->cmsg_type != SCM_RIGHTS)
		return 0;
	memcpy(fd, CMSG_DATA(h), sizeof(*fd));
	return what;
}

int
cx_net_drop(long uid, long gid, struct cx_err *e)
{
	gid_t g = (gid_t)gid;
	uid_t u = (uid_t)uid;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return cx_err_sys(e, "give up new privileges");
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(g, g, g) < 0 || setresuid(u, u, u) < 0))
		return cx_err_sys(e, "become user %ld", uid);
	/* Changing identity clears the death signal (prctl(2)). */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	return uid != 0 && setuid(0) == 0 ? cx_err_set(e, CX_SYS, "the privileges are still there") : 0;
}

static void
watched(sigset_t *set)
{
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGCHLD);
	(void)sigaddset(set, SIGTERM);
	(void)sigaddset(set, SIGINT);
}

pid_t
cx_net_worker(
	const char *prog, int (*run)(void *arg, int sock, struct cx_err *e), void *arg, int *sock, struct cx_err *e)
{
	sigset_t set, old;
	int pair[2], st;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return cx_err_sys(e, "make a socket pair");
	/* From here on signals wait for the parent's loop: one that comes now must reach the worker too. */
	watched(&set);
	(void)sigprocmask(SIG_BLOCK, &set, &old);
	(void)signal(SIGPIPE, SIG_IGN);
	pid = fork();
	if (pid < 0)
		return cx_err_sys(e, "fork");
	if (pid == 0) {
		(void)sigprocmask(SIG_SETMASK, &old, NULL);
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		close(pair[0]);
		st = run(arg, pair[1], e);
		_exit(st < 0 ? cx_err_report(e, prog) : st);
	}
	close(pair[1]);
	*sock = pair[0];
	(void)unsetenv("CX_READY_FD");
	return pid;
}

int
cx_net_gateway(struct cx_net_gateway *g, const struct cx_net_port ports[2], int fd[2])
{
	unsigned index = g->address && g->device ? if_nametoindex(g->device) : 0;
	struct cx_err e;

	fd[0] = fd[1] = -1;
	if (index == 0 || index == g->index)
		return 0;
	for (int i = 0; i < 2 && (i == 0 || fd[0] >= 0); i++)
		fd[i] = cx_net_listen(ports[i].type, g->address, ports[i].port, g->device, &e);
	if (fd[1] >= 0) {
		g->index = index;
		g->complained = 0;
		return 1;
	}
	if (!g->complained++)
		(void)cx_err_report(&e, g->prog);
	if (fd[0] >= 0)
		close(fd[0]);
	return 0;
}

void
cx_net_follow(struct cx_net_gateway *g, const struct cx_net_port ports[2], int sock)
{
	int fd[2];

	if (!cx_net_gateway(g, ports, fd))
		return;
	if (cx_net_pass(sock, ports[0].what, fd[0]) < 0 || cx_net_pass(sock, ports[1].what, fd[1]) < 0)
		g->index = 0;
	close(fd[0]);
	close(fd[1]);
}
