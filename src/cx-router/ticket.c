#include "ticket.h"
#include <cx/err.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define KEYS 3 /* the present one, the one before, and the one that is being written */

struct key {
	unsigned char name[16], aes[32], mac[32];
};

struct tickets {
	struct key keys[KEYS];
	unsigned now; /* makes tickets; the one before still opens them */
	time_t since;
};

static struct tickets *shared; /* OpenSSL's callback takes no argument */

static void
fresh(struct tickets *t, unsigned i)
{
	if (RAND_bytes((unsigned char *)&t->keys[i], sizeof(t->keys[i])) != 1)
		_exit(CX_SYS);
}

struct tickets *
tickets_make(void)
{
	struct tickets *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (t == MAP_FAILED)
		_exit(CX_SYS);
	(void)madvise(t, sizeof(*t), MADV_DONTDUMP);
	for (unsigned i = 0; i < KEYS; i++)
		fresh(t, i);
	t->since = time(NULL);
	return t;
}

void
tickets_turn(struct tickets *t)
{
	unsigned next = (t->now + 1) % KEYS;

	if (time(NULL) - t->since < TICKET_SECONDS)
		return;
	/* The oldest, which nobody opens with any more, is overwritten before it becomes the present one. */
	fresh(t, next);
	__atomic_store_n(&t->now, next, __ATOMIC_RELEASE);
	t->since = time(NULL);
}

static int
set_key(const struct key *k, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->mac, sizeof(k->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};

	return EVP_MAC_CTX_set_params(mac, params) == 1 &&
	       EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->aes, iv, seal) == 1;
}

/* 0: no key, a whole handshake; 1: use it; 2: use it and make a new ticket; -1: broken. In TLS 1.3 a ticket serves once
 * (RFC 8446, C.4): who resumes needs another for the next time. */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	unsigned now = __atomic_load_n(&shared->now, __ATOMIC_ACQUIRE), before = (now + KEYS - 1) % KEYS;
	const struct key *k = &shared->keys[now];

	if (seal) {
		if (RAND_bytes(iv, 16) != 1 || !set_key(k, iv, cipher, mac, 1))
			return -1;
		memcpy(name, k->name, sizeof(k->name));
		return 1;
	}
	if (memcmp(name, k->name, sizeof(k->name)) == 0)
		return set_key(k, iv, cipher, mac, 0) ? SSL_version(ssl) >= TLS1_3_VERSION ? 2 : 1 : -1;
	k = &shared->keys[before];
	if (memcmp(name, k->name, sizeof(k->name)) == 0)
		return set_key(k, iv, cipher, mac, 0) ? 2 : -1;
	return 0;
}

int
tickets_use(SSL_CTX *ctx, struct tickets *t)
{
	shared = t;
	return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1;
}
