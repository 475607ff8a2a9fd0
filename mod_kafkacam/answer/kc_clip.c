#include "kc_clip.h"

#include <string.h>
#include <ap_mpm.h>
#include <apr_file_io.h>
#include <apr_strings.h>
#include <http_log.h>
#include <http_protocol.h>
#include <openssl/evp.h>
#include "kc_blocking.h"
#include "kc_config.h"
#include "kc_mkv.h"
#include "kc_page.h"
#include "kc_permission.h"
#include "kc_query.h"
#include "kc_time.h"
#include "kc_zip.h"

/* For one record of a clip; a clip that cannot go on ends visibly broken, not short. */
#define WAIT apr_time_from_sec(15)

#define SHA256_SIZE 32

/* What writes a clip's bytes. */
typedef struct {
    request_rec *r;
    apr_bucket_brigade *brigade;
} out_t;

/* The pictures of a camera from one moment to another. */
typedef struct {
    kc_then_t *then;
    apr_uint32_t cam;
    apr_time_t from;
    apr_time_t until;
    apr_time_t checked; /* when permission was last asked for */
    apr_int64_t next;   /* offset */
    apr_int64_t end;
    apr_time_t ended; /* of the last picture */
    kc_past_asker_t asker;
} clip_t;

static apr_status_t write_out(void *baton, const void *bytes, apr_size_t size)
{
    out_t *out = baton;
    apr_status_t rv = ap_fwrite(out->r->output_filters, out->brigade, (const char *)bytes, size);

    return rv == APR_SUCCESS && out->r->connection->aborted ? APR_ECONNABORTED : rv;
}

/* ---- The pictures ---- */

/* A kc_past_answer_t: KC_PAST_END if there is none. */
static int open_clip(clip_t *clip)
{
    const kc_then_t *then = clip->then;
    kc_past_extent_t extent = { .cam = clip->cam };
    apr_time_t until = apr_time_now() + WAIT;
    kc_frame_t *last = NULL;

    clip->checked = apr_time_now();
    kc_past_extents(then->past, then->layer, &extent, 1, until);
    if (extent.error != KC_PAST_FOUND || extent.oldest >= extent.end) {
        return extent.error != KC_PAST_FOUND ? extent.error : KC_PAST_END;
    }
    clip->next = kc_past_after(then->past, then->layer, &extent, clip->from - 1, until);
    clip->end = kc_past_after(then->past, then->layer, &extent, clip->until, until);
    if (clip->next < 0 || clip->end < 0) {
        return KC_PAST_AWAY;
    }
    if (clip->next >= clip->end) {
        return KC_PAST_END;
    }
    kc_past_await(then->past, &clip->asker, then->layer, clip->cam, clip->end - 1, -1, until,
                  &last);
    clip->ended = last ? last->captured : 0;
    kc_frame_unref(last);
    return KC_PAST_FOUND;
}

static int child_ends(void)
{
    int state = AP_MPMQ_RUNNING;

    return ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS && state == AP_MPMQ_STOPPING;
}

/* May it go on? Asked again as for a viewer. */
static int may_go_on(clip_t *clip)
{
    request_rec *r = clip->then->r;
    apr_interval_time_t recheck = kc_config_get(r->server)->recheck;
    apr_time_t now = apr_time_now();

    if (child_ends()) {
        return 0;
    }
    if (recheck && now - clip->checked >= recheck) {
        clip->checked = now;
        return kc_permission_may_look_back(r, clip->cam);
    }
    return 1;
}

/* The next picture: KC_PAST_FOUND, KC_PAST_END for no more, else why it cannot be had. */
static int next_picture(clip_t *clip, kc_frame_t **frame)
{
    const kc_then_t *then = clip->then;

    *frame = NULL;
    while (clip->next < clip->end) {
        kc_past_answer_t answer;

        if (!may_go_on(clip)) {
            return KC_PAST_DENIED;
        }
        kc_past_read_ahead(then->past, &clip->asker, then->layer, clip->cam, clip->next + 16);
        kc_past_read_ahead(then->past, &clip->asker, then->layer, clip->cam, clip->next + 32);
        answer = kc_past_await(then->past, &clip->asker, then->layer, clip->cam, clip->next, 1,
                               apr_time_now() + WAIT, frame);
        if (answer != KC_PAST_FOUND) {
            return answer;
        }
        clip->next = (*frame)->offset + 1;
        if ((*frame)->captured >= clip->from && (*frame)->captured <= clip->until) {
            return (*frame)->offset < clip->end ? KC_PAST_FOUND : KC_PAST_END;
        }
        kc_frame_unref(*frame); /* a clock that jumped */
        *frame = NULL;
    }
    return KC_PAST_END;
}

