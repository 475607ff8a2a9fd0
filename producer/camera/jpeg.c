#include "jpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jpeglib.h>
#include <jerror.h>
#include "colour.h"
#include "log.h"
#include "mem.h"

/* libjpeg's own API, not TurboJPEG's: pictures go in by rows of MCUs, so each is converted right
 * before it is encoded, in 50 kB of memory that stay in the processor's cache. */

#define MCU        16 /* lines and columns of one with 4:2:0 */
#define ROOM_BEGIN 65536

struct jpeg {
    struct jpeg_error_mgr errors;
    jmp_buf failed;
    char why[JMSG_LENGTH_MAX];
    int complained;

    struct jpeg_compress_struct coder;
    struct jpeg_destination_mgr target;
    uint8_t *room; /* where the JPEG is written, grows as need be */
    size_t capacity;

    int width, height, quality; /* what the coder is set to, 0: nothing */
    uint8_t *memory;            /* of lines */
    struct colour_lines lines;  /* a row of MCUs */
    JSAMPROW rows[3][MCU];      /* the same, line by line */

    struct jpeg_decompress_struct reader;
    struct jpeg_source_mgr source;
    uint8_t *line; /* of the smaller picture */
    size_t line_size;
};

/* ---- libjpeg's callbacks ------------------------------------------------------------------ */

/* Must not return. */
static void on_error(j_common_ptr any)
{
    struct jpeg *jpeg = any->client_data;

    any->err->format_message(any, jpeg->why);
    longjmp(jpeg->failed, 1);
}

/* level is -1 for damage that libjpeg would conceal, above that for what it tells of its work.
 * Bytes between the picture and its end marker are none: cameras pad with zeros. */
static void on_message(j_common_ptr any, int level)
{
    if (level < 0 && any->err->msg_code != JWRN_EXTRANEOUS_DATA) {
        on_error(any);
    }
}

static void no_output(j_common_ptr any)
{
}

static void begin_target(j_compress_ptr coder)
{
    struct jpeg *jpeg = coder->client_data;

    jpeg->target.next_output_byte = jpeg->room;
    jpeg->target.free_in_buffer = jpeg->capacity;
}

static boolean more_target(j_compress_ptr coder)
{
    struct jpeg *jpeg = coder->client_data;
    size_t used = jpeg->capacity; /* all of it, whatever free_in_buffer says */

    jpeg->capacity *= 2;
    jpeg->room = mem_resize(jpeg->room, jpeg->capacity, 1);
    jpeg->target.next_output_byte = jpeg->room + used;
    jpeg->target.free_in_buffer = jpeg->capacity - used;
    return TRUE;
}

static void end_target(j_compress_ptr coder)
{
}

static void begin_source(j_decompress_ptr reader)
{
}

/* The whole JPEG is there, so more is wanted only if it ends too soon. */
static boolean more_source(j_decompress_ptr reader)
{
    on_error((j_common_ptr)reader);
    return FALSE;
}

static void skip_source(j_decompress_ptr reader, long count)
{
    if (count > 0 && (size_t)count > reader->src->bytes_in_buffer) {
        on_error((j_common_ptr)reader);
    }
    if (count > 0) {
        reader->src->next_input_byte += count;
        reader->src->bytes_in_buffer -= (size_t)count;
    }
}

static void end_source(j_decompress_ptr reader)
{
}

/* ---- Open and close ----------------------------------------------------------------------- */

static void set_callbacks(struct jpeg *jpeg)
{
    jpeg_std_error(&jpeg->errors);
    jpeg->errors.error_exit = on_error;
    jpeg->errors.emit_message = on_message;
    jpeg->errors.output_message = no_output;
    jpeg->target.init_destination = begin_target;
    jpeg->target.empty_output_buffer = more_target;
    jpeg->target.term_destination = end_target;
    jpeg->source.init_source = begin_source;
    jpeg->source.fill_input_buffer = more_source;
    jpeg->source.skip_input_data = skip_source;
    jpeg->source.resync_to_restart = jpeg_resync_to_restart;
    jpeg->source.term_source = end_source;
}

int jpeg_open(struct jpeg **result)
{
    struct jpeg *jpeg = mem_zeroed(1, sizeof(*jpeg));

    set_callbacks(jpeg);
    jpeg->coder.err = jpeg->reader.err = &jpeg->errors;
    jpeg->coder.client_data = jpeg->reader.client_data = jpeg;
    if (setjmp(jpeg->failed)) { /* another version than the headers' */
        log_error(1510, "libjpeg does not start: %s", jpeg->why);
        jpeg_close(jpeg);
        return -1;
    }
    jpeg_create_compress(&jpeg->coder);
    jpeg_create_decompress(&jpeg->reader);
    jpeg->coder.dest = &jpeg->target;
    jpeg->reader.src = &jpeg->source;
    jpeg->capacity = ROOM_BEGIN;
    jpeg->room = mem_resize(NULL, jpeg->capacity, 1);
    *result = jpeg;
    return 0;
}

void jpeg_close(struct jpeg *jpeg)
{
    if (!jpeg) {
        return;
    }
    jpeg_destroy_compress(&jpeg->coder);
    jpeg_destroy_decompress(&jpeg->reader);
    free(jpeg->room);
    free(jpeg->memory);
    free(jpeg->line);
    free(jpeg);
}

