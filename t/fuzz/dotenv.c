/* LINK: src/cx-env/dotenv.c PKG: */
#include "dotenv.h"
#include <cx/err.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What was read and is printed must read back as the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CX_JSON json_t *env = json_object(), *again = json_object();
	CX_BUF struct cx_buf text = {0};
	struct cx_err e;
	const char *name;
	json_t *v;

	if (dotenv_parse((const char *)p, n, "in", env, &e) < 0)
		return 0;
	json_object_foreach (env, name, v) {
		dotenv_put(&text, name, json_string_value(v));
		cx_buf_addc(&text, '\n');
	}
	if (dotenv_parse(cx_buf_str(&text), text.n, "again", again, &e) < 0 || !json_equal(env, again))
		__builtin_trap();
	return 0;
}
