/*
 * A sealed text: 8 bytes "CXSEAL1\n", 12 bytes nonce (random), the ciphertext,
 * 16 bytes tag; AES-256-GCM (NIST SP 800-38D). Header and context are
 * additional data: a sealed text opens in its own context only.
 */
#ifndef SEAL_H
#define SEAL_H

#include <cx/buf.h>
#include <stddef.h>

struct cx_err;

#define SEAL_KEY 32
#define SEAL_MAX ((size_t)4 << 20) /* of the plain text, bytes */
#define SEAL_OVERHEAD 36

int seal_close(const unsigned char key[SEAL_KEY], const char *context, const struct cx_buf *plain, struct cx_buf *out,
	struct cx_err *e);
/* CX_BAD when key, context or any byte is not what it was sealed with; out then is empty. */
int seal_open(const unsigned char key[SEAL_KEY], const char *context, const struct cx_buf *sealed, struct cx_buf *out,
	struct cx_err *e);

#endif