/* ---- A list of what was sent ---- */

/* As spreadsheets read it; a cell that begins like a formula is none. */
static const char *csv_text(apr_pool_t *pool, const char *text)
{
    char *cell = apr_palloc(pool, 2 * strlen(text) + 4), *at = cell;

    *at++ = '"';
    if (strchr("=+-@\t\r", *text) && *text) {
        *at++ = '\'';
    }
    for (; *text; text++) {
        if (*text == '"') {
            *at++ = '"';
        }
        *at++ = *text;
    }
    *at++ = '"';
    *at = '\0';
    return cell;
}

static apr_status_t list_picture(apr_file_t *list, const kc_frame_t *frame, const char *name,
                                 const char *file, apr_pool_t *pool)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[2 * SHA256_SIZE + 1], when[KC_TIME_SIZE];
    unsigned int size = 0;

    if (!EVP_Digest(frame->data, frame->size, digest, &size, EVP_sha256(), NULL) ||
        size != SHA256_SIZE) {
        return APR_EGENERAL;
    }
    for (size = 0; size < SHA256_SIZE; size++) {
        apr_snprintf(hex + 2 * size, 3, "%02x", digest[size]);
    }
    kc_time_format(when, frame->captured);
    return apr_file_puts(apr_psprintf(pool,
                                      "%u,%s,%" APR_INT64_T_FMT ",%s,%" APR_TIME_T_FMT
                                      ",%" APR_SIZE_T_FMT ",%s,%s\n",
                                      frame->cam, csv_text(pool, name), frame->offset, when,
                                      frame->captured, frame->size, hex, csv_text(pool, file)),
                         list);
}

/* ---- Matroska ---- */

/* Every picture of clip; list (may be NULL) gets a line for each. *answer says how it ended. */
static apr_status_t write_mkv(clip_t *clip, const char *name, kc_zip_write_fn *write, void *baton,
                              apr_file_t *list, const char *file, int *answer)
{
    unsigned char head[KC_MKV_BEGIN_MAX];
    kc_mkv_t mkv = { .title = name, .ended = clip->ended };
    apr_interval_time_t last = 0;
    apr_status_t rv = APR_SUCCESS;
    apr_pool_t *pool;
    kc_frame_t *frame;

    apr_pool_create(&pool, clip->then->r->pool);
    while (rv == APR_SUCCESS && (*answer = next_picture(clip, &frame)) == KC_PAST_FOUND) {
        if (!mkv.began) {
            mkv.began = frame->captured;
            mkv.width = frame->width;
            mkv.height = frame->height;
            rv = write(baton, head, kc_mkv_begin(&mkv, head));
        }
        last = frame->captured - mkv.began > last ? frame->captured - mkv.began : last;
        if (rv == APR_SUCCESS) {
            rv = write(baton, head, kc_mkv_block(last, frame->size, head));
        }
        if (rv == APR_SUCCESS) {
            rv = write(baton, frame->data, frame->size);
        }
        if (rv == APR_SUCCESS && list) {
            rv = list_picture(list, frame, name, file, pool);
        }
        kc_frame_unref(frame);
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return rv;
}

/* ---- Answers ---- */

/* from and until. OK, or DONE. */
static int parse_range(kc_then_t *then, apr_time_t *from, apr_time_t *until)
{
    if (kc_then_time(then, "from", APR_INT64_MIN, from, NULL) != OK ||
        kc_then_time(then, "until", then->now, until, NULL) != OK) {
        return DONE;
    }
    if (*from == APR_INT64_MIN || *from > *until) {
        kc_page_send_text(then->r, HTTP_BAD_REQUEST,
                          "A clip is ?from=TIME&until=TIME, and from is not after until.");
        return DONE;
    }
    if (*from < then->earliest) {
        *from = then->earliest;
    }
    *until = *until > then->now ? then->now : *until;
    return OK;
}

/* What a file system takes: letters, digits and what lies beyond ASCII stay. */
static const char *file_name(apr_pool_t *pool, apr_uint32_t cam, const char *name)
{
    char *safe = apr_pstrmemdup(pool, name, strlen(name) > 80 ? 80 : strlen(name));
    char *at;

    for (at = safe; *at; at++) {
        if ((unsigned char)*at < 0x20 || strchr("/\\:*?\"<>|.%;", *at) || *at == 0x7f) {
            *at = '_';
        }
    }
    return apr_psprintf(pool, "%u %s", cam, safe);
}

static const char *time_name(apr_pool_t *pool, apr_time_t time)
{
    char *when = apr_palloc(pool, KC_TIME_SIZE), *at;

    kc_time_format(when, time);
    for (at = when; *at; at++) {
        if (*at == ':') {
            *at = '-';
        }
    }
    return when;
}

static void set_headers(request_rec *r, const char *type, const char *name)
{
    const char *at;
    char *ascii = apr_pstrdup(r->pool, name), *to;

    for (to = ascii, at = name; *at; at++, to++) {
        *to = *at & 0x80 ? '_' : *at;
    }
    kc_page_set_headers(r);
    ap_set_content_type(r, type);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Accel-Buffering", "no");
    apr_table_setn(r->subprocess_env, "no-gzip", "1");
    apr_table_setn(r->subprocess_env, "no-brotli", "1");
    apr_table_setn(r->headers_out, "Content-Disposition",
                   apr_psprintf(r->pool, "attachment; filename=\"%s\"", ascii));
}

/* A clip that ended before its end: the client is to see it, so the last chunk does not come. */
static void break_off(out_t *out)
{
    conn_rec *c = out->r->connection;

    c->keepalive = AP_CONN_CLOSE;
    APR_BRIGADE_INSERT_TAIL(out->brigade, ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL,
                                                                 out->r->pool, c->bucket_alloc));
    ap_pass_brigade(out->r->output_filters, out->brigade);
}

