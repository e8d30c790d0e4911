#include <cx/buf.h>
#include <cx/err.h>
#include <cx/follow.h>
#include <cx/own.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>

#define LINE_MAX_BYTES ((size_t)1 << 20)
#define TICK_MS 250

static double
now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
watch(const struct cx_follow *f, struct cx_err *e)
{
	CX_CLOSE int ino = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	CX_CLOSE int folder = openat(f->dir, f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CX_FREE char *path = cx_fmt("/proc/self/fd/%d", folder);

	if (folder < 0)
		return cx_err_sys(e, "open folder %s", f->folder);
	if (ino < 0 || inotify_add_watch(ino, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF) < 0)
		return cx_err_sys(e, "watch %s", f->folder);
	return cx_steal_fd(&ino);
}

/* Hands out the whole lines of b; what is left is the beginning of the next one. */
static int
hand_out(const struct cx_follow *f, struct cx_buf *b, double *last, struct cx_err *e)
{
	size_t from = 0;
	int r = 0;

	while (r == 0 && from < b->n) {
		char *nl = memchr(b->p + from, '\n', b->n - from);

		if (!nl)
			break;
		*nl = '\0';
		r = f->line(f->arg, b->p + from, (size_t)(nl - b->p) - from, e);
		from = (size_t)(nl - b->p) + 1;
		*last = now_s();
	}
	cx_buf_eat(b, from);
	if (b->n > LINE_MAX_BYTES)
		return cx_err_set(
			e, CX_BAD, "%s/%s has a line larger than %zu bytes", f->folder, f->file, LINE_MAX_BYTES);
	return r;
}

static int
take(const struct cx_follow *f, int *fd, struct cx_buf *b, double *last, struct cx_err *e)
{
	if (*fd < 0) {
		CX_FREE char *path = cx_fmt("%s/%s", f->folder, f->file);

		*fd = openat(f->dir, path, O_RDONLY | O_CLOEXEC);
		if (*fd < 0)
			return errno == ENOENT ? 0 : cx_err_sys(e, "open %s", path);
	}
	for (;;) {
		ssize_t n = read(*fd, cx_buf_room(b, 65536), 65536);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? cx_err_sys(e, "read %s/%s", f->folder, f->file) : 0;
		b->n += (size_t)n;
		b->p[b->n] = '\0';
		r = hand_out(f, b, last, e);
		if (r != 0)
			return r;
	}
}

/* Until something changes; the events themselves do not matter, since the file is read to its end anyway. */
static int
sleep_on(int ino, struct cx_err *e)
{
	struct pollfd p[2] = {{.fd = ino, .events = POLLIN}, {.fd = 1}};
	char drop[4096];

	if (poll(p, 2, TICK_MS) < 0 && errno != EINTR)
		return cx_err_sys(e, "poll");
	while (read(ino, drop, sizeof(drop)) > 0)
		;
	if (p[1].revents & POLLERR)
		return cx_err_set(e, CX_SYS, "nobody reads standard output any more");
	return 0;
}

int
cx_follow(struct cx_follow *f, struct cx_err *e)
{
	CX_CLOSE int fd = -1, ino = f->idle ? watch(f, e) : -1;
	CX_BUF struct cx_buf b = {0};
	double last = now_s();
	int r;

	if (f->idle && ino < 0)
		return -1;
	for (;;) {
		r = take(f, &fd, &b, &last, e);
		if (r != 0 || !f->idle)
			break;
		r = f->idle(f->arg, now_s() - last, e);
		/* What was written between the last read and the end that idle saw belongs to it. */
		if (r == 1 && take(f, &fd, &b, &last, e) < 0)
			r = -1;
		if (r != 0)
			break;
		r = sleep_on(ino, e);
		if (r != 0)
			break;
	}
	return r < 0 ? -1 : 0;
}

static int
is_locked(struct cx_spool *s, const char *name)
{
	CX_CLOSE int fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC);
	struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

int
cx_rack_runs(struct cx_spool *s)
{
	struct cx_err ignore;
	CX_JSON json_t *j = NULL;
	long long pid;

	if (is_locked(s, "run/converge.lock") || is_locked(s, "run/supervise.lock"))
		return 1;
	j = cx_json_load(s->dir, "run/supervise.json", &ignore);
	pid = cx_json_int(j, "pid", 0);
	return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}
