#include "service.h"
#include "value.h"
#include <cx/diag.h>
#include <cx/yaml.h>

#define SECONDS_MAX 3600

static const struct key health_rows[] = {{.name = "path", .read = value_url_path},
	{.name = "interval", .read = value_int, .min = 1, .max = SECONDS_MAX},
	{.name = "timeout", .read = value_int, .min = 1, .max = SECONDS_MAX},
	{.name = "grace", .read = value_int, .max = SECONDS_MAX},
	{.name = "port", .read = port_read, .note = "a Local Rack asks the service's own port"},
	{.name = "disable", .read = value_bool}, {0}};

void
health_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	static const struct key whole = {.name = "path", .read = value_url_path};
	json_t *given = json_object(), *h = json_object_get(out, row->name), *interval;

	if (v->kind == CX_SCALAR)
		value_url_path(m, v, path, given, &whole);
	else
		key_read_map(m, v, path, health_rows, given);
	interval = json_object_get(given, "interval");
	if (json_is_integer(interval)) {
		long long n = json_integer_value(interval);

		(void)json_object_set_new(h, "timeout", json_integer(n > 1 ? n - 1 : 1));
		(void)json_object_set_new(h, "grace", json_integer(n));
	}
	(void)json_object_update(h, given);
	json_decref(given);
}

static const struct key probe_rows[] = {{.name = "path", .read = value_url_path},
	{.name = "port", .read = value_int, .min = 1, .max = 65535},
	{.name = "tcpSocketPort", .read = value_int, .min = 1, .max = 65535},
	{.name = "interval", .read = value_int, .min = 1, .max = SECONDS_MAX},
	{.name = "timeout", .read = value_int, .min = 1, .max = SECONDS_MAX},
	{.name = "grace", .read = value_int, .max = SECONDS_MAX},
	{.name = "successThreshold", .read = value_int, .min = 1, .max = 1000},
	{.name = "failureThreshold", .read = value_int, .min = 1, .max = 1000}, {0}};

void
probe_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *p = json_object();

	(void)json_object_set_new(out, row->name, p);
	key_read_map(m, v, path, probe_rows, p);
}
