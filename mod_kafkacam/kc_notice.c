#include "kc_notice.h"

#include <stdlib.h>
#include <string.h>
#include <apr_strings.h>
#include <apr_time.h>
#include <turbojpeg.h>

#define DEFAULT_WIDTH  640
#define DEFAULT_HEIGHT 360

/* Wider or higher ones are halved until they fit: a record's headers may claim anything. */
#define MAX_SIDE 4096

#define QUALITY 75

/* Video levels of grey, as the camera's pictures have them. */
#define BACKGROUND 28
#define BRIGHT     225
#define DIM        150

/* Room for a name on one line; longer ones end in "...". */
#define MAX_LETTERS 28

/* A letter is 5 dots wide and 7 high, two more below the line; one dot apart. */
#define LETTER_WIDTH  5
#define LETTER_HEIGHT 9
#define LETTER_STEP   6

/* From space to ~. Each row is five bits, the highest one on the left. */
static const unsigned char letters['~' - ' ' + 1][LETTER_HEIGHT] = {
    { 0, 0, 0, 0, 0, 0, 0, 0, 0 },                                     /* space */
    { 0x04, 0x04, 0x04, 0x04, 0x04, 0x00, 0x04, 0, 0 },                /* ! */
    { 0x0A, 0x0A, 0x0A, 0x00, 0x00, 0x00, 0x00, 0, 0 },                /* " */
    { 0x0A, 0x0A, 0x1F, 0x0A, 0x1F, 0x0A, 0x0A, 0, 0 },                /* # */
    { 0x04, 0x0F, 0x14, 0x0E, 0x05, 0x1E, 0x04, 0, 0 },                /* $ */
    { 0x18, 0x19, 0x02, 0x04, 0x08, 0x13, 0x03, 0, 0 },                /* % */
    { 0x08, 0x14, 0x14, 0x08, 0x15, 0x12, 0x0D, 0, 0 },                /* & */
    { 0x04, 0x04, 0x08, 0x00, 0x00, 0x00, 0x00, 0, 0 },                /* ' */
    { 0x02, 0x04, 0x08, 0x08, 0x08, 0x04, 0x02, 0, 0 },                /* ( */
    { 0x08, 0x04, 0x02, 0x02, 0x02, 0x04, 0x08, 0, 0 },                /* ) */
    { 0x00, 0x04, 0x15, 0x0E, 0x15, 0x04, 0x00, 0, 0 },                /* * */
    { 0x00, 0x04, 0x04, 0x1F, 0x04, 0x04, 0x00, 0, 0 },                /* + */
    { 0x00, 0x00, 0x00, 0x00, 0x00, 0x0C, 0x04, 0x08, 0 },             /* , */
    { 0x00, 0x00, 0x00, 0x1F, 0x00, 0x00, 0x00, 0, 0 },                /* - */
    { 0x00, 0x00, 0x00, 0x00, 0x00, 0x0C, 0x0C, 0, 0 },                /* . */
    { 0x00, 0x01, 0x02, 0x04, 0x08, 0x10, 0x00, 0, 0 },                /* / */
    { 0x0E, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0E, 0, 0 },                /* 0 */
    { 0x04, 0x0C, 0x04, 0x04, 0x04, 0x04, 0x0E, 0, 0 },                /* 1 */
    { 0x0E, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1F, 0, 0 },                /* 2 */
    { 0x1F, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0E, 0, 0 },                /* 3 */
    { 0x02, 0x06, 0x0A, 0x12, 0x1F, 0x02, 0x02, 0, 0 },                /* 4 */
    { 0x1F, 0x10, 0x1E, 0x01, 0x01, 0x11, 0x0E, 0, 0 },                /* 5 */
    { 0x06, 0x08, 0x10, 0x1E, 0x11, 0x11, 0x0E, 0, 0 },                /* 6 */
    { 0x1F, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08, 0, 0 },                /* 7 */
    { 0x0E, 0x11, 0x11, 0x0E, 0x11, 0x11, 0x0E, 0, 0 },                /* 8 */
    { 0x0E, 0x11, 0x11, 0x0F, 0x01, 0x02, 0x0C, 0, 0 },                /* 9 */
    { 0x00, 0x0C, 0x0C, 0x00, 0x0C, 0x0C, 0x00, 0, 0 },                /* : */
    { 0x00, 0x0C, 0x0C, 0x00, 0x00, 0x0C, 0x04, 0x08, 0 },             /* ; */
    { 0x02, 0x04, 0x08, 0x10, 0x08, 0x04, 0x02, 0, 0 },                /* < */
    { 0x00, 0x00, 0x1F, 0x00, 0x1F, 0x00, 0x00, 0, 0 },                /* = */
    { 0x08, 0x04, 0x02, 0x01, 0x02, 0x04, 0x08, 0, 0 },                /* > */
    { 0x0E, 0x11, 0x01, 0x02, 0x04, 0x00, 0x04, 0, 0 },                /* ? */
    { 0x0E, 0x11, 0x17, 0x15, 0x17, 0x10, 0x0E, 0, 0 },                /* @ */
    { 0x0E, 0x11, 0x11, 0x1F, 0x11, 0x11, 0x11, 0, 0 },                /* A */
    { 0x1E, 0x11, 0x11, 0x1E, 0x11, 0x11, 0x1E, 0, 0 },                /* B */
    { 0x0E, 0x11, 0x10, 0x10, 0x10, 0x11, 0x0E, 0, 0 },                /* C */
    { 0x1C, 0x12, 0x11, 0x11, 0x11, 0x12, 0x1C, 0, 0 },                /* D */
    { 0x1F, 0x10, 0x10, 0x1E, 0x10, 0x10, 0x1F, 0, 0 },                /* E */
    { 0x1F, 0x10, 0x10, 0x1E, 0x10, 0x10, 0x10, 0, 0 },                /* F */
    { 0x0E, 0x11, 0x10, 0x17, 0x11, 0x11, 0x0F, 0, 0 },                /* G */
    { 0x11, 0x11, 0x11, 0x1F, 0x11, 0x11, 0x11, 0, 0 },                /* H */
    { 0x0E, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0E, 0, 0 },                /* I */
    { 0x07, 0x02, 0x02, 0x02, 0x02, 0x12, 0x0C, 0, 0 },                /* J */
    { 0x11, 0x12, 0x14, 0x18, 0x14, 0x12, 0x11, 0, 0 },                /* K */
    { 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1F, 0, 0 },                /* L */
    { 0x11, 0x1B, 0x15, 0x15, 0x11, 0x11, 0x11, 0, 0 },                /* M */
    { 0x11, 0x19, 0x19, 0x15, 0x13, 0x13, 0x11, 0, 0 },                /* N */
    { 0x0E, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0E, 0, 0 },                /* O */
    { 0x1E, 0x11, 0x11, 0x1E, 0x10, 0x10, 0x10, 0, 0 },                /* P */
    { 0x0E, 0x11, 0x11, 0x11, 0x15, 0x12, 0x0D, 0, 0 },                /* Q */
    { 0x1E, 0x11, 0x11, 0x1E, 0x14, 0x12, 0x11, 0, 0 },                /* R */
    { 0x0F, 0x10, 0x10, 0x0E, 0x01, 0x01, 0x1E, 0, 0 },                /* S */
    { 0x1F, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04, 0, 0 },                /* T */
    { 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0E, 0, 0 },                /* U */
    { 0x11, 0x11, 0x11, 0x11, 0x0A, 0x0A, 0x04, 0, 0 },                /* V */
    { 0x11, 0x11, 0x11, 0x15, 0x15, 0x15, 0x0A, 0, 0 },                /* W */
    { 0x11, 0x11, 0x0A, 0x04, 0x0A, 0x11, 0x11, 0, 0 },                /* X */
    { 0x11, 0x11, 0x0A, 0x04, 0x04, 0x04, 0x04, 0, 0 },                /* Y */
    { 0x1F, 0x01, 0x02, 0x04, 0x08, 0x10, 0x1F, 0, 0 },                /* Z */
    { 0x0E, 0x08, 0x08, 0x08, 0x08, 0x08, 0x0E, 0, 0 },                /* [ */
    { 0x00, 0x10, 0x08, 0x04, 0x02, 0x01, 0x00, 0, 0 },                /* \ */
    { 0x0E, 0x02, 0x02, 0x02, 0x02, 0x02, 0x0E, 0, 0 },                /* ] */
    { 0x04, 0x0A, 0x11, 0x00, 0x00, 0x00, 0x00, 0, 0 },                /* ^ */
    { 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x1F, 0 },             /* _ */
    { 0x08, 0x04, 0x02, 0x00, 0x00, 0x00, 0x00, 0, 0 },                /* ` */
    { 0x00, 0x00, 0x0E, 0x01, 0x0F, 0x11, 0x0F, 0, 0 },                /* a */
    { 0x10, 0x10, 0x1E, 0x11, 0x11, 0x11, 0x1E, 0, 0 },                /* b */
    { 0x00, 0x00, 0x0E, 0x11, 0x10, 0x11, 0x0E, 0, 0 },                /* c */
    { 0x01, 0x01, 0x0F, 0x11, 0x11, 0x11, 0x0F, 0, 0 },                /* d */
    { 0x00, 0x00, 0x0E, 0x11, 0x1F, 0x10, 0x0E, 0, 0 },                /* e */
    { 0x06, 0x09, 0x08, 0x1C, 0x08, 0x08, 0x08, 0, 0 },                /* f */
    { 0x00, 0x00, 0x0F, 0x11, 0x11, 0x11, 0x0F, 0x01, 0x0E },          /* g */
    { 0x10, 0x10, 0x16, 0x19, 0x11, 0x11, 0x11, 0, 0 },                /* h */
    { 0x04, 0x00, 0x0C, 0x04, 0x04, 0x04, 0x0E, 0, 0 },                /* i */
    { 0x02, 0x00, 0x06, 0x02, 0x02, 0x02, 0x02, 0x12, 0x0C },          /* j */
    { 0x10, 0x10, 0x12, 0x14, 0x18, 0x14, 0x12, 0, 0 },                /* k */
    { 0x0C, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0E, 0, 0 },                /* l */
    { 0x00, 0x00, 0x1A, 0x15, 0x15, 0x15, 0x15, 0, 0 },                /* m */
    { 0x00, 0x00, 0x16, 0x19, 0x11, 0x11, 0x11, 0, 0 },                /* n */
    { 0x00, 0x00, 0x0E, 0x11, 0x11, 0x11, 0x0E, 0, 0 },                /* o */
    { 0x00, 0x00, 0x1E, 0x11, 0x11, 0x11, 0x1E, 0x10, 0x10 },          /* p */
    { 0x00, 0x00, 0x0F, 0x11, 0x11, 0x11, 0x0F, 0x01, 0x01 },          /* q */
    { 0x00, 0x00, 0x16, 0x19, 0x10, 0x10, 0x10, 0, 0 },                /* r */
    { 0x00, 0x00, 0x0F, 0x10, 0x0E, 0x01, 0x1E, 0, 0 },                /* s */
    { 0x08, 0x08, 0x1C, 0x08, 0x08, 0x09, 0x06, 0, 0 },                /* t */
    { 0x00, 0x00, 0x11, 0x11, 0x11, 0x13, 0x0D, 0, 0 },                /* u */
    { 0x00, 0x00, 0x11, 0x11, 0x11, 0x0A, 0x04, 0, 0 },                /* v */
    { 0x00, 0x00, 0x11, 0x11, 0x15, 0x15, 0x0A, 0, 0 },                /* w */
    { 0x00, 0x00, 0x11, 0x0A, 0x04, 0x0A, 0x11, 0, 0 },                /* x */
    { 0x00, 0x00, 0x11, 0x11, 0x11, 0x11, 0x0F, 0x01, 0x0E },          /* y */
    { 0x00, 0x00, 0x1F, 0x02, 0x04, 0x08, 0x1F, 0, 0 },                /* z */
    { 0x02, 0x04, 0x04, 0x08, 0x04, 0x04, 0x02, 0, 0 },                /* { */
    { 0x04, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04, 0, 0 },                /* | */
    { 0x08, 0x04, 0x04, 0x02, 0x04, 0x04, 0x08, 0, 0 },                /* } */
    { 0x00, 0x00, 0x08, 0x15, 0x02, 0x00, 0x00, 0, 0 },                /* ~ */
};

