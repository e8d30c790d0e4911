/*
 * What a container of a service is: the body of POST /containers/create, made
 * in one place, so that a one-off process of cx-run(1) lives in the same world
 * as the services that cx-converge(8) starts. Pure functions of their
 * arguments, but for cx_spec_manifest and cx_spec_resource_urls.
 *
 *	CX_JSON json_t *m = cx_spec_manifest(&s, "docs", release, &e);
 *	CX_JSON json_t *urls = cx_spec_resource_urls(s.rack, "docs", m, &e);
 *	CX_JSON json_t *body = cx_spec_container(s.rack, "docs", id, "web",
 *		json_object_get(json_object_get(m, "services"), "web"), urls, image, "service");
 */
#ifndef CX_SPEC_H
#define CX_SPEC_H

#include <cx/json.h>
#include <cx/spool.h>

/* The folder in a container where the rack's CA bundle is mounted. */
#define CX_SPEC_CA "/etc/cx/ca-bundle.pem"

/*
 * The manifest of a release, expanded with its environment; each service has "env" (cx-manifest --release).
 * release: release.json as loaded. New reference (the inner "manifest" object), or NULL.
 */
json_t *cx_spec_manifest(struct cx_spool *s, const char *app, const json_t *release, struct cx_err *e);
/* NAME_URL: URL for each resource of the manifest, from share/cx/resource/TYPE.json. */
json_t *cx_spec_resource_urls(const json_t *rack, const char *app, const json_t *manifest, struct cx_err *e);
/*
 * The body without name and without the labels name, index and hash, which callers add. service: the normalised
 * entry with "env"; resource_urls: as above, those that the service names are taken; type: "service" or "process".
 * Keys are in a fixed order. The CA is not in it: see cx_spec_ca().
 */
json_t *cx_spec_container(const json_t *rack, const char *app, const char *release, const char *service_name,
	const json_t *service, const json_t *resource_urls, const char *image, const char *type);
/* Mounts SPOOL/ca/bundle.pem, and points SSL_CERT_FILE and its kin at it unless the service sets them. */
void cx_spec_ca(json_t *body, const struct cx_spool *s);
/* "my-db" -> MY_DB_URL; owned by the caller. */
char *cx_spec_url_name(const char *resource);
/* The words of a command line as the engine's Cmd: split at blanks when no shell is needed, else sh -c. NULL: JSON
 * null. */
json_t *cx_spec_command(const json_t *command);
/* The image of a service in a build's record, or NULL. */
const char *cx_spec_image(const json_t *build, const char *service_name);

#endif
