/* The page that shows live pictures, of a wall or of one camera, and its scripts and styles
 * (web/), which are inside the module. All its links are relative: it works under any <Location>
 * and behind proxies that put it elsewhere. */
#ifndef KC_PAGE_H
#define KC_PAGE_H

#include <httpd.h>

/* How many cameras a page shows without JavaScript: browsers open 6 connections to a host. */
#define KC_PAGE_PLAIN_MAX 6

typedef struct {
    apr_uint32_t cam;
    const char *name;
} kc_page_camera_t;

typedef struct {
    const char *title;
    int single;         /* one camera: nothing to choose, nothing to go back to */
    const char *base;   /* paths as httpd sees them. "/cameras/": under it the assets, in -/ */
    const char *list;   /* "/cameras/4/list.json": JSON of these cameras; of one camera if single */
    const char *all;    /* "/cameras/list.json": of all cameras, for choosing; NULL if single */
    const char *stream; /* "/cameras/4/stream" */
    const char *cams;   /* "/cam/": pictures of single cameras; NULL: none are served */
    const kc_page_camera_t *plain; /* to show without JavaScript */
    apr_size_t plain_count;
} kc_page_t;

/* Answer r with the page. An HTTP status or OK, as handlers return it. */
int kc_page_send(request_rec *r, const kc_page_t *page);

/* Answer r with the page of one camera, BASE/N/; its list is BASE/N.json, its stream BASE/N/stream
 * (a wall's, of this camera alone). base is the Location's path, "/cam". */
int kc_page_send_single(request_rec *r, const char *base, apr_uint32_t cam, const char *name);

/* Answer r with one of the page's files; rest is what follows BASE/-/ in the URL: VERSION/NAME. */
int kc_page_send_asset(request_rec *r, const char *rest);

/* Answer r with this status and a line of text. OK, as the answer is sent. */
int kc_page_send_text(request_rec *r, int status, const char *text);

/* The headers all of ours have: content is what it says, nothing is loaded from elsewhere. */
void kc_page_set_headers(request_rec *r);

/* Answer r with these bytes, or with 304 or 412 if its conditions and the ETag and Last-Modified
 * that are set say so, in the way of httpd's own handlers. OK, as the answer is sent. */
int kc_page_send_bytes(request_rec *r, const char *data, apr_size_t size);

/* OK, or what to return if r's method is none for reading: 405 with Allow; DONE after an answer to
 * OPTIONS. */
int kc_page_check_method(request_rec *r);

/* The page's version, for lists: a page that learns of another one loads itself anew. */
const char *kc_page_version(void);

#endif
