/* TLS to an rtsps camera, over a socket that does not block. GnuTLS is inside. */
#ifndef TLS_H
#define TLS_H

#include <stddef.h>
#include <sys/types.h>

struct tls;

struct tls_settings {
    const char *host; /* whose certificate it must be */
    int verify;       /* 0: any certificate will do */
    const char *ca;   /* file of certificates, NULL: those the system trusts */
    unsigned oldest;  /* version that is accepted: 10, 11, 12 (1.2) or 13 */
};

/* 0, or -1 with the reason in why. *result is yours when it succeeds; the socket stays yours. */
int tls_open(struct tls **result, int fd, const struct tls_settings *settings, char *why,
             size_t why_size);
void tls_close(struct tls *tls);

/* 0: done. 1: again when the socket has something; 2: when it takes something. -1: refused, with
 * the reason in why. */
int tls_handshake(struct tls *tls, char *why, size_t why_size);

/* "TLS1.3". */
const char *tls_version(const struct tls *tls);

/* As read() and write() of a socket that does not block: -1 with errno, EAGAIN among them. */
ssize_t tls_read(struct tls *tls, void *bytes, size_t size);
ssize_t tls_write(struct tls *tls, const void *bytes, size_t size);

#endif
