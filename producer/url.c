#include "url.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "kc_wire.h"
#include "mem.h"

#define ESCAPES                                                                                    \
    "in user and password write %40 for @, %3A for :, %2F for /, %3F for ?, %23 for #, %25 for %"

int url_is_rtsps(const char *url)
{
    return !strncasecmp(url, "rtsps://", 8);
}

int url_is_rtsp(const char *url)
{
    return !strncasecmp(url, "rtsp://", 7) || url_is_rtsps(url);
}

/* NULL: [host, end) is HOST or HOST:PORT, else why it is none. */
static const char *host_wrong(const char *host, const char *end)
{
    const char *p = host;

    if (p < end && *p == '[') {
        for (p++; p < end && (isalnum((unsigned char)*p) || strchr(":.%", *p)); p++) {
        }
        if (p == end || *p != ']' || p == host + 1) {
            return "the IPv6 address in [] is none";
        }
        p++;
    }
    else {
        for (; p < end && (isalnum((unsigned char)*p) || strchr("-._", *p)); p++) {
        }
        if (p == host) {
            return "there is no host in it; " ESCAPES;
        }
    }
    if (p < end && *p == ':') {
        uint64_t port = 0;

        if (kc_wire_number_parse(&port, p + 1, (size_t)(end - p - 1), 65535) || port == 0) {
            return "what follows the host is no port; " ESCAPES;
        }
        p = end;
    }
    return p == end ? NULL
                    : "there is a character in the host that does not belong there; " ESCAPES;
}

static const char *host_end(const char *host)
{
    return host + strcspn(host, "/?#");
}

/* The "@" behind the login, or NULL: there is none. Where the text can be read as RFC 3986 has it
 * that counts; else the password has a "/" in it and what follows a later "@" is the host. */
static const char *login_end(const char *begin)
{
    const char *at = memrchr(begin, '@', (size_t)(host_end(begin) - begin));
    const char *later;

    if (at ? !host_wrong(at + 1, host_end(at + 1)) : !host_wrong(begin, host_end(begin))) {
        return at;
    }
    for (later = strchr(at ? at + 1 : begin, '@'); later; later = strchr(later + 1, '@')) {
        if (!host_wrong(later + 1, host_end(later + 1))) {
            return later;
        }
    }
    return at;
}

/* Behind "rtsp://" and behind the login. */
static const char *host_begin(const char *url)
{
    const char *begin = strstr(url, "://");
    const char *at;

    begin = begin ? begin + 3 : url;
    at = login_end(begin);
    return at ? at + 1 : begin;
}

const char *url_wrong(const char *url, size_t size)
{
    const char *host;
    size_t i;

    if (size == 0 || size > URL_MAX) {
        return size ? "it is longer than 2000 bytes" : "it is empty";
    }
    for (i = 0; i < size; i++) {
        if ((unsigned char)url[i] <= ' ' || url[i] == 127) {
            return "there is a blank or a control character in it";
        }
    }
    /* What FFmpeg would make of it is not the measure: it knows file:, concat: and more. */
    if (!url_is_rtsp(url)) {
        return "it must begin with rtsp:// or rtsps:// and a host";
    }
    host = host_begin(url);
    return host_wrong(host, host_end(host));
}

static int is_encoded(const char *p, const char *end)
{
    return end - p >= 3 && p[0] == '%' && isxdigit((unsigned char)p[1]) &&
           isxdigit((unsigned char)p[2]);
}

/* Returns where the text went on to. out has room for three times the input. */
static char *encode(char *out, const char *p, const char *end)
{
    for (; p < end; p++) {
        /* "+" means a space to FFmpeg from version 5 on. */
        if (isalnum((unsigned char)*p) || strchr("-._~!$&'()*,;=", *p) || is_encoded(p, end)) {
            *out++ = *p;
        }
        else {
            out += snprintf(out, sizeof("%FF"), "%%%02X", (unsigned char)*p);
        }
    }
    return out;
}

char *url_encode_login(const char *url)
{
    const char *begin = strstr(url, "://");
    const char *end, *colon;
    char *result, *out, *login;

    begin = begin ? begin + 3 : url;
    end = login_end(begin);
    if (!end) {
        return mem_text(url);
    }
    colon = memchr(begin, ':', (size_t)(end - begin));
    result = mem_zeroed(3, strlen(url) + 1);
    memcpy(result, url, (size_t)(begin - url));
    login = out = result + (begin - url);
    out = encode(out, begin, colon ? colon : end);
    if (colon) {
        *out++ = ':';
        out = encode(out, colon + 1, end);
    }
    if (out - login > URL_LOGIN_MAX) {
        mem_wipe(result);
        return NULL;
    }
    memcpy(out, end, strlen(end) + 1);
    return result;
}

int url_host(char *host, size_t size, const char *url)
{
    const char *begin, *end;

    if (!strstr(url, "://")) {
        return -1;
    }
    begin = host_begin(url);
    if (*begin == '[') {
        begin++;
        end = begin + strcspn(begin, "]");
    }
    else {
        end = begin + strcspn(begin, ":/?#");
    }
    if (end == begin || (size_t)(end - begin) >= size) {
        return -1;
    }
    snprintf(host, size, "%.*s", (int)(end - begin), begin);
    return 0;
}
