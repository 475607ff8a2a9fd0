/* Camera addresses as people write them, with whatever their password has in it. Pure but for
 * memory. */
#ifndef URL_H
#define URL_H

#include <stddef.h>

#define URL_MAX 2000

/* Of "user:password", encoded. */
#define URL_LOGIN_MAX 384

/* The same address with user and password percent-encoded where they have to be: "@", ":", "+" and
 * a "%" that encodes nothing may stand in the password as they are, "/", "?" and "#" too as long as
 * what would be the host otherwise is no host. What is encoded already stays. The result is the
 * caller's and holds a password: wipe it. NULL: the login is longer than URL_LOGIN_MAX. */
char *url_encode_login(const char *url);

/* NULL: the address of a camera, size bytes and a 0; else why it is none, without the address. */
const char *url_wrong(const char *url, size_t size);

/* rtsp:// or rtsps://, in any case. */
int url_is_rtsp(const char *url);
int url_is_rtsps(const char *url);

/* Copy the host's name to host, without port and brackets. 0, or -1: there is none, or it is longer
 * than size. */
int url_host(char *host, size_t size, const char *url);

#endif
