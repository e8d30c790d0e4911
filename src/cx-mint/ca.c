#include "ca.h"
#include <cx/err.h>
#include <cx/own.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>

#define PEM_MAX ((size_t)4 << 20)

struct ca {
	EVP_PKEY *key;
	X509 *cert;
	char domain[256];
};

static int
ssl_error(struct cx_err *e, const char *what)
{
	char text[256];

	ERR_error_string_n(ERR_get_error(), text, sizeof(text));
	return cx_err_set(e, CX_SYS, "%s: %s", what, text);
}

static int
add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	int ok;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext && X509_add_ext(x, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

/* 128 random bits, positive (RFC 5280, 4.1.2.2). */
static int
set_serial(X509 *x)
{
	unsigned char raw[16];
	BIGNUM *n;
	int ok;

	if (RAND_bytes(raw, sizeof(raw)) != 1)
		return 0;
	raw[0] = (unsigned char)((raw[0] & 0x7f) | 0x40);
	n = BN_bin2bn(raw, sizeof(raw), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
	BN_free(n);
	return ok;
}

/* A certificate with everything but extensions and signature; begins an hour ago, for clocks that differ. */
static X509 *
new_cert(EVP_PKEY *key, const char *name, long days)
{
	X509 *x = X509_new();
	X509_NAME *n = X509_NAME_new();
	int ok = x && n && X509_set_version(x, 2) == 1 && set_serial(x) && X509_set_pubkey(x, key) == 1 &&
		 X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
		 X509_gmtime_adj(X509_getm_notAfter(x), days * 86400L - 7200) &&
		 X509_NAME_add_entry_by_txt(n, "O", MBSTRING_ASC, (const unsigned char *)"cx", -1, -1, 0) == 1 &&
		 X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) == 1 &&
		 X509_set_subject_name(x, n) == 1;

	X509_NAME_free(n);
	if (ok)
		return x;
	X509_free(x);
	return NULL;
}

static X509 *
make_ca(EVP_PKEY *key, const char *rack, const char *domain)
{
	CX_FREE char *name = cx_fmt("cx rack %.40s CA", rack);
	/*
	 * A subtree that is permitted shuts out the rest of its kind, and the same one excluded shuts out itself: no
	 * e-mail and no URI is left. Exclusions alone do not do it: OpenSSL reads "." and "" as no name at all.
	 */
	CX_FREE char *limits = cx_fmt("critical,permitted;DNS:%s,permitted;email:none.invalid,"
				      "permitted;URI:none.invalid,excluded;email:none.invalid,"
				      "excluded;URI:none.invalid,excluded;IP:0.0.0.0/0.0.0.0,excluded;IP:::/::",
		domain);
	X509 *x = new_cert(key, name, CA_DAYS);

	if (x && X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 &&
		add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
		add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
		add_extension(x, x, NID_ext_key_usage, "serverAuth") &&
		add_extension(x, x, NID_subject_key_identifier, "hash") &&
		add_extension(x, x, NID_name_constraints, limits) && X509_sign(x, key, EVP_sha256()) > 0)
		return x;
	X509_free(x);
	return NULL;
}

static int
put_pem(struct cx_buf *out, EVP_PKEY *key, X509 *cert)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p;
	long n = 0;
	int ok = b && (!key || PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) == 1) &&
		 (!cert || PEM_write_bio_X509(b, cert) == 1);

	if (ok)
		n = BIO_get_mem_data(b, &p);
	if (n > 0)
		cx_buf_add(out, p, (size_t)n);
	BIO_free(b);
	return ok;
}

static int
read_file(int dirfd, const char *name, struct cx_buf *b, struct cx_err *e)
{
	CX_CLOSE int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return cx_err_sys(e, "open %s", name);
	return cx_buf_read(b, fd, PEM_MAX, name, e);
}

/* What containers trust: the machine's own roots, if it has any, and this authority. */
static int
write_bundle(struct cx_spool *s, struct cx_err *e)
{
	CX_BUF struct cx_buf b = {0};
	struct cx_err ignore;

	(void)read_file(AT_FDCWD, "/etc/ssl/certs/ca-certificates.crt", &b, &ignore);
	if (read_file(s->dir, "ca/ca.crt", &b, e) < 0)
		return -1;
	return cx_spool_publish(s->dir, "ca/bundle.pem", b.p, b.n, 0644, e);
}

static int
make_both(struct cx_spool *s, struct cx_err *e)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = key ? make_ca(key, cx_json_strd(s->rack, "name", "local"), cx_json_strd(s->rack, "domain", "convox"))
		      : NULL;
	CX_BUF struct cx_buf k = {0}, c = {0};
	int ok = x && put_pem(&k, key, NULL) && put_pem(&c, NULL, x);
	int rc = ok ? 0 : ssl_error(e, "make the certificate authority");

	/* The certificate last: a key without one signed nothing yet, and is made again. */
	if (ok)
		rc = cx_spool_publish(s->dir, "ca/ca.key", k.p, k.n, 0600, e);
	if (ok && rc == 0)
		rc = cx_spool_publish(s->dir, "ca/ca.crt", c.p, c.n, 0644, e);
	OPENSSL_cleanse(k.p, k.n);
	X509_free(x);
	EVP_PKEY_free(key);
	return rc;
}

