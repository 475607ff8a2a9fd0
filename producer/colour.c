#include "config.h"
#include "colour.h"

#include <string.h>

/* The loops below are written for the compiler's vectoriser: 16 bit all the way, products taken as
 * their upper half, so that one AVX2 instruction does 16 pixels. */
#ifdef HAVE_TARGET_CLONES
#define CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CLONES
#endif

/* The multiples of one conversion. Chroma works on (c - 128) * 256, luma on (y - offset) * 128; each
 * product's upper 16 bits are then 64ths of a step. */
struct colour_factors {
    uint16_t luma_offset;
    uint16_t luma;   /* 32768ths */
    int16_t luma_cb; /* 16384ths, what BT.709 to BT.601 adds to luma for chroma */
    int16_t luma_cr;
    int16_t cb_cb, cb_cr; /* 16384ths */
    int16_t cr_cb, cr_cr;
};

#define LIMITED_LUMA   (255.0 / 219.0)
#define LIMITED_CHROMA (255.0 / 224.0)

/* BT.709 to RGB to BT.601 multiplied out, for full range. Luma's own factor is 1. */
#define LUMA_CB 0.101579
#define LUMA_CR 0.196076
#define CB_CB   0.989854
#define CB_CR   (-0.110653)
#define CR_CB   (-0.072453)
#define CR_CR   0.983398

#define TO_16384(x) ((int16_t)((x)*16384 + ((x) < 0 ? -0.5 : 0.5)))

static const struct colour_factors factors[2][2] = {
    /* [full range][BT.709] */
    { { 16, (uint16_t)(LIMITED_LUMA * 32768 + 0.5), 0, 0, TO_16384(LIMITED_CHROMA), 0, 0,
        TO_16384(LIMITED_CHROMA) },
      { 16, (uint16_t)(LIMITED_LUMA * 32768 + 0.5), TO_16384(LUMA_CB *LIMITED_CHROMA),
        TO_16384(LUMA_CR *LIMITED_CHROMA), TO_16384(CB_CB *LIMITED_CHROMA),
        TO_16384(CB_CR *LIMITED_CHROMA), TO_16384(CR_CB *LIMITED_CHROMA),
        TO_16384(CR_CR *LIMITED_CHROMA) } },
    { { 0, 32768, 0, 0, 16384, 0, 0, 16384 },
      { 0, 32768, TO_16384(LUMA_CB), TO_16384(LUMA_CR), TO_16384(CB_CB), TO_16384(CB_CR),
        TO_16384(CR_CB), TO_16384(CR_CR) } },
};

/* In two steps of 16 bits, so that the vectoriser sees a maximum and a minimum. */
static inline uint8_t clip(int16_t value)
{
    int16_t above = (int16_t)(value < 0 ? 0 : value);
    int16_t between = (int16_t)(above > 255 ? 255 : above);

    return (uint8_t)between;
}

static inline int16_t upper_half(int16_t a, int16_t b)
{
    return (int16_t)(((int32_t)a * b) >> 16);
}

/* One row of luma of which nothing depends on chroma. */
CLONES static void luma_row(uint8_t *restrict out, const uint8_t *restrict in, int width,
                            const struct colour_factors *f)
{
    const uint16_t offset = f->luma_offset;
    const uint16_t factor = f->luma;
    int x;

    for (x = 0; x < width; x++) {
        uint16_t y = in[x];

        y = (uint16_t)((y < offset ? offset : y) - offset);
        y = (uint16_t)(((uint32_t)(uint16_t)(y << 7) * factor) >> 16);
        y = (uint16_t)((uint16_t)(y + 32) >> 6);
        y = (uint16_t)(y > 255 ? 255 : y);
        out[x] = (uint8_t)y;
    }
}

/* The same with shift[x / 2], 64ths, added. */
CLONES static void luma_row_shifted(uint8_t *restrict out, const uint8_t *restrict in, int width,
                                    const int16_t *restrict shift, const struct colour_factors *f)
{
    const uint16_t offset = f->luma_offset;
    const uint16_t factor = f->luma;
    int x;

    for (x = 0; x < width; x++) {
        uint16_t y = in[x];

        y = (uint16_t)((y < offset ? offset : y) - offset);
        y = (uint16_t)(((uint32_t)(uint16_t)(y << 7) * factor) >> 16);
        out[x] = clip((int16_t)((int16_t)((int16_t)y + shift[x]) >> 6));
    }
}