/* ---- Compress ----------------------------------------------------------------------------- */

/* Memory for one row of MCUs: whole ones, so the lines are longer than the picture's. */
static void make_lines(struct jpeg *jpeg, int width)
{
    int strides[3] = { (width + MCU - 1) / MCU * MCU };
    size_t luma = (size_t)strides[0] * MCU;
    uint8_t *next;
    int plane, y;

    strides[1] = strides[2] = strides[0] / 2;
    free(jpeg->memory);
    jpeg->memory = next = mem_zeroed(1, luma + luma / 2 + colour_scratch_size(width));
    for (plane = 0; plane < 3; plane++) {
        jpeg->lines.planes[plane] = next;
        jpeg->lines.strides[plane] = strides[plane];
        for (y = 0; y < (plane ? MCU / 2 : MCU); y++) {
            jpeg->rows[plane][y] = next;
            next += strides[plane];
        }
    }
    jpeg->lines.scratch = (int16_t *)(void *)next;
}

static void set_coder(struct jpeg *jpeg, int width, int height, int quality)
{
    struct jpeg_compress_struct *coder = &jpeg->coder;

    if (jpeg->width != width) {
        make_lines(jpeg, width);
    }
    jpeg->width = width;
    jpeg->height = height;
    jpeg->quality = quality;
    coder->image_width = (JDIMENSION)width;
    coder->image_height = (JDIMENSION)height;
    coder->input_components = 3;
    coder->in_color_space = JCS_YCbCr;
    jpeg_set_defaults(coder); /* 4:2:0 among them */
    jpeg_set_quality(coder, quality, TRUE);
    coder->raw_data_in = TRUE;
    coder->restart_in_rows = 1;
    coder->dct_method = JDCT_ISLOW;
}

/* To whole MCUs, with what is next to them: so the edge costs least. */
static void pad(const struct jpeg *jpeg, int plane, int width, int count)
{
    JSAMPROW const *rows = jpeg->rows[plane];
    int stride = jpeg->lines.strides[plane];
    int y;

    for (y = 0; y < (plane ? MCU / 2 : MCU); y++) {
        if (y < count) {
            memset(rows[y] + width, rows[y][width - 1], (size_t)(stride - width));
        }
        else {
            memcpy(rows[y], rows[count - 1], (size_t)stride);
        }
    }
}

static void encode(struct jpeg *jpeg, const struct picture *picture)
{
    JSAMPARRAY planes[3] = { jpeg->rows[0], jpeg->rows[1], jpeg->rows[2] };
    int first, count;

    jpeg_start_compress(&jpeg->coder, TRUE);
    for (first = 0; first < picture->height; first += MCU) {
        count = picture->height - first < MCU ? picture->height - first : MCU;
        colour_convert(&jpeg->lines, picture, first, count);
        pad(jpeg, 0, picture->width, count);
        pad(jpeg, 1, (picture->width + 1) / 2, (count + 1) / 2);
        pad(jpeg, 2, (picture->width + 1) / 2, (count + 1) / 2);
        jpeg_write_raw_data(&jpeg->coder, planes, MCU);
    }
    jpeg_finish_compress(&jpeg->coder);
}

int jpeg_compress(struct jpeg *jpeg, const struct picture *picture, int quality,
                  const uint8_t **data, size_t *size)
{
    if (setjmp(jpeg->failed)) {
        jpeg_abort_compress(&jpeg->coder);
        if (!jpeg->complained) {
            log_warning(1511, "no JPEG of %dx%d: %s", picture->width, picture->height, jpeg->why);
            jpeg->complained = 1;
        }
        return -1;
    }
    if (jpeg->width != picture->width || jpeg->height != picture->height ||
        jpeg->quality != quality) {
        set_coder(jpeg, picture->width, picture->height, quality);
    }
    encode(jpeg, picture);
    *data = jpeg->room;
    *size = jpeg->capacity - jpeg->target.free_in_buffer;
    return 0;
}

/* ---- Look into one ------------------------------------------------------------------------ */

static void read_through(struct jpeg *jpeg)
{
    struct jpeg_decompress_struct *reader = &jpeg->reader;

    jpeg_read_header(reader, TRUE);
    reader->scale_num = 1;
    reader->scale_denom = 8; /* a pixel for each block */
    reader->out_color_space = JCS_GRAYSCALE;
    jpeg_start_decompress(reader);
    if (jpeg->line_size < reader->output_width) {
        jpeg->line = mem_resize(jpeg->line, reader->output_width, 1);
        jpeg->line_size = reader->output_width;
    }
    while (reader->output_scanline < reader->output_height) {
        jpeg_read_scanlines(reader, &jpeg->line, 1);
    }
    jpeg_finish_decompress(reader);
}

int jpeg_is_sound(struct jpeg *jpeg, const uint8_t *data, size_t size)
{
    jpeg->source.next_input_byte = data;
    jpeg->source.bytes_in_buffer = size;
    if (setjmp(jpeg->failed)) {
        jpeg_abort_decompress(&jpeg->reader);
        return 0;
    }
    read_through(jpeg);
    return 1;
}
