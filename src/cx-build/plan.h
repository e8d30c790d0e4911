/*
 * What must be built: the services in the order of the manifest, each with a
 * build or an image. Services whose builds are the same (path, Dockerfile,
 * arguments, target) share one.
 */
#ifndef PLAN_H
#define PLAN_H

#include "context.h"
#include <cx/json.h>

struct talk;

struct build {
	char *path; /* of the context, relative to the app's folder */
	char *dockerfile; /* relative to the context */
	char *target; /* stage, or NULL */
	char *args; /* JSON object, keys sorted */
	char *over; /* the Dockerfile's text when it was cut, or NULL */
	json_t *services; /* names */
	int dir;
	struct context ctx;
	char digest[65];
	int built;
};

struct service {
	const char *name;
	const char *image; /* NULL: build */
	struct build *build;
};

struct plan {
	json_t *source; /* expanded services; owns the names */
	struct build **builds;
	struct service *services;
	size_t builds_n, services_n;
	int development, root;
	const json_t *env;
	struct talk *talk;
	const int *cancel;
};

/* Reads Dockerfiles and walks the contexts below root. services is stolen; the rest is borrowed. */
int plan_make(struct plan *p, json_t *services, struct cx_err *e);
void plan_free(struct plan *p);
/* Adds up the contexts' digests and all that decides the images; `images` tells the IDs of images by service. */
int plan_digest(struct plan *p, const char *manifest_text, const json_t *images, char hex[65], struct cx_err *e);
/* Something changed since plan_digest: the digest does not tell what was built. */
int plan_changed(const struct plan *p);

/* The ignore rules of the context in dir for a Dockerfile; both files that the engine needs are kept. */
struct ignore *plan_ignore(int dir, const char *dockerfile, struct cx_err *e);

#endif