static int finish(out_t *out, apr_status_t rv, int answer)
{
    if (rv == APR_SUCCESS && answer == KC_PAST_END) {
        ap_pass_brigade(out->r->output_filters, out->brigade); /* what ap_fwrite() gathered */
        return OK;
    }
    ap_log_rerror(APLOG_MARK, APLOG_INFO, rv, out->r, "clip broken off: %s",
                  rv != APR_SUCCESS          ? "the client left"
                  : answer == KC_PAST_DENIED ? "it may not be seen any more, or the child ends"
                                             : "Kafka does not answer");
    if (rv == APR_SUCCESS) {
        break_off(out);
    }
    return OK;
}

static int no_clip(kc_then_t *then, int answer)
{
    return answer == KC_PAST_END
               ? kc_page_send_text(then->r, HTTP_NOT_FOUND, "There are no pictures of that time.")
               : kc_then_no_answer(then->r, answer);
}

static int send_mkv(kc_then_t *then, clip_t *clip, const char *name)
{
    request_rec *r = then->r;
    out_t out = { r, apr_brigade_create(r->pool, r->connection->bucket_alloc) };
    int answer = open_clip(clip);
    apr_status_t rv;

    if (answer != KC_PAST_FOUND) {
        return no_clip(then, answer);
    }
    set_headers(r, "video/x-matroska",
                apr_pstrcat(r->pool, file_name(r->pool, clip->cam, name), " ",
                            time_name(r->pool, clip->from > 0 ? clip->from : 0), ".mkv", NULL));
    if (r->header_only) {
        return OK;
    }
    rv = write_mkv(clip, name, write_out, &out, NULL, NULL, &answer);
    return finish(&out, rv, answer);
}

int kc_clip_send(kc_then_t *then, const char *name)
{
    clip_t clip = { .then = then, .cam = then->cam };
    int rc;

    if (parse_range(then, &clip.from, &clip.until) != OK) {
        return OK;
    }
    rc = kc_blocking_enter(then->r);
    if (rc == OK) {
        rc = send_mkv(then, &clip, name);
    }
    kc_blocking_leave();
    return rc;
}

/* ---- Several cameras ---- */

typedef struct {
    kc_then_t *then;
    out_t out;
    kc_zip_t *zip;
    apr_file_t *list; /* the manifest, in a temporary file until all else is out */
    apr_time_t from;
    apr_time_t until;
    int as_pictures;
} archive_t;

static apr_status_t write_in_zip(void *baton, const void *bytes, apr_size_t size)
{
    return kc_zip_bytes(baton, bytes, size);
}