typedef struct {
    unsigned char *light; /* the luminance plane */
    int width;            /* even, as TurboJPEG wants its planes: a dot more than the picture at most */
    int height;
} canvas_t;

/* Parts that lie outside of the canvas are left out. */
static void fill(canvas_t *canvas, int x, int y, int side, unsigned char light)
{
    int right = x + side < canvas->width ? x + side : canvas->width;
    int below = y + side < canvas->height ? y + side : canvas->height;

    x = x > 0 ? x : 0;
    for (y = y > 0 ? y : 0; y < below && x < right; y++) {
        memset(canvas->light + (size_t)y * (size_t)canvas->width + x, light, (size_t)(right - x));
    }
}

static void draw_letter(canvas_t *canvas, char letter, int x, int y, int dot, unsigned char light)
{
    const unsigned char *rows = letters[letter - ' '];
    int row, column;

    for (row = 0; row < LETTER_HEIGHT; row++) {
        for (column = 0; column < LETTER_WIDTH; column++) {
            if (rows[row] & (0x10 >> column)) {
                fill(canvas, x + column * dot, y + row * dot, dot, light);
            }
        }
    }
}

/* The largest dots that fit text into the share of the width, at most wanted, at least 1. */
static int fitting_dot(const canvas_t *canvas, const char *text, int wanted)
{
    int fits = canvas->width * 9 / 10 / ((int)strlen(text) * LETTER_STEP + 1);

    return fits < 1 ? 1 : fits < wanted ? fits : wanted;
}

