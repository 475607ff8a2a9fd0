#include "config.h"
#include "colour.h"

#include <string.h>

/* The loops below are written for the compiler's vectoriser: 16 bits all the way, so that one AVX2
 * instruction does 16 pixels, and as few steps a pixel as there can be: they, not memory, are what
 * this costs. */
#ifdef HAVE_TARGET_CLONES
#define CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CLONES
#endif

/* The multiples of one conversion. Luma is what it was and a bit, since the whole of it does not
 * fit into 16 bits. */
struct colour_factors {
    int16_t luma_base;        /* 256ths, added to each luma, rounding included */
    uint16_t luma_more;       /* 65536ths, of luma */
    int16_t luma_cb, luma_cr; /* 256ths, what BT.709 to BT.601 adds to luma for chroma */
    int16_t cb_cb, cb_cr;     /* 128ths */
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

#define PARTS(x, parts) ((int16_t)((x) * (parts) + ((x) < 0 ? -0.5 : 0.5)))
#define LUMA_BASE       PARTS(-16 * LIMITED_LUMA * 256 + 128, 1)
#define LUMA_MORE       PARTS(LIMITED_LUMA - 1, 65536)

static const struct colour_factors factors[2][2] = {
    /* [full range][BT.709] */
    { { LUMA_BASE, LUMA_MORE, 0, 0, PARTS(LIMITED_CHROMA, 128), 0, 0, PARTS(LIMITED_CHROMA, 128) },
      { LUMA_BASE, LUMA_MORE, PARTS(LUMA_CB *LIMITED_CHROMA, 256),
        PARTS(LUMA_CR *LIMITED_CHROMA, 256), PARTS(CB_CB *LIMITED_CHROMA, 128),
        PARTS(CB_CR *LIMITED_CHROMA, 128), PARTS(CR_CB *LIMITED_CHROMA, 128),
        PARTS(CR_CR *LIMITED_CHROMA, 128) } },
    { { 128, 0, 0, 0, 128, 0, 0, 128 },
      { 128, 0, PARTS(LUMA_CB, 256), PARTS(LUMA_CR, 256), PARTS(CB_CB, 128), PARTS(CB_CR, 128),
        PARTS(CR_CB, 128), PARTS(CR_CR, 128) } },
};

/* In two steps of 16 bits, so that the vectoriser sees a maximum and a minimum. */
static inline uint8_t clip(int16_t value)
{
    int16_t above = (int16_t)(value < 0 ? 0 : value);
    int16_t between = (int16_t)(above > 255 ? 255 : above);

    return (uint8_t)between;
}

/* One row of luma. more[x], 256ths, is what the pixel's chroma and the range add. */
CLONES static void luma_row(uint8_t *restrict out, const uint8_t *restrict in,
                            const int16_t *restrict more, int width, uint16_t factor)
{
    int x;

    for (x = 0; x < width; x++) {
        int16_t y = in[x];
        int16_t grown = (int16_t)(((uint32_t)(uint16_t)(y << 8) * factor) >> 16);

        out[x] = clip((int16_t)(y + ((int16_t)(grown + more[x]) >> 8)));
    }
}

/* One row of chroma, and what it adds to the two rows of luma it covers, once for each pixel. */
CLONES static void chroma_row(uint8_t *restrict out_cb, uint8_t *restrict out_cr,
                              int16_t *restrict more, const uint8_t *restrict cb,
                              const uint8_t *restrict cr, int width, const struct colour_factors *f)
{
    const int16_t base = f->luma_base, luma_cb = f->luma_cb, luma_cr = f->luma_cr;
    const int16_t cb_cb = f->cb_cb, cb_cr = f->cb_cr;
    const int16_t cr_cb = f->cr_cb, cr_cr = f->cr_cr;
    int x;

    for (x = 0; x < width; x++) {
        int16_t u = (int16_t)(cb[x] - 128);
        int16_t v = (int16_t)(cr[x] - 128);
        int16_t new_u = (int16_t)((int16_t)(u * cb_cb) + (int16_t)(v * cb_cr) + 64);
        int16_t new_v = (int16_t)((int16_t)(u * cr_cb) + (int16_t)(v * cr_cr) + 64);
        int16_t sum = (int16_t)((int16_t)(u * luma_cb) + (int16_t)(v * luma_cr) + base);

        out_cb[x] = clip((int16_t)((new_u >> 7) + 128));
        out_cr[x] = clip((int16_t)((new_v >> 7) + 128));
        more[2 * x] = sum;
        more[2 * x + 1] = sum;
    }
}

static int chroma_of(int size)
{
    return (size + 1) / 2;
}

size_t colour_scratch_size(int width)
{
    return 2 * sizeof(int16_t) * (size_t)chroma_of(width);
}

static void copy_line(const struct colour_lines *out, int plane, int line, const uint8_t *in,
                      int width)
{
    memcpy(out->planes[plane] + (ptrdiff_t)line * out->strides[plane], in, (size_t)width);
}

static const uint8_t *line_of(const struct picture *in, int plane, int line)
{
    return in->planes[plane] + (ptrdiff_t)line * in->strides[plane];
}

static void copy(const struct colour_lines *out, const struct picture *in, int first, int count)
{
    int y;

    for (y = 0; y < count; y++) {
        copy_line(out, 0, y, line_of(in, 0, first + y), in->width);
        if (y % 2 == 0) {
            copy_line(out, 1, y / 2, line_of(in, 1, (first + y) / 2), chroma_of(in->width));
            copy_line(out, 2, y / 2, line_of(in, 2, (first + y) / 2), chroma_of(in->width));
        }
    }
}

void colour_convert(const struct colour_lines *out, const struct picture *in, int first, int count)
{
    const struct colour_factors *f = &factors[in->full_range != 0][in->bt709 != 0];
    int y;

    if (in->full_range && !in->bt709) {
        copy(out, in, first, count);
        return;
    }
    for (y = 0; y < count; y++) {
        if (y % 2 == 0) {
            chroma_row(out->planes[1] + (ptrdiff_t)(y / 2) * out->strides[1],
                       out->planes[2] + (ptrdiff_t)(y / 2) * out->strides[2], out->scratch,
                       line_of(in, 1, (first + y) / 2), line_of(in, 2, (first + y) / 2),
                       chroma_of(in->width), f);
        }
        luma_row(out->planes[0] + (ptrdiff_t)y * out->strides[0], line_of(in, 0, first + y),
                 out->scratch, in->width, f->luma_more);
    }
}
