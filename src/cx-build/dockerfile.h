/*
 * What a build must know of a Dockerfile: the ARGs that it declares, the names
 * of its stages, whether a step wants a secret, and where its production part
 * begins. The engine alone judges the rest.
 */
#ifndef DOCKERFILE_H
#define DOCKERFILE_H

#include <cx/docker.h>
#include <cx/json.h>

struct cx_err;

#define DOCKERFILE_MAX CX_DOCKERFILE_MAX

struct dockerfile {
	json_t *args; /* names, in order */
	json_t *stages; /* names, lower case */
	size_t cut; /* offset of the line "## convox:production"; the length when there is none */
	unsigned secret; /* line of the first RUN --mount=type=secret or ssh, or 0 */
};

void dockerfile_scan(struct dockerfile *d, const char *text, size_t n);
void dockerfile_free(struct dockerfile *d);
int dockerfile_has_stage(const struct dockerfile *d, const char *name);

#endif
