/* A zip archive as a stream, of files that are stored as they are: what is in them and how long
 * they are need not be known before. Zip64 throughout, so no limit is ever met.
 *
 * The list of all files stands at an archive's end. So that a long one takes no memory, it is
 * kept in a temporary file without a name until then. Knows no httpd: what is to be written is
 * handed out. */
#ifndef KC_ZIP_H
#define KC_ZIP_H

#include <apr_pools.h>
#include <apr_time.h>

typedef struct kc_zip_t kc_zip_t;

/* Write size bytes. An error ends the archive there: all that follows returns it. */
typedef apr_status_t kc_zip_write_fn(void *baton, const void *bytes, apr_size_t size);

apr_status_t kc_zip_open(kc_zip_t **zip, kc_zip_write_fn *write, void *baton, apr_pool_t *pool);

/* A file, its bytes, its end. name: UTF-8, with "/" between folders, at most KC_ZIP_NAME_MAX
 * bytes. */
#define KC_ZIP_NAME_MAX 512
apr_status_t kc_zip_begin(kc_zip_t *zip, const char *name, apr_time_t time);
apr_status_t kc_zip_bytes(kc_zip_t *zip, const void *bytes, apr_size_t size);
apr_status_t kc_zip_end(kc_zip_t *zip);

/* The list of all files. */
apr_status_t kc_zip_close(kc_zip_t *zip);

#endif
