#include "project.h"
#include <cx/err.h>
#include <cx/own.h>
#include <cx/path.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* What of path lies below dir ("." for dir itself), or NULL. Both absolute or both relative, cleaned. */
static const char *
below(const char *dir, const char *path)
{
	size_t n = strlen(dir);

	if (strcmp(dir, ".") == 0 || strcmp(dir, "/") == 0)
		return *dir == '/' ? (path[1] ? path + 1 : ".") : path;
	if (strncmp(dir, path, n) != 0 || (path[n] && path[n] != '/'))
		return NULL;
	return path[n] ? path + n + 1 : ".";
}

char *
project_folder(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return cx_strdup(".");
	return slash == path ? cx_strdup("/") : cx_strndup(path, (size_t)(slash - path));
}

static char *
real(const char *path, struct cx_err *e)
{
	char *r = realpath(path, NULL);

	if (!r) {
		(void)cx_err_sys(e, "%s", path);
		e->cls = CX_BAD;
	}
	return r;
}

int
project_open(struct project *p, const char *app, const char *file, char **name, struct cx_err *e)
{
	CX_FREE char *folder = project_folder(file), *at = real(folder, e), *home = at ? real(app, e) : NULL;
	const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file, *in;

	*p = (struct project){.root = -1};
	if (!at || !home)
		return -1;
	in = below(home, at);
	if (in) {
		p->app = cx_strdup(".");
		*name = strcmp(in, ".") == 0 ? cx_strdup(base) : cx_fmt("%s/%s", in, base);
	} else {
		in = below(at, home);
		p->app = in ? cx_strdup(in) : NULL;
		*name = cx_strdup(base);
	}
	p->path = p->app && strcmp(p->app, ".") == 0 ? cx_steal(&home) : cx_steal(&at);
	p->root = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return p->root < 0 ? cx_err_sys(e, "open %s", p->path) : 0;
}

void
project_close(struct project *p)
{
	cx_own_close(&p->root);
	free(p->path);
	free(p->app);
}

static int
open_file(const struct project *p, const char *path, struct cx_err *e)
{
	CX_CLOSE int fd = -1;
	struct stat st;

	if (p->root < 0)
		return cx_err_set(e, CX_NO, "there is no %s", path);
	/* Neither a FIFO nor a device is waited for or woken up. */
	fd = cx_path_open(p->root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, "read", e);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return cx_err_sys(e, "%s", path);
	return S_ISREG(st.st_mode) ? cx_steal_fd(&fd) : cx_err_set(e, CX_BAD, "%s is not a regular file", path);
}

int
project_read(const struct project *p, const char *path, struct cx_buf *b, struct cx_err *e)
{
	CX_CLOSE int fd = open_file(p, path, e);

	if (fd < 0)
		return -1;
	if (cx_buf_read(b, fd, PROJECT_FILE_MAX, path, e) < 0)
		return -1;
	cx_buf_add(b, "", 0);
	return strlen(cx_buf_str(b)) == b->n ? 0 : cx_err_set(e, CX_BAD, "%s holds a NUL byte: it is no text", path);
}

int
project_has(const struct project *p, const char *path)
{
	struct cx_err e;
	CX_CLOSE int fd = open_file(p, path, &e);

	return fd >= 0;
}

char *
project_join(const struct project *p, const char *base, const char *rel)
{
	CX_FREE char *whole = NULL;
	char *clean;

	if (*rel == '/') {
		CX_FREE char *abs = cx_path_clean(rel);
		const char *in = p->path ? below(p->path, abs) : NULL;

		return in ? cx_strdup(in) : NULL;
	}
	whole = cx_fmt("%s/%s", base, rel);
	clean = cx_path_clean(whole);
	if (strcmp(clean, "..") != 0 && strncmp(clean, "../", 3) != 0)
		return clean;
	free(clean);
	return NULL;
}

char *
project_in_app(const struct project *p, const char *path)
{
	const char *in = p->app ? below(p->app, path) : NULL;

	return in ? cx_strdup(in) : NULL;
}
