/* Logging in: Basic, and Digest (RFC 2617, RFC 7616) with MD5, SHA-256 and SHA-512-256. Pure; what
 * a camera demands is a stranger's text. */
#ifndef DIGEST_H
#define DIGEST_H

#include <stddef.h>
#include <stdint.h>

/* The stronger the higher. */
enum digest_way { DIGEST_NONE, DIGEST_BASIC, DIGEST_MD5, DIGEST_SHA256, DIGEST_SHA512_256 };

struct digest {
    enum digest_way way; /* the strongest that was offered, DIGEST_NONE: nothing that we can */
    int offers;          /* challenges seen, also those that we cannot */
    char realm[256], nonce[512], opaque[512];
    int named;   /* the challenge says which algorithm */
    int session; /* the algorithm is one of "-sess" */
    int qop;     /* quality of protection: "auth" */
    int stale;
    unsigned count; /* of uses of the nonce */
    char other[32]; /* an algorithm or scheme that we cannot */
};

/* Take one WWW-Authenticate field, with one challenge or several. Begin with all zero. */
void digest_take(struct digest *digest, const char *field);

/* What goes behind "Authorization: ". client: 16 characters that nobody can guess, for qop. Returns
 * its length, 0: longer than room. */
size_t digest_format(struct digest *digest, char *out, size_t room, const char *user,
                     const char *password, const char *method, const char *uri, const char *client);

/* Base64, without a 0 at its end: digest_base64_size() characters of size bytes. */
size_t digest_base64_size(size_t size);
void digest_base64(char *out, const void *bytes, size_t size);

#endif
