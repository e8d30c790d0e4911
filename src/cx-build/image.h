/* Images in the engine: is it there, pull, tag, and build from a context. */
#ifndef IMAGE_H
#define IMAGE_H

#include "plan.h"
#include "talk.h"
#include <cx/engine.h>

/* The image's ID (owned by the caller), or NULL: with e->cls CX_NO when there is none. */
char *image_id(struct cx_engine *en, const char *name, struct cx_err *e);
/* Pulls it, showing progress under id. CX_NO when the registry says no. */
int
image_pull(struct cx_engine *en, const char *name, const char *id, struct talk *t, const int *cancel, struct cx_err *e);
/* Gives it the name repo:tag too. */
int image_tag(struct cx_engine *en, const char *name, const char *repo, const char *tag, struct cx_err *e);

/* How this engine builds. */
struct builder {
	struct cx_engine *en;
	int version; /* of POST /build: 2 BuildKit, 1 the classic builder */
	const char *network; /* "host" where the engine has no network of its own for builds, else NULL */
	int no_cache;
	const int *cancel;
};

/* Finds out, by CX_BUILDER (classic, buildkit) and the engine's version. */
int builder_find(struct builder *b, struct cx_err *e);
/*
 * Builds, and names the result by all tags (JSON array of REPO:TAG). Falls back to the classic builder when the
 * engine has no BuildKit, or one that hangs. CX_NO when a step failed: then the event that tells it has been sent.
 */
int builder_build(struct builder *b, struct build *what, const json_t *tags, struct talk *t, struct cx_err *e);

#endif