static void draw_line(canvas_t *canvas, const char *text, int y, int dot, unsigned char light)
{
    int x = (canvas->width - (int)strlen(text) * LETTER_STEP * dot) / 2;

    for (; *text; text++) {
        draw_letter(canvas, *text, x, y, dot, light);
        x += LETTER_STEP * dot;
    }
}

static void write_name(char *text, size_t size, apr_uint32_t cam, const char *name)
{
    const char *letter = name;

    while (*letter >= ' ' && *letter <= '~') {
        letter++;
    }
    if (*letter || !*name) {
        apr_snprintf(text, size, "Camera %u", cam);
    }
    else if (letter - name > MAX_LETTERS) {
        apr_snprintf(text, size, "%.*s...", MAX_LETTERS - 3, name);
    }
    else {
        apr_cpystrn(text, name, size);
    }
}

static void write_since(char *text, size_t size, apr_time_t since, apr_time_t now)
{
    apr_time_exp_t then, today;

    if (!since || apr_time_exp_lt(&then, since) != APR_SUCCESS
        || apr_time_exp_lt(&today, now) != APR_SUCCESS) {
        apr_cpystrn(text, since ? "offline" : "no picture yet", size);
        return;
    }
    if (then.tm_year == today.tm_year && then.tm_yday == today.tm_yday) {
        apr_snprintf(text, size, "offline since %02d:%02d:%02d", then.tm_hour, then.tm_min,
                     then.tm_sec);
    }
    else {
        apr_snprintf(text, size, "offline since %04d-%02d-%02d %02d:%02d", then.tm_year + 1900,
                     then.tm_mon + 1, then.tm_mday, then.tm_hour, then.tm_min);
    }
}

