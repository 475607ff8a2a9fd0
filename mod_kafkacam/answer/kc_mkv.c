#include "kc_mkv.h"

#include <string.h>

/* Elements, by the names of RFC 9559. */
#define EBML            0x1A45DFA3
#define EBML_VERSION    0x4286
#define EBML_READ       0x42F7
#define EBML_MAX_ID     0x42F2
#define EBML_MAX_SIZE   0x42F3
#define DOC_TYPE        0x4282
#define DOC_VERSION     0x4287
#define DOC_READ        0x4285
#define SEGMENT         0x18538067
#define INFO            0x1549A966
#define TIMESTAMP_SCALE 0x2AD7B1
#define DURATION        0x4489
#define DATE_UTC        0x4461
#define TITLE           0x7BA9
#define MUXING_APP      0x4D80
#define WRITING_APP     0x5741
#define TRACKS          0x1654AE6B
#define TRACK_ENTRY     0xAE
#define TRACK_NUMBER    0xD7
#define TRACK_UID       0x73C5
#define TRACK_TYPE      0x83
#define FLAG_LACING     0x9C
#define CODEC_ID        0x86
#define VIDEO           0xE0
#define PIXEL_WIDTH     0xB0
#define PIXEL_HEIGHT    0xBA
#define CLUSTER         0x1F43B675
#define TIMESTAMP       0xE7
#define SIMPLE_BLOCK    0xA3

#define UNKNOWN_SIZE UINT64_C(0x01FFFFFFFFFFFFFF)

/* Longer names are cut: everything must fit into KC_MKV_BEGIN_MAX. */
#define TITLE_MAX 256

/* 2001-01-01, where Matroska's dates begin, in seconds since 1970. */
#define MILLENNIUM INT64_C(978307200)

typedef struct {
    unsigned char *at;
} pen_t;

static void put_bytes(pen_t *pen, const void *bytes, apr_size_t size)
{
    memcpy(pen->at, bytes, size);
    pen->at += size;
}

/* The last so many bytes of number, the highest first. */
static void put_number(pen_t *pen, apr_uint64_t number, int size)
{
    while (size-- > 0) {
        *pen->at++ = (unsigned char)(number >> (8 * size));
    }
}

static void put_id(pen_t *pen, apr_uint32_t id)
{
    put_number(pen, id, id > 0xFFFFFF ? 4 : id > 0xFFFF ? 3 : id > 0xFF ? 2 : 1);
}

/* In 8 bytes, whatever it is: what is filled in later needs no other room. */
static void put_size(pen_t *pen, apr_uint64_t size)
{
    put_number(pen, size | UINT64_C(0x0100000000000000), 8);
}

static void put_uint(pen_t *pen, apr_uint32_t id, apr_uint64_t value)
{
    put_id(pen, id);
    put_size(pen, 8);
    put_number(pen, value, 8);
}

static void put_text(pen_t *pen, apr_uint32_t id, const char *text, apr_size_t size)
{
    put_id(pen, id);
    put_size(pen, size);
    put_bytes(pen, text, size);
}

static void put_float(pen_t *pen, apr_uint32_t id, double value)
{
    apr_uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    put_uint(pen, id, bits);
}

/* Elements in an element: its size is filled in when it ends. */
static unsigned char *open_element(pen_t *pen, apr_uint32_t id)
{
    put_id(pen, id);
    put_size(pen, 0);
    return pen->at;
}

static void close_element(pen_t *pen, unsigned char *begin)
{
    pen_t size = { begin - 8 };

    put_size(&size, (apr_uint64_t)(pen->at - begin));
}

static void put_header(pen_t *pen)
{
    unsigned char *begin = open_element(pen, EBML);

    put_uint(pen, EBML_VERSION, 1);
    put_uint(pen, EBML_READ, 1);
    put_uint(pen, EBML_MAX_ID, 4);
    put_uint(pen, EBML_MAX_SIZE, 8);
    put_text(pen, DOC_TYPE, "matroska", 8);
    put_uint(pen, DOC_VERSION, 4);
    put_uint(pen, DOC_READ, 2);
    close_element(pen, begin);
}

/* At most so many bytes, and no half of a character. */
static apr_size_t title_size(const char *title)
{
    apr_size_t size = strlen(title);

    if (size > TITLE_MAX) {
        for (size = TITLE_MAX; size > 0 && (title[size] & 0xC0) == 0x80; size--) {
        }
    }
    return size;
}

/* One tick is a microsecond. */
static void put_info(pen_t *pen, const kc_mkv_t *mkv)
{
    unsigned char *begin = open_element(pen, INFO);

    put_uint(pen, TIMESTAMP_SCALE, 1000);
    if (mkv->ended > mkv->began) {
        put_float(pen, DURATION, (double)(mkv->ended - mkv->began));
    }
    put_uint(pen, DATE_UTC,
             (apr_uint64_t)(mkv->began - MILLENNIUM * APR_USEC_PER_SEC) * UINT64_C(1000));
    put_text(pen, TITLE, mkv->title, title_size(mkv->title));
    put_text(pen, MUXING_APP, "kafkacam", 8);
    put_text(pen, WRITING_APP, "kafkacam", 8);
    close_element(pen, begin);
}

static void put_track(pen_t *pen, const kc_mkv_t *mkv)
{
    unsigned char *tracks = open_element(pen, TRACKS);
    unsigned char *track = open_element(pen, TRACK_ENTRY);
    unsigned char *video;

    put_uint(pen, TRACK_NUMBER, 1);
    put_uint(pen, TRACK_UID, 1);
    put_uint(pen, TRACK_TYPE, 1);
    put_uint(pen, FLAG_LACING, 0);
    put_text(pen, CODEC_ID, "V_MJPEG", 7);
    video = open_element(pen, VIDEO);
    put_uint(pen, PIXEL_WIDTH, mkv->width ? mkv->width : 1);
    put_uint(pen, PIXEL_HEIGHT, mkv->height ? mkv->height : 1);
    close_element(pen, video);
    close_element(pen, track);
    close_element(pen, tracks);
}

apr_size_t kc_mkv_begin(const kc_mkv_t *mkv, unsigned char text[KC_MKV_BEGIN_MAX])
{
    pen_t pen = { text };

    put_header(&pen);
    put_id(&pen, SEGMENT);
    put_number(&pen, UNKNOWN_SIZE, 8);
    put_info(&pen, mkv);
    put_track(&pen, mkv);
    return (apr_size_t)(pen.at - text);
}

/* A cluster of one block: track 1, no time after the cluster's, a key frame. */
apr_size_t kc_mkv_block(apr_interval_time_t after, apr_size_t size,
                        unsigned char text[KC_MKV_BLOCK_MAX])
{
    static const unsigned char block[] = { 0x81, 0, 0, 0x80 };
    /* The timestamp's and the block's own ids and sizes take 1 + 8 bytes each. */
    apr_uint64_t cluster = 9 + 8 + 9 + sizeof(block) + size;
    pen_t pen = { text };

    put_id(&pen, CLUSTER);
    put_size(&pen, cluster);
    put_uint(&pen, TIMESTAMP, (apr_uint64_t)after);
    put_id(&pen, SIMPLE_BLOCK);
    put_size(&pen, sizeof(block) + size);
    put_bytes(&pen, block, sizeof(block));
    return (apr_size_t)(pen.at - text);
}
