/* The files of web/, as web/embed.sh put them into the module at build time. */
#ifndef KC_WEB_H
#define KC_WEB_H

#include <apr.h>

typedef struct {
    const char *name; /* wall.js; NULL after the last one */
    const char *type; /* for Content-Type */
    const char *data;
    apr_size_t size;
} kc_web_file_t;

extern const kc_web_file_t kc_web_files[];

/* Changes with any of them: part of their URLs, so that a browser may keep them for ever. */
extern const char kc_web_version[];

#endif
