/* LINK: src/cx-manifest/environment.c src/cx-manifest/expand.c src/cx-manifest/key.c src/cx-manifest/manifest.c src/cx-manifest/service.c PKG: */
/* A manifest, read as it stands and expanded: never a crash; without errors it has services. */
#include "expand.h"
#include "manifest.h"
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/json.h>
#include <cx/yaml.h>
#include <stdint.h>
#include <stdlib.h>

static void
feed(const char *text, size_t n, const json_t *env)
{
	struct cx_diags *d = cx_alloc(sizeof(*d));
	CX_JSON json_t *m = NULL;
	struct cx_tree t;

	d->file = "fuzz";
	if (cx_tree_parse(&t, text, n, d) == 0) {
		if (env)
			expand_tree(&t, env, d);
		else
			expand_check(&t, d);
		m = manifest_make(&t, !env, d);
		if (env && !d->errors)
			manifest_env(m, env, d);
		if (!d->errors && json_object_size(json_object_get(m, "services")) == 0)
			abort();
	}
	cx_tree_free(&t);
	free(d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CX_JSON json_t *env = json_pack("{s:s,s:s}", "A", "3000", "B", "");

	feed((const char *)data, n, NULL);
	feed((const char *)data, n, env);
	return 0;
}
