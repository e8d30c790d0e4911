/*
 * Keys of TLS session tickets, in memory that all workers share: any of them
 * resumes a session of any other, and none can after two turns of the keys.
 */
#ifndef TICKET_H
#define TICKET_H

#include <openssl/ssl.h>

#define TICKET_SECONDS 3600 /* a key makes tickets so long, and opens them as long again */

struct tickets;

/* Before the workers fork; ends the program when there is no memory. */
struct tickets *tickets_make(void);
/* The parent, now and then: a new key when it is time. */
void tickets_turn(struct tickets *t);
int tickets_use(SSL_CTX *ctx, struct tickets *t);

#endif
