#include "daemon.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/spool.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define LOG_MAX (5L << 20)
#define DELAY_FIRST 0.2
#define DELAY_MAX 30.0
#define DELAY_PERMANENT 60.0 /* after exit 100: trying again cannot help, but a person may have mended it */
#define STEADY 60.0 /* up for so long: the next restart is quick again */

double
daemon_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
set_phase(struct daemon *d, enum phase p)
{
	d->phase = p;
	d->since = daemon_now();
	cx_time_now(d->since_text);
}

void
daemon_init(struct daemon *d, const char *name, int spool_dir)
{
	memset(d, 0, sizeof(*d));
	(void)snprintf(d->name, sizeof(d->name), "%s", name);
	d->log = spool_dir;
	d->out = d->ready = d->pid = d->exit = -1;
	d->delay = DELAY_FIRST;
	set_phase(d, STOPPED);
}

unsigned long long
daemon_birth(pid_t pid)
{
	CX_FREE char *path = cx_fmt("/proc/%ld/stat", (long)pid);
	CX_FCLOSE FILE *f = fopen(path, "re");
	char text[1024];
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	const char *p;

	text[n] = '\0';
	p = strrchr(text, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p + 1, NULL, 10) : 0;
}

void
daemon_log(struct daemon *d, const char *line, size_t n)
{
	const char *name = strncmp(d->name, "cx-", 3) == 0 ? d->name + 3 : d->name;
	CX_FREE char *file = cx_fmt("log/%s.log", name), *old = cx_fmt("log/%s.log.1", name);
	CX_BUF struct cx_buf b = {0};
	struct stat st;
	struct cx_err e;
	char now[32];

	cx_time_now(now);
	cx_buf_addf(&b, "%s %.*s", now, (int)n, line);
	if (fstatat(d->log, file, &st, 0) == 0 && st.st_size > LOG_MAX)
		(void)renameat(d->log, file, d->log, old);
	(void)cx_spool_append(d->log, file, b.p, &e);
	(void)snprintf(d->last, sizeof(d->last), "%.*s", (int)n, line);
}

static void
start_failed(struct daemon *d, const struct cx_err *e)
{
	daemon_log(d, e->text, strlen(e->text));
	d->next = daemon_now() + DELAY_PERMANENT;
	set_phase(d, FAILED);
}

void
daemon_start(struct daemon *d)
{
	const char *argv[] = {d->name, NULL}, *env[] = {"CX_READY_FD=3", NULL};
	struct cx_child c = {.in = -1, .err = -1};
	int out[2], ready[2];
	struct cx_err e;

	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0) {
		(void)cx_err_sys(&e, "make a pipe");
		start_failed(d, &e);
		return;
	}
	c.out = c.err = out[1];
	c.pass = ready[1];
	if (cx_spawn(&c, argv, env, &e) < 0)
		start_failed(d, &e);
	close(out[1]);
	close(ready[1]);
	if (d->phase == FAILED && c.pid <= 0) {
		close(out[0]);
		close(ready[0]);
		return;
	}
	(void)fcntl(out[0], F_SETFL, O_NONBLOCK);
	(void)fcntl(ready[0], F_SETFL, O_NONBLOCK);
	d->pid = c.pid;
	d->birth = daemon_birth(c.pid);
	d->out = out[0];
	d->ready = ready[0];
	d->n = 0;
	set_phase(d, STARTING);
}

static void
flush_line(struct daemon *d)
{
	if (d->n)
		daemon_log(d, d->line, d->n);
	d->n = 0;
}

void
daemon_read(struct daemon *d)
{
	char buf[4096];
	ssize_t n = -1;

	while (d->out >= 0 && (n = read(d->out, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] == '\n' || d->n == sizeof(d->line))
				flush_line(d);
			if (buf[i] != '\n')
				d->line[d->n++] = buf[i];
		}
	}
	if (d->out >= 0 && n == 0) {
		flush_line(d);
		close(d->out);
		d->out = -1;
	}
}

int
daemon_check_ready(struct daemon *d)
{
	char c;
	ssize_t n = d->ready < 0 ? -1 : read(d->ready, &c, 1);

	if (d->ready < 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return 0;
	close(d->ready);
	d->ready = -1;
	if (n != 1 || d->phase != STARTING)
		return 0;
	set_phase(d, UP);
	return 1;
}

void
daemon_ended(struct daemon *d, int status)
{
	double lived = daemon_now() - d->since;

	daemon_read(d);
	flush_line(d);
	cx_own_close(&d->out);
	cx_own_close(&d->ready);
	d->out = d->ready = -1;
	d->pid = -1;
	d->exit = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (d->phase == UP && lived > STEADY)
		d->delay = DELAY_FIRST;
	d->restarts++;
	if (d->exit == CX_BAD) {
		d->next = daemon_now() + DELAY_PERMANENT;
		set_phase(d, FAILED);
		return;
	}
	d->next = daemon_now() + d->delay;
	d->delay = d->delay * 2 > DELAY_MAX ? DELAY_MAX : d->delay * 2;
	set_phase(d, BACKOFF);
}

json_t *
daemon_json(const struct daemon *d)
{
	static const char *const names[] = {"stopped", "starting", "up", "backoff", "failed"};
	json_t *j = json_pack("{s:s,s:s,s:s,s:i}", "name", d->name, "state", names[d->phase], "since", d->since_text,
		"restarts", (int)d->restarts);

	(void)json_object_set_new(j, "pid", d->pid > 0 ? json_integer(d->pid) : json_null());
	/* Text: a JSON number of another reader may not hold it. */
	(void)json_object_set_new(j, "birth", d->pid > 0 ? json_sprintf("%llu", d->birth) : json_null());
	(void)json_object_set_new(j, "exit", d->exit >= 0 ? json_integer(d->exit) : json_null());
	(void)json_object_set_new(j, "reason",
		d->last[0] && cx_utf8_valid(d->last, strlen(d->last)) ? json_string(d->last) : json_null());
	return j;
}
