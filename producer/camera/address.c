#include "address.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mem.h"
#include "url.h"

static int hex(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* Percent-decoded, in place. */
static char *decoded(char *text)
{
    char *from = text;
    char *to = text;

    while (*from) {
        if (*from == '%' && isxdigit((unsigned char)from[1]) && isxdigit((unsigned char)from[2])) {
            *to++ = (char)(hex(from[1]) << 4 | hex(from[2]));
            from += 3;
        }
        else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    return text;
}

static void take_login(struct address *address, const char *begin, const char *end)
{
    const char *colon = memchr(begin, ':', (size_t)(end - begin));
    const char *user_end = colon ? colon : end;

    address->has_user = 1;
    address->user = decoded(mem_print("%.*s", (int)(user_end - begin), begin));
    address->password =
        decoded(mem_print("%.*s", colon ? (int)(end - colon - 1) : 0, colon ? colon + 1 : ""));
}

/* "host:port", "[v6%25scope]:port". */
static int take_host(struct address *address, const char *begin, const char *end)
{
    int bracket = begin < end && *begin == '[';
    const char *host_end = bracket ? memchr(begin, ']', (size_t)(end - begin))
                                   : memchr(begin, ':', (size_t)(end - begin));
    const char *port;
    unsigned long number;
    char *rest;

    if (bracket && !host_end) {
        return -1;
    }
    begin += bracket;
    host_end = host_end ? host_end : end;
    port = host_end + bracket;
    if (host_end == begin || (size_t)(host_end - begin) >= sizeof(address->host)) {
        return -1;
    }
    snprintf(address->host, sizeof(address->host), "%.*s", (int)(host_end - begin), begin);
    decoded(address->host);
    if (port >= end || *port != ':' || port + 1 == end) {
        return port < end && *port != ':' ? -1 : 0;
    }
    number = strtoul(port + 1, &rest, 10);
    if (rest != end || number < 1 || number > 65535 || !isdigit((unsigned char)port[1])) {
        return -1;
    }
    address->port = (uint16_t)number;
    return 0;
}

int address_parse(struct address *address, const char *url)
{
    char *encoded = url_is_rtsp(url) ? url_encode_login(url) : NULL;
    const char *begin, *end, *at;
    int rc;

    memset(address, 0, sizeof(*address));
    if (!encoded) {
        return -1;
    }
    address->tls = url_is_rtsps(encoded);
    begin = strstr(encoded, "://") + 3;
    end = begin + strcspn(begin, "/?#");
    at = memrchr(begin, '@', (size_t)(end - begin));
    if (at) {
        take_login(address, begin, at);
        begin = at + 1;
    }
    rc = take_host(address, begin, end);
    /* Cameras compare the scheme letter by letter. */
    address->url = mem_print("%s://%s", address->tls ? "rtsps" : "rtsp", begin);
    explicit_bzero(encoded, strlen(encoded));
    free(encoded);
    return rc;
}

static void wipe(char *text)
{
    if (text) {
        explicit_bzero(text, strlen(text));
    }
    free(text);
}

void address_clear(struct address *address)
{
    wipe(address->user);
    wipe(address->password);
    free(address->url);
    memset(address, 0, sizeof(*address));
}