int
ca_init(struct cx_spool *s, struct cx_err *e)
{
	CX_CLOSE int lock = -1;

	if (cx_spool_mkdir(s->dir, "ca", 0755, e) < 0)
		return -1;
	/* Two at once would each write a half. */
	lock = cx_lock(s->dir, "ca/.lock", 10, "cx-mint init", e);
	if (lock < 0)
		return -1;
	/* The certificate is written last, so one that is there has its key. */
	if (faccessat(s->dir, "ca/ca.crt", F_OK, 0) < 0 && make_both(s, e) < 0)
		return -1;
	return write_bundle(s, e);
}

struct ca *
ca_open(struct cx_spool *s, struct cx_err *e)
{
	CX_BUF struct cx_buf k = {0}, c = {0};
	struct ca *ca;
	BIO *kb, *cb;

	if (read_file(s->dir, "ca/ca.key", &k, e) < 0 || read_file(s->dir, "ca/ca.crt", &c, e) < 0)
		return NULL;
	ca = cx_alloc(sizeof(*ca));
	(void)snprintf(ca->domain, sizeof(ca->domain), "%s", cx_json_strd(s->rack, "domain", "convox"));
	kb = BIO_new_mem_buf(k.p, (int)k.n);
	cb = BIO_new_mem_buf(c.p, (int)c.n);
	ca->key = PEM_read_bio_PrivateKey(kb, NULL, NULL, NULL);
	ca->cert = PEM_read_bio_X509(cb, NULL, NULL, NULL);
	BIO_free(kb);
	BIO_free(cb);
	OPENSSL_cleanse(k.p, k.n);
	if (ca->key && ca->cert && X509_check_private_key(ca->cert, ca->key) == 1)
		return ca;
	ca_free(ca);
	(void)cx_err_set(e, CX_BAD, "ca/ca.key and ca/ca.crt do not belong together");
	return NULL;
}

void
ca_free(struct ca *ca)
{
	if (!ca)
		return;
	EVP_PKEY_free(ca->key);
	X509_free(ca->cert);
	free(ca);
}

/* Lower-case labels below the domain, nothing else. */
static int
host_ok(const struct ca *ca, const char *host)
{
	size_t n = strlen(host), d = strlen(ca->domain), label = 0;

	if (n > 253 || n < d || strcmp(host + n - d, ca->domain) != 0 || (n > d && host[n - d - 1] != '.'))
		return 0;
	for (const char *p = host; *p; p++) {
		int alnum = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9');

		if (*p == '.' ? label == 0 || p[-1] == '-' : !alnum && (*p != '-' || label == 0))
			return 0;
		label = *p == '.' ? 0 : label + 1;
		if (label > 63)
			return 0;
	}
	return label > 0;
}

static X509 *
make_leaf(struct ca *ca, EVP_PKEY *key, const char *host)
{
	/* A common name holds 64 bytes at most (RFC 5280, ub-common-name); the names that count are the alternative
	 * ones. */
	X509 *x = new_cert(key, strlen(host) <= 64 ? host : "cx", LEAF_DAYS);
	CX_FREE char *names = cx_fmt("DNS:%s,DNS:*.%s", host, host);

	if (x && X509_set_issuer_name(x, X509_get_subject_name(ca->cert)) == 1 &&
		add_extension(x, ca->cert, NID_basic_constraints, "critical,CA:FALSE") &&
		add_extension(x, ca->cert, NID_key_usage, "critical,digitalSignature") &&
		add_extension(x, ca->cert, NID_ext_key_usage, "serverAuth") &&
		add_extension(x, ca->cert, NID_authority_key_identifier, "keyid") &&
		add_extension(x, ca->cert, NID_subject_alt_name, names) && X509_sign(x, ca->key, EVP_sha256()) > 0)
		return x;
	X509_free(x);
	return NULL;
}

int
ca_leaf(struct ca *ca, const char *host, struct cx_buf *pem, struct cx_err *e)
{
	EVP_PKEY *key;
	X509 *x;
	int rc = 0;

	if (!host_ok(ca, host)) {
		(void)cx_err_set(e, CX_BAD, "\"%.100s\" is not a name below %s", host, ca->domain);
		return cx_err_hint(e, "this authority can sign for %s only, in lower case", ca->domain);
	}
	key = EVP_EC_gen("P-256");
	x = key ? make_leaf(ca, key, host) : NULL;
	if (!x || !put_pem(pem, key, x))
		rc = ssl_error(e, "make a certificate");
	X509_free(x);
	EVP_PKEY_free(key);
	return rc;
}