static apr_status_t add_pictures(archive_t *archive, clip_t *clip, const char *name,
                                 const char *folder, int *answer)
{
    apr_status_t rv = APR_SUCCESS;
    apr_pool_t *pool;
    kc_frame_t *frame;

    apr_pool_create(&pool, archive->then->r->pool);
    while (rv == APR_SUCCESS && (*answer = next_picture(clip, &frame)) == KC_PAST_FOUND) {
        const char *file = apr_psprintf(pool, "%s/%s %" APR_INT64_T_FMT ".jpg", folder,
                                        time_name(pool, frame->captured), frame->offset);

        if ((rv = kc_zip_begin(archive->zip, file, frame->captured)) == APR_SUCCESS &&
            (rv = kc_zip_bytes(archive->zip, frame->data, frame->size)) == APR_SUCCESS &&
            (rv = kc_zip_end(archive->zip)) == APR_SUCCESS) {
            rv = list_picture(archive->list, frame, name, file, pool);
        }
        kc_frame_unref(frame);
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return rv;
}

/* A camera without a picture of that time is left out. */
static apr_status_t add_camera(archive_t *archive, const kc_clip_camera_t *camera, int *answer)
{
    apr_pool_t *pool = archive->then->r->pool;
    clip_t clip = {
        .then = archive->then, .cam = camera->cam, .from = archive->from, .until = archive->until
    };
    const char *base = file_name(pool, camera->cam, camera->name), *file;
    apr_status_t rv;

    *answer = open_clip(&clip);
    if (*answer != KC_PAST_FOUND) {
        return APR_SUCCESS;
    }
    if (archive->as_pictures) {
        return add_pictures(archive, &clip, camera->name, base, answer);
    }
    file = apr_pstrcat(pool, base, ".mkv", NULL);
    rv = kc_zip_begin(archive->zip, file, clip.from > 0 ? clip.from : 0);
    if (rv == APR_SUCCESS) {
        rv =
            write_mkv(&clip, camera->name, write_in_zip, archive->zip, archive->list, file, answer);
    }
    return rv == APR_SUCCESS ? kc_zip_end(archive->zip) : rv;
}

static apr_status_t open_list(archive_t *archive)
{
    apr_pool_t *pool = archive->then->r->pool;
    const char *folder;
    char *name;
    apr_status_t rv = apr_temp_dir_get(&folder, pool);

    if (rv == APR_SUCCESS) {
        name = apr_pstrcat(pool, folder, "/kafkacam-list-XXXXXX", NULL);
        rv = apr_file_mktemp(&archive->list, name,
                             APR_FOPEN_CREATE | APR_FOPEN_READ | APR_FOPEN_WRITE | APR_FOPEN_EXCL |
                                 APR_FOPEN_BUFFERED,
                             pool);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_file_remove(name, pool);
        apr_file_puts("camera,name,offset,time,us,size,sha256,file\n", archive->list);
    }
    return rv;
}

static apr_status_t add_list(archive_t *archive)
{
    char buffer[8192];
    apr_off_t start = 0;
    apr_size_t size = sizeof(buffer);
    apr_status_t rv = kc_zip_begin(archive->zip, "manifest.csv", archive->then->now);

    if (rv == APR_SUCCESS) {
        rv = apr_file_seek(archive->list, APR_SET, &start);
    }
    while (rv == APR_SUCCESS && (rv = apr_file_read(archive->list, buffer, &size)) == APR_SUCCESS) {
        rv = kc_zip_bytes(archive->zip, buffer, size);
        size = sizeof(buffer);
    }
    return rv == APR_EOF ? kc_zip_end(archive->zip) : rv;
}

static int send_archive(archive_t *archive, const kc_clip_camera_t *cameras, apr_size_t count)
{
    apr_status_t rv;
    int answer = KC_PAST_END;
    apr_size_t i;

    if ((rv = kc_zip_open(&archive->zip, write_out, &archive->out, archive->then->r->pool)) ||
        (rv = open_list(archive))) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, rv, archive->then->r,
                      KC_ID(2410) "no temporary file for the list of a zip (TMPDIR)");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    for (i = 0; i < count && rv == APR_SUCCESS && answer == KC_PAST_END; i++) {
        rv = add_camera(archive, &cameras[i], &answer);
    }
    if (rv == APR_SUCCESS && answer == KC_PAST_END) {
        rv = add_list(archive);
    }
    if (rv == APR_SUCCESS && answer == KC_PAST_END) {
        rv = kc_zip_close(archive->zip);
    }
    return finish(&archive->out, rv, answer);
}

int kc_clip_send_zip(kc_then_t *then, const kc_clip_camera_t *cameras, apr_size_t count)
{
    request_rec *r = then->r;
    archive_t archive = { .then = then };
    int rc;

    if (parse_range(then, &archive.from, &archive.until) != OK) {
        return OK;
    }
    archive.as_pictures = kc_query_is(r->args, "as", "jpg");
    archive.out.r = r;
    archive.out.brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    rc = kc_blocking_enter(r);
    if (rc == OK) {
        set_headers(r, "application/zip",
                    apr_pstrcat(r->pool, "cameras ",
                                time_name(r->pool, archive.from > 0 ? archive.from : 0), ".zip",
                                NULL));
        rc = r->header_only ? OK : send_archive(&archive, cameras, count);
    }
    kc_blocking_leave();
    return rc;
}
