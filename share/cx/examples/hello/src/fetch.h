/*
 * GET over verified TLS. Names are resolved by asking the server that
 * /etc/resolv.conf names: a static program cannot load glibc's NSS modules.
 * Certificate authorities come from SSL_CERT_FILE, as in every OpenSSL program.
 */
#ifndef FETCH_H
#define FETCH_H

#include <stddef.h>

int fetch_init(void);
/* Body of https://HOST[:PORT][/PATH] to text; -1 with the reason in why. */
int fetch(const char *url, char *text, size_t n, char *why, size_t why_n);

#endif
