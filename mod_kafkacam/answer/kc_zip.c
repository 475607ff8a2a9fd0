#include "kc_zip.h"

#include <string.h>
#include <apr_file_io.h>
#include <apr_strings.h>
#include <zlib.h>

/* Records, by the names of PKWARE's APPNOTE. Everything is little-endian. */
#define LOCAL_HEADER  0x04034b50
#define DESCRIPTOR    0x08074b50
#define CENTRAL       0x02014b50
#define END64         0x06064b50
#define END64_LOCATOR 0x07064b50
#define END           0x06054b50

#define VERSION  45 /* zip64 */
#define MADE_BY  (3 << 8 | VERSION)
#define FLAGS    (1 << 3 | 1 << 11) /* sizes follow the bytes; names are UTF-8 */
#define REGULAR  (0100644u << 16)
#define EXTRA64  0x0001
#define IN_EXTRA 0xFFFFFFFFu

#define RECORD_MAX 128

struct kc_zip_t {
    kc_zip_write_fn *write;
    void *baton;
    apr_file_t *list; /* central records so far */
    apr_status_t rv;  /* the first error */
    apr_uint64_t written;
    apr_uint64_t files;
    apr_uint64_t listed;            /* bytes of list */
    char name[KC_ZIP_NAME_MAX + 1]; /* of the file that is open */
    apr_uint64_t begin;
    apr_uint64_t size;
    apr_uint32_t stamp;
    unsigned long crc;
};

typedef struct {
    unsigned char bytes[RECORD_MAX];
    apr_size_t size;
} record_t;

static void put(record_t *record, apr_uint64_t number, int size)
{
    while (size-- > 0) {
        record->bytes[record->size++] = (unsigned char)number;
        number >>= 8;
    }
}

static apr_status_t write_out(kc_zip_t *zip, const void *bytes, apr_size_t size)
{
    if (zip->rv == APR_SUCCESS) {
        zip->rv = zip->write(zip->baton, bytes, size);
        zip->written += size;
    }
    return zip->rv;
}

/* MS-DOS's date and time, in UTC: two seconds is the best it can. */
static apr_uint32_t dos_time(apr_time_t time)
{
    apr_time_exp_t at;

    apr_time_exp_gmt(&at, time);
    if (at.tm_year < 80) {
        return 1 << 21 | 1 << 16;
    }
    return (apr_uint32_t)(at.tm_year - 80) << 25 | (apr_uint32_t)(at.tm_mon + 1) << 21 |
           (apr_uint32_t)at.tm_mday << 16 | (apr_uint32_t)at.tm_hour << 11 |
           (apr_uint32_t)at.tm_min << 5 | (apr_uint32_t)at.tm_sec / 2;
}

apr_status_t kc_zip_open(kc_zip_t **result, kc_zip_write_fn *write, void *baton, apr_pool_t *pool)
{
    kc_zip_t *zip = apr_pcalloc(pool, sizeof(*zip));
    const char *folder;
    char *name;
    apr_status_t rv = apr_temp_dir_get(&folder, pool);

    zip->write = write;
    zip->baton = baton;
    if (rv == APR_SUCCESS) {
        name = apr_pstrcat(pool, folder, "/kafkacam-zip-XXXXXX", NULL);
        rv = apr_file_mktemp(&zip->list, name,
                             APR_FOPEN_CREATE | APR_FOPEN_READ | APR_FOPEN_WRITE | APR_FOPEN_EXCL |
                                 APR_FOPEN_BUFFERED,
                             pool);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_file_remove(name, pool); /* it goes with its last descriptor */
    }
    *result = zip;
    return rv;
}

apr_status_t kc_zip_begin(kc_zip_t *zip, const char *name, apr_time_t time)
{
    record_t header = { .size = 0 };

    apr_cpystrn(zip->name, name, sizeof(zip->name));
    zip->begin = zip->written;
    zip->size = 0;
    zip->crc = crc32(0, NULL, 0);
    zip->stamp = dos_time(time);
    put(&header, LOCAL_HEADER, 4);
    put(&header, VERSION, 2);
    put(&header, FLAGS, 2);
    put(&header, 0, 2); /* stored */
    put(&header, zip->stamp, 4);
    put(&header, 0, 4); /* CRC and sizes: in the descriptor */
    put(&header, IN_EXTRA, 4);
    put(&header, IN_EXTRA, 4);
    put(&header, strlen(zip->name), 2);
    put(&header, 20, 2);
    write_out(zip, header.bytes, header.size);
    write_out(zip, zip->name, strlen(zip->name));
    header.size = 0;
    put(&header, EXTRA64, 2);
    put(&header, 16, 2);
    put(&header, 0, 8);
    put(&header, 0, 8);
    return write_out(zip, header.bytes, header.size);
}

