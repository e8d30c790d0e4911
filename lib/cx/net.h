/*
 * What the rack's network daemons share: a parent that may binds, and passes
 * descriptors to a worker that dropped its rights.
 *
 *	int fd = cx_net_listen(SOCK_STREAM, "127.84.0.1", 443, NULL, &e);
 */
#ifndef CX_NET_H
#define CX_NET_H

#include <sys/types.h>

struct cx_err;

/*
 * A bound IPv4 socket, SOCK_STREAM (listening) or SOCK_DGRAM, non-blocking. device: bound to that interface too
 * (SO_BINDTODEVICE), or NULL. A port in use is CX_SYS and names who holds it. Returns the descriptor, or -1.
 */
int cx_net_listen(int type, const char *address, int port, const char *device, struct cx_err *e);
/* Splits "ADDRESS:PORT", or with another separator; buf holds 46 bytes. 0, or -1 (CX_BAD). */
int cx_net_parse(const char *text, char separator, char address[46], int *port, struct cx_err *e);
/* Sends a descriptor with one byte over a Unix socket; takes one: the byte, 0 when there is none, -1 at the end. */
int cx_net_pass(int sock, char what, int fd);
int cx_net_take(int sock, int *fd);
/* From root to this user for good, without new privileges; as another user only the latter. Ends with its parent. */
int cx_net_drop(long uid, long gid, struct cx_err *e);

/*
 * Forks the worker: run(arg, sock, e) in the child, whose result (-1: e is reported for prog) is its exit status.
 * sock is its end of a Unix socket (SOCK_SEQPACKET) for cx_net_pass. Returns its pid, and our end in *sock; or -1.
 */
pid_t cx_net_worker(
	const char *prog, int (*run)(void *arg, int sock, struct cx_err *e), void *arg, int *sock, struct cx_err *e);
/* The address of a bridge that may not exist yet, or be made anew. */
struct cx_net_gateway {
	const char *prog, *address, *device; /* address or device NULL: there is none */
	unsigned index; /* of the bridge that the present sockets are bound to */
	int complained;
};
struct cx_net_port {
	int type, port;
	char what; /* the byte that it is passed with */
};
/* True when the bridge has come, or is another one than before: both ports are bound there, and yours. */
int cx_net_gateway(struct cx_net_gateway *g, const struct cx_net_port ports[2], int fd[2]);
/* Binds both ports and passes them to the worker when the bridge has come, or is another one than before. */
void cx_net_follow(struct cx_net_gateway *g, const struct cx_net_port ports[2], int sock);

#endif
