/*
 * Compose services become convox.yml, second step: which are databases, who
 * uses them, what a service's one port is, what its variables are. Every
 * decision is reported, once.
 */
#ifndef EMIT_H
#define EMIT_H

#include "init.h"

struct plan {
	struct init *in;
	json_t *hosts; /* host name, as programs use it -> service as read */
	json_t *names; /* service as read -> name in convox.yml */
	json_t *resources; /* service as read -> {"type","image","name","url","scheme","users":{}} */
	json_t *jobs; /* services that others wait for to end */
};

/* Fills in->out from in->raw. */
void emit_all(struct init *in);

/* Names and hosts of all services. */
void names_find(struct plan *p);
/* The databases among them, who uses them, and what they are called. */
void resources_find(struct plan *p);
void resources_emit(struct plan *p);
/* The type that an image is of, owned by the caller; NULL when it is none. *keep when its version is worth keeping. */
char *resource_type(const char *image, int *keep);

/* Calls each(arg, host, url) for the host names in a value; url: it stands in a URL. name is the variable's. */
void hosts_in(const char *name, const char *value, void (*each)(void *arg, const char *host, int url), void *arg);

/* Parts of one service; out is what convox.yml gets. path is "services.NAME". */
void emit_environment(const struct plan *p, const json_t *svc, const char *path, json_t *out);
void emit_port(const struct plan *p, const json_t *svc, const char *path, json_t *out);
void emit_volumes(const struct plan *p, const json_t *svc, const char *path, json_t *out);
/* Labels of Convox 1.0, and all others. */
void emit_labels(const struct plan *p, const json_t *svc, const char *path, json_t *out);
/* The value of a label, or NULL. */
const char *label(const json_t *svc, const char *name);
/* The label convox.port.N.WHAT. */
const char *port_label(const json_t *svc, const char *port, const char *what);

/* Text and place of a key that was kept as text. */
const char *text_of(const json_t *svc, const char *key);
const json_t *place_of(const json_t *svc, const char *key);
/* A line of comment above the service. */
void comment(json_t *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
