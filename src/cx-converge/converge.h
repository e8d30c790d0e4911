/*
 * What cx-converge knows, rebuilt in each pass but for the memos: the rack's
 * containers as the engine has them (boxes), and what is remembered of each
 * while it lives (health, back-off, drain). Everything that must survive a
 * crash stands in the spool or in labels.
 */
#ifndef CONVERGE_H
#define CONVERGE_H

#include <cx/engine.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/spool.h>

enum state { CREATED, RUNNING, EXITED };

struct box {
	char id[65], ip[46];
	const char *name, *app, *type, *service, *release, *hash, *owner; /* borrowed from list */
	long index, port, drain; /* port 0: none; drain in seconds */
	enum state state;
	struct memo *memo;
};

/* What is remembered of a container between passes; times in seconds of the monotonic clock, 0: not yet. */
struct memo {
	struct memo *next;
	char id[65];
	int seen;
	struct check *check; /* a health check under way */
	int healthy, ever, fails, attempts;
	double next_check, running_since;
	char said[256]; /* what the last check saw */
	double retire_since, term_at, restart_at;
	unsigned restarts;
	int unhurt; /* went down by our own hand, or was never up: no crash */
};

/* A promotion in work. */
struct rollout {
	char release[12], attempt[12];
	json_t *manifest, *build, *urls; /* of the release */
	double since; /* all its containers were started */
	int started;
};

struct app {
	struct app *next;
	char name[64];
	int seen;
	json_t *app, *state; /* app.json, state.json (never NULL once loaded) */
	struct rollout *roll;
	char loaded[12]; /* the release that these are of */
	json_t *manifest, *build, *urls;
	double broken_until; /* the active release could not be read: not again before */
	char *route; /* the route file as published last */
};

struct conv {
	struct cx_spool spool;
	struct cx_engine *engine;
	int lock; /* children close it at once: it must not outlive us in them */
	const char *rack, *network;
	json_t *list; /* of the engine, borrowed by boxes */
	struct box *boxes;
	size_t n;
	struct memo *memos;
	struct app *apps;
	struct health *health;
	struct pull *pulls;
	int network_seen; /* 0: look whether the rack's network is there */
	int busy; /* something is in progress: look again soon */
	int dirty; /* this pass changed something: look again at once */
};

double now_s(void);

/* box.c: the engine's containers. Functions that act set c->dirty. */
int box_list(struct conv *c, struct cx_err *e);
struct box *
box_find(struct conv *c, const char *app, const char *type, const char *service, const char *release, long index);
/* Creates and starts; the name must be free of a foreign one. *id gets 65 bytes. */
int box_create(struct conv *c, const char *name, const json_t *body, char id[65], struct cx_err *e);
int box_start(struct conv *c, const struct box *b, struct cx_err *e);
/* Steps of a stop: SIGTERM, ten seconds later SIGKILL, then removal. Called in each pass until the box is gone. */
void box_stop(struct conv *c, struct box *b);
void box_remove(struct conv *c, const char *id);
/* Last lines of its output, at most n; owned by the caller. */
char *box_log(struct conv *c, const char *id, int lines);
int box_ensure_network(struct conv *c, struct cx_err *e);
/* 16 hex digits of a canonical text; buf holds 17. */
void box_hash(const json_t *body, char buf[17]);

/* want.c: what a release wants. */
int want_load(struct conv *c, const char *app, const char *release, json_t **manifest, json_t **build, json_t **urls,
	struct cx_err *e);
long want_count(const struct app *a, const char *service, const json_t *manifest_entry);
/* The body of a service's container with all labels, and its name (owned by the caller). */
json_t *want_service(struct conv *c, const struct app *a, const char *release, const char *service, const json_t *entry,
	const json_t *urls, const json_t *build, long index, char **name, struct cx_err *e);
/* Host name of a service; owned by the caller. */
char *want_host(const struct conv *c, const char *app, const char *service);

/* health.c */
struct health *health_new(void);
/* Starts checks that are due for a running box of a service; ends those that are done. */
void health_visit(struct conv *c, struct box *b, const json_t *entry);
void health_drop(struct conv *c, struct memo *m);
/* Waits for a socket of a check, or fds, or the time. */
void health_wait(struct health *h, const int *fds, size_t n, int ms);

/* rollout.c, steady.c */
void rollout_begin(struct conv *c, struct app *a);
void rollout_step(struct conv *c, struct app *a);
void rollout_free(struct rollout *r);
void steady_step(struct conv *c, struct app *a);

/* route.c: publishes routes/APP.json and apps/APP/state.json when they changed. */
void route_publish(struct conv *c, struct app *a);
int state_publish(struct conv *c, struct app *a, struct cx_err *e);
const char *state_str(const struct app *a, const char *key);

/*
 * resource.c: 1 when all resources of the manifest run and are ready, 0 not yet; -1 (in a promotion only: release is
 * not NULL) when one cannot be made.
 */
int resource_step(struct conv *c, struct app *a, const json_t *manifest, const char *release, const char *attempt,
	struct cx_err *e);
json_t *resource_routes(struct conv *c, struct app *a, const json_t *manifest);

/* pull.c: 1 when the image is there, 0 while a child pulls it, -1 when it cannot be had. */
int pull_step(struct conv *c, const char *image, struct cx_err *e);

/* diagnose.c: why a container did not come up: reason and hint (owned by the caller; hint may be NULL). */
void diagnose(struct conv *c, const struct box *b, const json_t *entry, char **reason, char **hint);
/* What to do about a reason to end or not to start; owned by the caller, may be NULL. */
char *diagnose_hint(const char *reason, const json_t *entry);
/* Established connections on the container's port; -1 when unknown. */
int diagnose_connections(struct conv *c, const struct box *b);
/* Exit status, OOM: "exited with status 3"; owned by the caller. */
char *diagnose_exit(struct conv *c, const char *id);

/* say.c: events of a release. */
struct cx_event;
void say(struct conv *c, const char *app, const char *release, const char *attempt, struct cx_event *ev);
/* What a pass could not do, once a minute each text, on stderr. */
void complain(const char *what, const struct cx_err *e);
/* This release is the active one, every other is not. */
void release_activate(struct conv *c, const char *app, const char *release);
/* Rewrites status (and reason, promoted) of a release. */
void release_mark(struct conv *c, const char *app, const char *release, const char *status, const char *reason);

/* gc.c */
void gc_images(struct conv *c, struct app *a);
void gc_processes(struct conv *c);
/* Deletes an app whose containers are gone; true when its folder is gone too. */
int gc_app(struct conv *c, struct app *a);
void gc_temporaries(struct conv *c);
void requests_step(struct conv *c, struct app *a);

#endif
