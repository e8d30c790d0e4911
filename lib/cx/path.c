#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/path.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

char *
cx_path_clean(const char *p)
{
	struct cx_buf b = {0};
	int rooted = *p == '/';

	if (rooted)
		cx_buf_addc(&b, '/');
	while (*p) {
		size_t n = strcspn(p, "/");
		char *slash;

		if (n == 2 && memcmp(p, "..", 2) == 0 && (rooted || b.n) &&
			!(b.n >= 2 && strcmp(b.p + b.n - 2, "..") == 0)) {
			slash = strrchr(b.p, '/');
			b.n = slash ? (size_t)(slash - b.p) + (rooted && slash == b.p) : 0;
			b.p[b.n] = '\0';
		} else if (n > 0 && !(n == 1 && *p == '.')) {
			if (b.n && b.p[b.n - 1] != '/')
				cx_buf_addc(&b, '/');
			cx_buf_add(&b, p, n);
		}
		p += n + (p[n] == '/');
	}
	if (b.n == 0)
		cx_buf_addc(&b, '.');
	return cx_buf_take(&b);
}

int
cx_path_open(int dir, const char *path, int flags, const char *what, struct cx_err *e)
{
	struct open_how how = {
		.flags = (unsigned long long)flags | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	int fd;

	do
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN);
	if (fd >= 0)
		return fd;
	if (errno == EXDEV) {
		(void)cx_err_set(e, CX_BAD, "%s: %s lies outside of the app's folder", what, path);
		return cx_err_hint(e, "only what lies in the folder of convox.yml is read");
	}
	if (errno == ENOENT || errno == ENOTDIR) {
		(void)cx_err_sys(e, "%s: %s", what, path);
		e->cls = CX_NO;
		return -1;
	}
	return cx_err_sys(e, "%s: open %s", what, path);
}

int
cx_path_read(int dir, const char *path, size_t max, const char *what, struct cx_buf *b, struct cx_err *e)
{
	CX_CLOSE int fd = cx_path_open(dir, path, O_RDONLY | O_NONBLOCK, what, e);

	return fd < 0 ? -1 : cx_buf_read(b, fd, max, path, e);
}
