/* SHA-256, over libcrypto. A failure inside libcrypto ends the program (111). */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>

struct hash;

struct hash *hash_new(void);
void hash_add(struct hash *h, const void *p, size_t n);
void hash_addf(struct hash *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Writes 64 hex digits and frees h. */
void hash_end(struct hash *h, char hex[65]);

#endif