apr_status_t kc_zip_bytes(kc_zip_t *zip, const void *bytes, apr_size_t size)
{
    zip->crc = crc32(zip->crc, bytes, (uInt)size);
    zip->size += size;
    return write_out(zip, bytes, size);
}

static void list_bytes(kc_zip_t *zip, const void *bytes, apr_size_t size)
{
    if (zip->rv == APR_SUCCESS) {
        zip->rv = apr_file_write_full(zip->list, bytes, size, NULL);
        zip->listed += size;
    }
}

/* The file's line in the list. */
static void list_file(kc_zip_t *zip)
{
    record_t line = { .size = 0 };

    put(&line, CENTRAL, 4);
    put(&line, MADE_BY, 2);
    put(&line, VERSION, 2);
    put(&line, FLAGS, 2);
    put(&line, 0, 2);
    put(&line, zip->stamp, 4);
    put(&line, zip->crc, 4);
    put(&line, IN_EXTRA, 4);
    put(&line, IN_EXTRA, 4);
    put(&line, strlen(zip->name), 2);
    put(&line, 28, 2);
    put(&line, 0, 2); /* no comment */
    put(&line, 0, 2); /* disk */
    put(&line, 0, 2);
    put(&line, REGULAR, 4);
    put(&line, IN_EXTRA, 4);
    list_bytes(zip, line.bytes, line.size);
    list_bytes(zip, zip->name, strlen(zip->name));
    line.size = 0;
    put(&line, EXTRA64, 2);
    put(&line, 24, 2);
    put(&line, zip->size, 8);
    put(&line, zip->size, 8);
    put(&line, zip->begin, 8);
    list_bytes(zip, line.bytes, line.size);
}

apr_status_t kc_zip_end(kc_zip_t *zip)
{
    record_t descriptor = { .size = 0 };

    put(&descriptor, DESCRIPTOR, 4);
    put(&descriptor, zip->crc, 4);
    put(&descriptor, zip->size, 8);
    put(&descriptor, zip->size, 8);
    write_out(zip, descriptor.bytes, descriptor.size);
    list_file(zip);
    zip->files++;
    return zip->rv;
}

static void copy_list(kc_zip_t *zip)
{
    char buffer[8192];
    apr_off_t start = 0;
    apr_status_t rv = apr_file_seek(zip->list, APR_SET, &start);
    apr_size_t size;

    while (zip->rv == APR_SUCCESS && rv == APR_SUCCESS) {
        size = sizeof(buffer);
        rv = apr_file_read(zip->list, buffer, &size);
        if (rv == APR_SUCCESS) {
            write_out(zip, buffer, size);
        }
    }
    if (zip->rv == APR_SUCCESS && rv != APR_EOF) {
        zip->rv = rv;
    }
}

apr_status_t kc_zip_close(kc_zip_t *zip)
{
    apr_uint64_t begin = zip->written, end;
    record_t last = { .size = 0 };

    copy_list(zip);
    end = zip->written;
    put(&last, END64, 4);
    put(&last, 44, 8); /* the rest of this record */
    put(&last, MADE_BY, 2);
    put(&last, VERSION, 2);
    put(&last, 0, 8); /* disks */
    put(&last, zip->files, 8);
    put(&last, zip->files, 8);
    put(&last, end - begin, 8);
    put(&last, begin, 8);
    put(&last, END64_LOCATOR, 4);
    put(&last, 0, 4);
    put(&last, end, 8);
    put(&last, 1, 4);
    put(&last, END, 4);
    put(&last, 0, 4);
    put(&last, 0xFFFF, 2); /* all of these: see the zip64 record */
    put(&last, 0xFFFF, 2);
    put(&last, IN_EXTRA, 4);
    put(&last, IN_EXTRA, 4);
    put(&last, 0, 2);
    return write_out(zip, last.bytes, last.size);
}
