/* cx-mint: holds the certificate authority's key; everyone else asks it. */
#include "ca.h"
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#define HOST_MAX 253

static const char usage[] = "usage: cx-mint init\n"
			    "       cx-mint leaf host\n"
			    "       cx-mint serve\n";

static int
leaf(struct ca *ca, const char *host, struct cx_err *e)
{
	CX_BUF struct cx_buf pem = {0};

	if (ca_leaf(ca, host, &pem, e) < 0)
		return -1;
	return fwrite(pem.p, 1, pem.n, stdout) == pem.n ? 0 : cx_err_sys(e, "write");
}

/* One request: a name and a newline. One answer: a length, a newline and so many bytes of PEM; or "!", a reason, a
 * newline. */
static int
answer(struct ca *ca, int fd, const char *host, struct cx_err *e)
{
	CX_BUF struct cx_buf pem = {0}, out = {0};
	struct cx_err no;

	if (ca_leaf(ca, host, &pem, &no) < 0)
		cx_buf_addf(&out, "!%.200s\n", no.text);
	else
		cx_buf_addf(&out, "%zu\n%s", pem.n, pem.p);
	return cx_write_all(fd, out.p, out.n, e);
}

static int
serve(struct ca *ca, int fd, struct cx_err *e)
{
	char host[HOST_MAX + 2];
	size_t n = 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (;;) {
		ssize_t r = read(fd, host + n, 1);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return cx_err_sys(e, "read a request");
		if (r == 0)
			return 0;
		if (host[n] == '\n') {
			host[n] = '\0';
			if (answer(ca, fd, host, e) < 0)
				return -1;
			n = 0;
		} else if (host[n] == '\0' || ++n > HOST_MAX) {
			return cx_err_set(e, CX_BAD, "the peer does not speak the protocol of cx-mint");
		}
	}
}

static int
run(int argc, char **argv, struct cx_err *e)
{
	static struct cx_spool s; /* live as long as the process */
	static struct ca *ca;
	int rc;

	if (cx_spool_open(&s, e) < 0)
		return -1;
	if (strcmp(argv[1], "init") == 0 && argc == 2)
		return ca_init(&s, e);
	ca = ca_open(&s, e);
	if (!ca)
		return -1;
	rc = strcmp(argv[1], "leaf") == 0 ? leaf(ca, argv[2], e) : serve(ca, 3, e);
	ca_free(ca);
	cx_spool_close(&s);
	return rc;
}

int
main(int argc, char **argv)
{
	struct cx_err e;
	int known;

	if (cx_globals(&argc, argv, 0, &e) < 0)
		return cx_err_report(&e, "cx-mint");
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return fputs(usage, stdout) < 0;
	known = (argc == 2 && (strcmp(argv[1], "init") == 0 || strcmp(argv[1], "serve") == 0)) ||
		(argc == 3 && strcmp(argv[1], "leaf") == 0);
	if (!known) {
		(void)fputs(usage, stderr);
		return CX_BAD;
	}
	if (run(argc, argv, &e) < 0 || cx_out_close(&e) < 0)
		return cx_err_report(&e, "cx-mint");
	return 0;
}
