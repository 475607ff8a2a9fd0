/* A camera's address in its parts. Pure but for memory. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdint.h>

struct address {
    int tls;
    char host[256]; /* without brackets; "%eth0" behind it is its scope */
    uint16_t port;  /* 0: not given */
    int has_user;
    char *user, *password; /* decoded; "" of a user without a password */
    char *url;             /* the whole without the login, as requests name it */
};

/* 0; or -1: it has no host, an impossible port, or is no rtsp:// or rtsps:// address. End *address
 * with address_clear() in both cases. */
int address_parse(struct address *address, const char *url);

/* Wipes what is secret. */
void address_clear(struct address *address);

#endif
