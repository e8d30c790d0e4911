#include "context.h"
#include "hash.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define ENTRIES_MAX 1000000
#define DEPTH_MAX 256
#define PATH_BYTES_MAX 4000
#define PIECE ((size_t)256 << 10)

/* One folder on the way down. */
struct level {
	struct level *up;
	const char *path; /* "" for the root */
	struct stat st;
	int fd, depth;
	int listed; /* it is in the context already */
	unsigned char *bits;
};

static int
interrupted(const struct context *c, struct cx_err *e)
{
	return c->cancel && *c->cancel ? cx_err_set(e, CX_SYS, "interrupted") : 0;
}

static struct item *
add_entry(struct context *c, const char *path, const struct stat *st)
{
	if (c->n == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 256;
		struct item *v = cx_alloc(cap * sizeof(*v));

		if (c->n)
			memcpy(v, c->v, c->n * sizeof(*v));
		free(c->v);
		c->v = v;
		c->cap = cap;
	}
	c->v[c->n] = (struct item){.path = cx_strdup(path), .st = *st};
	return &c->v[c->n++];
}

/* A folder that is left out comes along after all when something in it is taken back. */
static void
list_parents(struct context *c, struct level *l)
{
	if (!l->up || l->listed)
		return;
	list_parents(c, l->up);
	(void)add_entry(c, l->path, &l->st);
	l->listed = 1;
}

static int
add_link(
	struct context *c, struct level *l, const char *name, const char *path, const struct stat *st, struct cx_err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(l->fd, name, target, sizeof(target) - 1);

	if (n < 0)
		return cx_err_sys(e, "read link %s", path);
	target[n] = '\0';
	add_entry(c, path, st)->link = cx_strdup(target);
	return 0;
}

static int walk(struct context *c, struct level *l, struct ignore *ig, struct cx_err *e);

static int
walk_folder(struct context *c, struct level *l, const char *name, const char *path, const struct stat *st, int out,
	const unsigned char *bits, struct ignore *ig, struct cx_err *e)
{
	struct level down = {.up = l, .path = path, .st = *st, .depth = l->depth + 1, .bits = (unsigned char *)bits};
	int r;

	if (out && !ignore_descend(ig, path))
		return 0;
	if (down.depth > DEPTH_MAX)
		return cx_err_set(e, CX_BAD, "%.200s...: folders are nested more than %d deep", path, DEPTH_MAX);
	if (!out)
		list_parents(c, &down);
	down.fd = openat(l->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (down.fd < 0 && errno == ENOENT)
		return 0;
	if (down.fd < 0)
		return cx_err_sys(e, "open folder %s", path);
	r = walk(c, &down, ig, e);
	close(down.fd);
	return r;
}

static int
walk_name(struct context *c, struct level *l, const char *name, struct ignore *ig, struct cx_err *e)
{
	CX_FREE char *path = *l->path ? cx_fmt("%s/%s", l->path, name) : cx_strdup(name);
	CX_FREE unsigned char *bits = cx_alloc(ignore_count(ig));
	struct stat st;
	int out;

	if (strlen(path) > PATH_BYTES_MAX)
		return cx_err_set(e, CX_BAD, "%.200s...: the path is longer than %d bytes", path, PATH_BYTES_MAX);
	if (fstatat(l->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : cx_err_sys(e, "look at %s", path);
	out = ignore_match(ig, path, l->bits, bits);
	if (S_ISDIR(st.st_mode))
		return walk_folder(c, l, name, path, &st, out, bits, ig, e);
	/* Sockets and devices mean nothing elsewhere. */
	if (out || !(S_ISREG(st.st_mode) || S_ISLNK(st.st_mode) || S_ISFIFO(st.st_mode)))
		return 0;
	list_parents(c, l);
	if (c->n >= ENTRIES_MAX)
		return cx_err_set(e, CX_BAD, "the build context has more than %d files", ENTRIES_MAX);
	if (S_ISLNK(st.st_mode))
		return add_link(c, l, name, path, &st, e);
	(void)add_entry(c, path, &st);
	if (S_ISREG(st.st_mode))
		c->bytes += st.st_size;
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted names of a folder; *n of them. */
static char **
names_of(int fd, size_t *n, struct cx_err *e)
{
	int dup = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = dup < 0 ? NULL : fdopendir(dup);
	char **v = NULL;
	size_t cap = 0;

	*n = 0;
	if (!d) {
		(void)cx_err_sys(e, "read a folder");
		cx_own_close(&dup);
		return NULL;
	}
	v = cx_alloc(sizeof(*v));
	for (struct dirent *de = readdir(d); de; de = readdir(d)) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		if (*n == cap) {
			char **more = cx_alloc((cap = cap ? cap * 2 : 32) * sizeof(*more));

			memcpy(more, v, *n * sizeof(*v));
			free(v);
			v = more;
		}
		v[(*n)++] = cx_strdup(de->d_name);
	}
	closedir(d);
	qsort(v, *n, sizeof(*v), by_name);
	return v;
}

static int
walk(struct context *c, struct level *l, struct ignore *ig, struct cx_err *e)
{
	size_t n;
	char **names = names_of(l->fd, &n, e);
	int r = names ? interrupted(c, e) : -1;

	for (size_t i = 0; names && i < n; i++) {
		if (r == 0)
			r = walk_name(c, l, names[i], ig, e);
		free(names[i]);
	}
	free(names);
	return r;
}

int
context_walk(struct context *c, int root, struct ignore *ig, struct cx_err *e)
{
	struct level top = {.path = "", .fd = root, .listed = 1};

	c->root = root;
	return walk(c, &top, ig, e);
}

void
context_free(struct context *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].path);
		free(c->v[i].link);
	}
	free(c->v);
	c->v = NULL;
	c->n = c->cap = 0;
}

