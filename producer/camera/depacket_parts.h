/* What depacket.c and its two kinds of payload share: the unit that is being put together. */
#ifndef DEPACKET_PARTS_H
#define DEPACKET_PARTS_H

#include "depacket_unit.h"
#include "rtp.h"
#include "sdp.h"

/* What a packet begins with, seen from the picture that is being put together. */
enum look {
    LOOK_FIRST,  /* a picture's first piece */
    LOOK_MORE,   /* another piece of one */
    LOOK_BEFORE, /* what stands before a picture: parameter sets and their like */
    LOOK_AFTER   /* what belongs to the one before, or to nothing */
};

/* Quantisation tables of a JPEG camera by its Q, which it may send but once. */
struct jpeg_tables {
    uint8_t q;
    uint8_t bytes[512];
    size_t size;
    uint8_t precision;
};

#define JPEG_TABLES 4

struct depacket {
    enum sdp_codec codec;
    unsigned width, height; /* by the description */
    uint8_t *data;
    size_t size, capacity;
    struct depacket_unit unit; /* the flags while it is made; all of it when it is out */
    int has_picture;
    int open;  /* a fragment's end is still to come */
    int given; /* the unit is out, the next push begins another */
    int seen;  /* a picture's first piece was there once */
    int gap;   /* packets are missing right before the one that is being pushed */
    size_t next_begins;
    uint8_t *carried; /* of the next unit, come before this one's end was known */
    size_t carried_size, carried_capacity;
    int64_t carried_arrival_us;
    int marked, by_marker, clean;
    unsigned agreed, needed;
    size_t part;      /* of an MPEG-4 packet with several pictures, where the next begins */
    uint32_t jpeg_at; /* how much of the JPEG's scan is there */
    struct jpeg_tables tables[JPEG_TABLES];
    unsigned tables_used;
};

/* Add to the unit; beyond the limit it is damaged. */
void depacket_add(struct depacket *depacket, const void *bytes, size_t size);

/* Room for size bytes more at the end, NULL: too large. */
uint8_t *depacket_room(struct depacket *depacket, size_t size);

/* H.264 and H.265. */
enum look depacket_nal_look(const struct depacket *depacket, const struct rtp_packet *packet);
void depacket_nal_take(struct depacket *depacket, const struct rtp_packet *packet);

/* JPEG. */
enum look depacket_jpeg_look(const struct depacket *depacket, const struct rtp_packet *packet);
void depacket_jpeg_take(struct depacket *depacket, const struct rtp_packet *packet);
void depacket_jpeg_end(struct depacket *depacket);

#endif
