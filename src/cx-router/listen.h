/* Binding, by the parent that may: host addresses, and the gateway of a bridge that may come and go. */
#ifndef LISTEN_H
#define LISTEN_H

struct cx_err;

/*
 * A listening TCP socket, non-blocking, close-on-exec. device: bound to that
 * interface too (SO_BINDTODEVICE), or NULL. A port in use is CX_SYS and names
 * who holds it. Returns the descriptor, or -1.
 */
int listen_on(const char *address, int port, const char *device, struct cx_err *e);
/* Splits "ADDRESS:PORT"; buf holds 46 bytes. 0, or -1 (CX_BAD). */
int listen_parse(const char *text, char address[46], int *port, struct cx_err *e);
/* Sends a descriptor with one byte over a Unix socket. */
int listen_pass(int sock, char what, int fd);

#endif
