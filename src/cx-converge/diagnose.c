/* Why a container is not well, in the words of someone who looked: its exit, its sockets, its checks. */
#include "converge.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <string.h>

#define PORTS_MAX 64

struct listener {
	unsigned port;
	int loopback;
};

static json_t *
inspect(struct conv *c, const char *id)
{
	CX_FREE char *path = cx_fmt("/containers/%s/json", id);
	struct cx_err e;

	return cx_engine_call(c->engine, "GET", path, NULL, &e);
}

char *
diagnose_exit(struct conv *c, const char *id)
{
	CX_JSON json_t *j = inspect(c, id);
	const json_t *st = json_object_get(j, "State");
	const char *error = cx_json_strd(st, "Error", "");
	long long code = cx_json_int(st, "ExitCode", -1);

	if (!j)
		return cx_strdup("is gone");
	if (cx_json_true(st, "OOMKilled"))
		return cx_strdup("was killed: it used more memory than its limit");
	if (error[0])
		return cx_fmt("did not start: %s", error);
	if (code > 128 && code < 160)
		return cx_fmt("ended by signal %lld (status %lld)", code - 128, code);
	return cx_fmt("exited with status %lld", code);
}

/* Lines of /proc/PID/net/tcp{,6}: sl local:port remote:port state. State 0A listens, 01 is established. */
static int
read_sockets(long pid, const char *file, const char *want_state, long port, struct listener *l, int *n)
{
	CX_FREE char *path = cx_fmt("/proc/%ld/net/%s", pid, file);
	CX_FCLOSE FILE *f = fopen(path, "re");
	char line[512], local[40], state[4];
	unsigned lport;
	int count = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %*d: %39[0-9A-F]:%4X %*39[0-9A-F]:%*4X %3s", local, &lport, state) != 3 ||
			strcmp(state, want_state) != 0)
			continue;
		if (port && lport != (unsigned)port)
			continue;
		count++;
		if (l && *n < PORTS_MAX)
			l[(*n)++] = (struct listener){
				lport, strcmp(local, "0100007F") == 0 ||
					       strcmp(local, "00000000000000000000000001000000") == 0};
	}
	return f ? count : -1;
}

static long
pid_of(struct conv *c, const char *id)
{
	CX_JSON json_t *j = inspect(c, id);

	return (long)cx_json_int(json_object_get(j, "State"), "Pid", 0);
}

int
diagnose_connections(struct conv *c, const struct box *b)
{
	long pid = pid_of(c, b->id);
	int four, six;

	if (pid <= 0 || b->port == 0)
		return 0;
	four = read_sockets(pid, "tcp", "01", b->port, NULL, NULL);
	six = read_sockets(pid, "tcp6", "01", b->port, NULL, NULL);
	return four < 0 ? -1 : four + (six > 0 ? six : 0);
}

/* What is wrong with how a running process listens; NULL when nothing is seen. */
static char *
listening_hint(struct conv *c, const struct box *b, long port)
{
	struct listener l[PORTS_MAX];
	long pid = pid_of(c, b->id);
	int n = 0;
	CX_BUF struct cx_buf others = {0};

	if (pid <= 0 || read_sockets(pid, "tcp", "0A", 0, l, &n) < 0)
		return NULL;
	(void)read_sockets(pid, "tcp6", "0A", 0, l, &n);
	for (int i = 0; i < n; i++) {
		if (l[i].port == (unsigned)port && !l[i].loopback)
			return NULL;
		if (l[i].port == (unsigned)port)
			return cx_fmt("it listens on 127.0.0.1:%ld, where nobody outside its container can reach it: "
				      "listen on 0.0.0.0",
				port);
		/* The engine's own DNS server listens on 127.0.0.11, at a random port: loopback, and not the app's. */
		if (!l[i].loopback && !others.n)
			cx_buf_addf(&others, "%u", l[i].port);
		else if (!l[i].loopback)
			cx_buf_addf(&others, ", %u", l[i].port);
	}
	if (others.n)
		return cx_fmt("it listens on port %s, but convox.yml says port %ld", others.p, port);
	return cx_fmt(
		"nothing listens on port %ld in it yet: does it start in time, and on the port that convox.yml names?",
		port);
}

char *
diagnose_hint(const char *reason, const json_t *entry)
{
	if (strstr(reason, "No such image"))
		return cx_strdup("images of old builds are removed (keep in rack.json says how many stay): build its "
				 "source again with cx deploy");
	if (strstr(reason, "memory"))
		return cx_fmt("give it more: scale: {memory: MB} (now %lld)",
			cx_json_int(json_object_get(entry, "scale"), "memory", 0));
	if (strstr(reason, "no such file") || strstr(reason, "not found") || strstr(reason, "status 127"))
		return cx_strdup("the command, or its shell, is not in the image: check command in convox.yml and CMD "
				 "in the Dockerfile");
	if (strstr(reason, "exec format error"))
		return cx_strdup("the program was built for another kind of machine");
	return NULL;
}

void
diagnose(struct conv *c, const struct box *b, const json_t *entry, char **reason, char **hint)
{
	const json_t *port = json_object_get(entry, "port");
	long n = (long)cx_json_int(port, "port", 0);

	*hint = NULL;
	if (b->state != RUNNING) {
		*reason = diagnose_exit(c, b->id);
		*hint = diagnose_hint(*reason, entry);
		return;
	}
	*reason = cx_fmt("did not become healthy: GET %s on port %ld %s in the last of %d checks",
		cx_json_strd(json_object_get(entry, "health"), "path", "/"), n,
		b->memo->said[0] ? b->memo->said : "got no answer", b->memo->attempts);
	*hint = listening_hint(c, b, n);
}