static void
warn(struct context *c, const char *path, const char *what)
{
	c->changed = 1;
	if (c->warn)
		c->warn(c->arg, path, what);
}

int
context_open(struct context *c, struct item *en, struct stat *now, struct cx_err *e)
{
	CX_CLOSE int fd = openat(c->root, en->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENOTDIR)) {
		warn(c, en->path, "vanished while the build read it");
		return -2;
	}
	if (fd < 0) {
		(void)cx_err_sys(e, "open %s", en->path);
		return cx_err_hint(e, "make it readable, or list it in .dockerignore");
	}
	if (fstat(fd, now) < 0)
		return cx_err_sys(e, "look at %s", en->path);
	if (!S_ISREG(now->st_mode)) {
		warn(c, en->path, "is no longer a file");
		return -2;
	}
	if (now->st_ino != en->st.st_ino || now->st_size != en->st.st_size ||
		now->st_mtim.tv_sec != en->st.st_mtim.tv_sec || now->st_mtim.tv_nsec != en->st.st_mtim.tv_nsec)
		c->changed = 1;
	return cx_steal_fd(&fd);
}

static int
digest_file(struct context *c, struct hash *h, struct item *en, char *piece, struct cx_err *e)
{
	struct stat now;
	CX_CLOSE int fd = context_open(c, en, &now, e);
	long long got = 0;

	if (fd < 0)
		return fd == -2 ? 0 : -1;
	en->st = now;
	for (;;) {
		ssize_t n = read(fd, piece, PIECE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cx_err_sys(e, "read %s", en->path);
		if (n == 0)
			break;
		hash_add(h, piece, (size_t)n);
		got += n;
		if (interrupted(c, e) < 0)
			return -1;
	}
	hash_addf(h, "\n%lld\n", got);
	return 0;
}

int
context_digest(struct context *c, char hex[65], struct cx_err *e)
{
	CX_FREE char *piece = cx_alloc(PIECE);
	struct hash *h = hash_new();
	int r = 0;

	for (size_t i = 0; i < c->n && r == 0; i++) {
		struct item *en = &c->v[i];

		/* A symbolic link's own permissions mean nothing. */
		hash_addf(h, "%o ", (unsigned)(S_ISLNK(en->st.st_mode) ? S_IFLNK : en->st.st_mode));
		hash_add(h, en->path, strlen(en->path) + 1);
		if (en->link)
			hash_add(h, en->link, strlen(en->link) + 1);
		if (c->over && strcmp(c->over, en->path) == 0)
			hash_add(h, c->over_text, strlen(c->over_text) + 1);
		else if (S_ISREG(en->st.st_mode))
			r = digest_file(c, h, en, piece, e);
	}
	hash_end(h, hex);
	c->changed = 0;
	return r;
}
