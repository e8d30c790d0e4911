#include "seal.h"
#include <cx/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define HEADER 8
#define NONCE 12
#define TAG 16

static const unsigned char header[HEADER] = {'C', 'X', 'S', 'E', 'A', 'L', '1', '\n'};

static void
free_ctx(EVP_CIPHER_CTX **c)
{
	EVP_CIPHER_CTX_free(*c);
}

/* Key, nonce and additional data, ready for the text. */
static EVP_CIPHER_CTX *
begin(int encrypt, const unsigned char *key, const unsigned char *nonce, const char *context)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n;

	if (c && EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, encrypt) == 1 &&
		EVP_CipherUpdate(c, NULL, &n, header, HEADER) == 1 &&
		EVP_CipherUpdate(c, NULL, &n, (const unsigned char *)context, (int)strlen(context)) == 1)
		return c;
	EVP_CIPHER_CTX_free(c);
	return NULL;
}

int
seal_close(const unsigned char key[SEAL_KEY], const char *context, const struct cx_buf *plain, struct cx_buf *out,
	struct cx_err *e)
{
	unsigned char *p = (unsigned char *)cx_buf_room(out, plain->n + SEAL_OVERHEAD), *text = p + HEADER + NONCE;
	__attribute__((cleanup(free_ctx))) EVP_CIPHER_CTX *c = NULL;
	int n = 0, rest;

	memcpy(p, header, HEADER);
	if (RAND_bytes(p + HEADER, NONCE) != 1)
		return cx_err_set(e, CX_SYS, "no random numbers");
	c = begin(1, key, p + HEADER, context);
	if (!c || EVP_CipherUpdate(c, text, &n, (const unsigned char *)cx_buf_str(plain), (int)plain->n) != 1 ||
		EVP_CipherFinal_ex(c, text + n, &rest) != 1 ||
		EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, text + plain->n) != 1)
		return cx_err_set(e, CX_SYS, "AES-256-GCM failed");
	out->n += plain->n + SEAL_OVERHEAD;
	return 0;
}

int
seal_open(const unsigned char key[SEAL_KEY], const char *context, const struct cx_buf *sealed, struct cx_buf *out,
	struct cx_err *e)
{
	unsigned char *p = (unsigned char *)sealed->p, *to;
	size_t len = sealed->n - SEAL_OVERHEAD;
	__attribute__((cleanup(free_ctx))) EVP_CIPHER_CTX *c = NULL;
	int n = 0, rest;

	if (sealed->n < HEADER || memcmp(p, header, HEADER - 2) != 0)
		return cx_err_set(e, CX_BAD, "standard input is not a sealed text");
	if (memcmp(p, header, HEADER) != 0) {
		(void)cx_err_set(e, CX_BAD, "standard input was sealed by another version of cx-seal");
		return cx_err_hint(e, "this one knows version 1");
	}
	if (sealed->n < SEAL_OVERHEAD)
		return cx_err_set(e, CX_BAD, "the sealed text is cut off");
	c = begin(0, key, p + HEADER, context);
	to = (unsigned char *)cx_buf_room(out, len);
	if (!c || EVP_CipherUpdate(c, to, &n, p + HEADER + NONCE, (int)len) != 1 ||
		EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, p + sealed->n - TAG) != 1)
		return cx_err_set(e, CX_SYS, "AES-256-GCM failed");
	if (EVP_CipherFinal_ex(c, to + n, &rest) != 1) {
		explicit_bzero(to, len);
		(void)cx_err_set(e, CX_BAD, "cannot open the sealed text as %s", context);
		return cx_err_hint(e, "it was changed, or sealed with another key or for another context");
	}
	out->n += len;
	out->p[out->n] = '\0';
	return 0;
}