/* What chroma adds to luma, once for each pixel of the two rows it covers, rounding included. */
CLONES static void shift_row(int16_t *restrict shift, const uint8_t *restrict cb,
                             const uint8_t *restrict cr, int width, const struct colour_factors *f)
{
    const int16_t from_cb = f->luma_cb;
    const int16_t from_cr = f->luma_cr;
    int x;

    for (x = 0; x < width; x++) {
        int16_t u = (int16_t)((cb[x] - 128) * 256);
        int16_t v = (int16_t)((cr[x] - 128) * 256);
        int16_t sum = (int16_t)(upper_half(u, from_cb) + upper_half(v, from_cr) + 32);

        shift[2 * x] = sum;
        shift[2 * x + 1] = sum;
    }
}

CLONES static void chroma_row(uint8_t *restrict out_cb, uint8_t *restrict out_cr,
                              const uint8_t *restrict cb, const uint8_t *restrict cr, int width,
                              const struct colour_factors *f)
{
    const int16_t cb_cb = f->cb_cb, cb_cr = f->cb_cr;
    const int16_t cr_cb = f->cr_cb, cr_cr = f->cr_cr;
    int x;

    for (x = 0; x < width; x++) {
        int16_t u = (int16_t)((cb[x] - 128) * 256);
        int16_t v = (int16_t)((cr[x] - 128) * 256);
        int16_t new_u = (int16_t)(upper_half(u, cb_cb) + upper_half(v, cb_cr) + 128 * 64 + 32);
        int16_t new_v = (int16_t)(upper_half(u, cr_cb) + upper_half(v, cr_cr) + 128 * 64 + 32);

        out_cb[x] = clip((int16_t)(new_u >> 6));
        out_cr[x] = clip((int16_t)(new_v >> 6));
    }
}

int colour_needed(const struct picture *in)
{
    return !in->full_range || in->bt709;
}

static int chroma_of(int size)
{
    return (size + 1) / 2;
}

/* Planes first, then the line of shifts; each begins at a multiple of 64. */
static size_t aligned(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

size_t colour_size(int width, int height)
{
    size_t luma = aligned((size_t)width) * (size_t)height;
    size_t chroma = aligned((size_t)chroma_of(width)) * (size_t)chroma_of(height);

    return luma + 2 * chroma + 2 * sizeof(int16_t) * (size_t)chroma_of(width) + 64;
}

void colour_convert(struct picture *out, const struct picture *in, uint8_t *buffer)
{
    const struct colour_factors *f = &factors[in->full_range != 0][in->bt709 != 0];
    size_t luma_stride = aligned((size_t)in->width);
    size_t chroma_stride = aligned((size_t)chroma_of(in->width));
    uint8_t *luma = buffer + (aligned((size_t)buffer) - (size_t)buffer);
    uint8_t *cb = luma + luma_stride * (size_t)in->height;
    uint8_t *cr = cb + chroma_stride * (size_t)chroma_of(in->height);
    int16_t *shift = (int16_t *)(void *)(cr + chroma_stride * (size_t)chroma_of(in->height));
    int x;
    int y;

    for (y = 0; y < in->height; y++) {
        const uint8_t *in_luma = in->planes[0] + (ptrdiff_t)y * in->strides[0];
        const uint8_t *in_cb = in->planes[1] + (ptrdiff_t)(y / 2) * in->strides[1];
        const uint8_t *in_cr = in->planes[2] + (ptrdiff_t)(y / 2) * in->strides[2];

        if (y % 2 == 0) {
            x = chroma_of(in->width);
            chroma_row(cb + chroma_stride * (size_t)(y / 2), cr + chroma_stride * (size_t)(y / 2),
                       in_cb, in_cr, x, f);
            if (in->bt709) {
                shift_row(shift, in_cb, in_cr, x, f);
            }
        }
        if (in->bt709) {
            luma_row_shifted(luma + luma_stride * (size_t)y, in_luma, in->width, shift, f);
        }
        else {
            luma_row(luma + luma_stride * (size_t)y, in_luma, in->width, f);
        }
    }
    memset(out, 0, sizeof(*out));
    out->planes[0] = luma;
    out->planes[1] = cb;
    out->planes[2] = cr;
    out->strides[0] = (int)luma_stride;
    out->strides[1] = out->strides[2] = (int)chroma_stride;
    out->width = in->width;
    out->height = in->height;
    out->format = PICTURE_I420;
    out->full_range = 1;
    out->aspect_num = in->aspect_num;
    out->aspect_den = in->aspect_den;
}
