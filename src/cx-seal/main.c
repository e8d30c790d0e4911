/* cx-seal: seals a text with the rack's key for one context, and opens it in that context again. */
#include "key.h"
#include <cx/err.h>
#include <cx/own.h>
#include <cx/spool.h>
#include <cx/verb.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define CONTEXT_MAX 200

static const char usage[] = "usage: cx-seal init\n"
			    "       cx-seal seal CONTEXT < TEXT > SEALED\n"
			    "       cx-seal open CONTEXT < SEALED > TEXT\n";

static int
open_spool(struct cx_err *e)
{
	char path[4096];
	int fd;

	if (cx_spool_path(path, sizeof(path), e) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		(void)cx_err_set(e, CX_NO, "there is no rack at %s", path);
		return cx_err_hint(e, "install one with: cx install local");
	}
	return fd < 0 ? cx_err_sys(e, "open spool %s", path) : fd;
}

static int
init(int argc, char **argv, struct cx_err *e)
{
	CX_CLOSE int spool = -1;

	if (cx_options(argc, argv, NULL, 0, 0) < 0)
		return CX_USAGE;
	spool = open_spool(e);
	return spool < 0 ? -1 : key_make(spool, e);
}

static int
filter(int argc, char **argv, size_t max,
	int (*f)(const unsigned char *, const char *, const struct cx_buf *, struct cx_buf *, struct cx_err *),
	struct cx_err *e)
{
	CX_CLOSE int spool = -1;
	CX_BUF struct cx_buf in = {0}, out = {0};
	unsigned char key[SEAL_KEY];
	int r;

	if (cx_options(argc, argv, NULL, 1, 1) < 0)
		return CX_USAGE;
	if (!argv[optind][0] || strlen(argv[optind]) > CONTEXT_MAX)
		return cx_err_set(e, CX_BAD, "a context is 1 to %d bytes", CONTEXT_MAX);
	spool = open_spool(e);
	if (spool < 0 || key_load(spool, key, e) < 0)
		return -1;
	r = cx_buf_read(&in, 0, max, "standard input", e);
	if (r == 0)
		r = f(key, argv[optind], &in, &out, e);
	explicit_bzero(key, sizeof(key));
	if (r == 0)
		r = cx_write_all(1, out.p, out.n, e);
	if (in.p)
		explicit_bzero(in.p, in.n);
	if (out.p)
		explicit_bzero(out.p, out.n);
	return r;
}

static int
seal(int argc, char **argv, struct cx_err *e)
{
	return filter(argc, argv, SEAL_MAX, seal_close, e);
}

static int
unseal(int argc, char **argv, struct cx_err *e)
{
	return filter(argc, argv, SEAL_MAX + SEAL_OVERHEAD, seal_open, e);
}

static int
none(int argc, char **argv, struct cx_err *e)
{
	(void)argc;
	(void)argv;
	(void)e;
	return CX_USAGE;
}

int
main(int argc, char **argv)
{
	static const struct cx_verb verbs[] = {
		{"-", none}, {"init", init}, {"seal", seal}, {"open", unseal}, {NULL, NULL}};

	return cx_verb_main("cx-seal", usage, verbs, argc, argv);
}