static void draw(canvas_t *canvas, const char *name, const char *since)
{
    int wanted = canvas->width / 120 + 1;
    int large = fitting_dot(canvas, name, wanted + wanted / 2);
    int small = fitting_dot(canvas, since, wanted);
    int middle = canvas->height / 2;

    memset(canvas->light, BACKGROUND, (size_t)canvas->width * (size_t)canvas->height);
    draw_line(canvas, name, middle - (LETTER_HEIGHT + 2) * large, large, BRIGHT);
    draw_line(canvas, since, middle + 2 * small, small, DIM);
}

/* 4:2:0 like the cameras' pictures, not grey alone: a decoder need not change its format. */
static kc_frame_t *compress(const canvas_t *canvas, apr_uint32_t cam, int width, int height)
{
    size_t colours = (size_t)(canvas->width / 2) * (size_t)(canvas->height / 2);
    unsigned char *colour = malloc(colours);
    const unsigned char *planes[3] = { canvas->light, colour, colour };
    tjhandle encoder = tjInitCompress();
    unsigned char *jpeg = NULL;
    unsigned long size = 0;
    kc_frame_t *frame;

    if (!colour || !encoder) {
        abort(); /* out of memory */
    }
    memset(colour, 128, colours);
    if (tjCompressFromYUVPlanes(encoder, planes, width, NULL, height, TJSAMP_420, &jpeg, &size,
                                QUALITY, TJFLAG_FASTDCT)) {
        abort(); /* nothing else can go wrong with sizes that were checked */
    }
    frame = kc_frame_create(KC_FRAME_NOTICE, cam, size);
    memcpy(frame->data, jpeg, size);
    tjFree(jpeg);
    tjDestroy(encoder);
    free(colour);
    return frame;
}

kc_frame_t *kc_notice_create(apr_uint32_t cam, const char *name, apr_time_t since, apr_time_t now,
                             apr_uint32_t width, apr_uint32_t height)
{
    char shown_name[64], shown_since[64];
    canvas_t canvas;
    kc_frame_t *frame;

    if (!width || !height) {
        width = DEFAULT_WIDTH;
        height = DEFAULT_HEIGHT;
    }
    while (width > MAX_SIDE || height > MAX_SIDE) {
        width = (width + 1) / 2;
        height = (height + 1) / 2;
    }
    canvas.width = (int)(width + 1) / 2 * 2;
    canvas.height = (int)(height + 1) / 2 * 2;
    canvas.light = malloc((size_t)canvas.width * (size_t)canvas.height);
    if (!canvas.light) {
        abort();
    }
    write_name(shown_name, sizeof(shown_name), cam, name);
    write_since(shown_since, sizeof(shown_since), since, now);
    draw(&canvas, shown_name, shown_since);
    frame = compress(&canvas, cam, (int)width, (int)height);
    free(canvas.light);
    frame->captured = frame->arrived = now;
    frame->width = width;
    frame->height = height;
    return frame;
}
