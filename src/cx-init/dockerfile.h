/* What a Dockerfile says of the service that it makes: its port, health check, volumes. */
#ifndef DOCKERFILE_H
#define DOCKERFILE_H

#include "init.h"

struct cx_err;

struct image {
	json_t *ports; /* numbers, or variables without a value, as texts */
	json_t *health; /* as health_make() takes it; NULL: none */
	json_t *volumes;
	int from, command; /* it has a FROM, and a CMD or ENTRYPOINT of its own */
	const char *file;
	unsigned health_line, port_line, volume_line;
};

/* Reads the last stage of a Dockerfile, with the stages that it is built from. */
void image_read(struct image *im, const char *file, const char *text, size_t n);
void image_free(struct image *im);
/* The port that the balancer asks: the one of its EXPOSEs that is likeliest HTTP; NULL: none. */
const char *image_port(const struct image *im);

/* The service web of a Dockerfile. 0, or -1 with e set. */
int dockerfile_convert(struct init *in, const char *name, const char *text, size_t n, struct cx_err *e);

#endif
