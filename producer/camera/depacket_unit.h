/* A unit: one coded picture as the camera sent it, put together from its packets. */
#ifndef DEPACKET_UNIT_H
#define DEPACKET_UNIT_H

#include <stddef.h>
#include <stdint.h>

/* The largest unit; and so many zero bytes stand behind each, as FFmpeg's decoders want it. */
#define DEPACKET_UNIT_MAX (16u << 20)
#define DEPACKET_PADDING  64

struct depacket_unit {
    uint8_t *data; /* NAL units behind start codes, a JPEG, MPEG-4 as it came */
    size_t size;
    uint32_t stamp;
    int64_t arrival_us; /* of its first packet */
    int key;            /* can be decoded without what came before */
    int reference;      /* others need it, in doubt yes */
    int lost;           /* packets went missing before it, or in it */
    int damaged;        /* something of it is missing, or is no such thing */
};

#endif
