#include "hash.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

struct hash {
	EVP_MD_CTX *ctx;
};

static void
must(int ok)
{
	static const char msg[] = "cx-build: SHA-256 does not work here\n";

	if (ok)
		return;
	(void)!write(2, msg, sizeof(msg) - 1);
	_exit(CX_SYS);
}

struct hash *
hash_new(void)
{
	struct hash *h = cx_alloc(sizeof(*h));

	h->ctx = EVP_MD_CTX_new();
	must(h->ctx && EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) == 1);
	return h;
}

void
hash_add(struct hash *h, const void *p, size_t n)
{
	must(EVP_DigestUpdate(h->ctx, p, n) == 1);
}

void
hash_addf(struct hash *h, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	must(n >= 0);
	hash_add(h, s, (size_t)n);
	free(s);
}

void
hash_end(struct hash *h, char hex[65])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	must(EVP_DigestFinal_ex(h->ctx, md, &n) == 1 && n == 32);
	for (unsigned i = 0; i < n; i++)
		(void)snprintf(hex + 2 * (size_t)i, 3, "%02x", md[i]);
	EVP_MD_CTX_free(h->ctx);
	free(h);
}
