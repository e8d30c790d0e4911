#include "dns.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

void
outbox_init(struct outbox *o)
{
	o->msg = cx_alloc(BATCH * sizeof(*o->msg));
	o->iov = cx_alloc(BATCH * sizeof(*o->iov));
	o->to = cx_alloc(BATCH * sizeof(*o->to));
	o->flight = cx_alloc(BATCH * sizeof(*o->flight));
	o->data = cx_alloc(BATCH * sizeof(*o->data));
	for (int i = 0; i < BATCH; i++) {
		o->iov[i].iov_base = o->data[i];
		o->msg[i].msg_hdr.msg_iov = &o->iov[i];
		o->msg[i].msg_hdr.msg_iovlen = 1;
	}
}

uint8_t *
outbox_room(struct dns *d, struct outbox *o, int fd)
{
	if (o->n == BATCH || (o->n > 0 && o->fd != fd))
		outbox_flush(d, o);
	o->fd = fd;
	return o->data[o->n];
}

void
outbox_add(struct outbox *o, size_t n, const struct sockaddr_in *to, uint16_t flight)
{
	struct msghdr *h = &o->msg[o->n].msg_hdr;

	o->iov[o->n].iov_len = n;
	o->flight[o->n] = flight;
	h->msg_name = NULL;
	h->msg_namelen = 0;
	if (to) {
		o->to[o->n] = *to;
		h->msg_name = &o->to[o->n];
		h->msg_namelen = sizeof(*to);
	}
	o->n++;
}

void
outbox_flush(struct dns *d, struct outbox *o)
{
	unsigned at = 0, n = o->n;

	o->n = 0;
	while (at < n) {
		int sent = sendmmsg(o->fd, o->msg + at, n - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent > 0) {
			at += (unsigned)sent;
			continue;
		}
		/* This one cannot go: a client asks again, for a resolver there is another one. */
		if (o == &d->up)
			forward_unsent(d, o->flight[at]);
		at++;
	}
}
