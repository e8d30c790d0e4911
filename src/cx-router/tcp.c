/* The listener of a resource: a tunnel from the first byte. */
#include "metrics.h"
#include "router.h"

void
tcp_begin(struct conn *c, struct service *service)
{
	struct stream *s = stream_new(c, &h1_down);

	c->s = s;
	c->phase = BUSY;
	s->service = service;
	service->refs++;
	metrics_gauge(&service->m->active, 1);
	s->tunnel = s->responded = s->until_close = s->body_seen = 1;
	s->req_done = 0;
	s->req_left = -1;
	if (backend_connect(s) < 0)
		conn_end(c);
}
