/*
 * What a conversion works on: the files of the project, the services as
 * they are read, the manifest that comes of them, and the report: one entry
 * a decision. Bounded by MAX_* below; what is over a bound ends the reading
 * (`full`) and is reported.
 */
#ifndef INIT_H
#define INIT_H

#include <cx/json.h>

struct cx_node;
struct project;

#define MAX_VISITS ((size_t)400000) /* YAML nodes read, aliases and extends followed */
#define MAX_BYTES ((size_t)32 << 20) /* of texts taken over */
#define MAX_SERVICES 1000
#define MAX_REPORT 5000
#define MAX_DEPTH 16 /* extends and include */

enum verdict { KEPT, CHANGED, DROPPED };

struct init {
	struct project *project;
	const char *from; /* the file that is converted, for people */
	json_t *raw; /* services as read: name -> object */
	json_t *out; /* {"resources":{},"services":{},"timers":{}}, the keys of convox.yml */
	json_t *report; /* [{"verdict","key","text","file","line","column","hint"}] */
	unsigned count[3], lost; /* entries by verdict; those over MAX_REPORT */
	size_t visits, bytes;
	int full;
	int beside; /* the services come from another file */
};

void init_open(struct init *in, struct project *p, const char *from);
void init_close(struct init *in);

/* One decision. key such as "services.web.ports" or ""; at {"file","line","column"}, or NULL. */
void say(struct init *in, enum verdict v, const char *key, const json_t *at, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* What to do about the last one. */
void say_hint(struct init *in, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Reports once that a bound was reached. */
void init_full(struct init *in, const json_t *at, const char *what);
/* The report for people, on stderr. */
void report_print(const struct init *in, const char *target);

/* convox.yml as text; owned by the caller. */
char *write_manifest(const struct init *in);

#endif
