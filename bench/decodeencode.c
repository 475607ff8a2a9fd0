/* The floor under a camera's process: the same frames decoded and encoded, at the same pace, and
 * nothing else. Reads raw H.264 from a file, over and over.
 *
 *   decodeencode FILE FPS FRAMES decode|encode|colour
 *
 * decode: FFmpeg's decoder alone. encode: and TurboJPEG, as the planes are. colour: and our colour
 * pass between. Prints frames, CPU seconds, and the milliseconds of CPU that each step took. */
#include "config.h"

#include <libavcodec/avcodec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <turbojpeg.h>
#include "colour.h"

static struct {
    int colour, encode;
    long wanted, frames;
    double frame_s;
    double decode_ms, colour_ms, encode_ms;
    AVCodecContext *codec;
    AVFrame *frame;
    tjhandle turbo;
    unsigned char *jpeg;
    struct colour_lines converted; /* of a whole picture */
    double due_s;
} bench;

/* CLOCK_MONOTONIC for the pace; CLOCK_THREAD_CPUTIME_ID for what a step costs on a busy machine. */
static double now_s(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void wait_for_beat(void)
{
    struct timespec until;

    if (bench.frame_s <= 0) {
        return;
    }
    bench.due_s += bench.frame_s;
    until.tv_sec = (time_t)bench.due_s;
    until.tv_nsec = (long)((bench.due_s - (double)until.tv_sec) * 1e9);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* The colour pass by itself, over the whole picture at once. */
static void convert(struct picture *picture)
{
    struct colour_lines *to = &bench.converted;
    size_t luma = (size_t)picture->width * (size_t)picture->height;
    int i;

    if (!to->scratch) {
        to->planes[0] = malloc(luma);
        to->planes[1] = malloc(luma / 4);
        to->planes[2] = malloc(luma / 4);
        to->strides[0] = picture->width;
        to->strides[1] = to->strides[2] = picture->width / 2;
        to->scratch = malloc(colour_scratch_size(picture->width));
    }
    colour_convert(to, picture, 0, picture->height);
    for (i = 0; i < 3; i++) {
        picture->planes[i] = to->planes[i];
        picture->strides[i] = to->strides[i];
    }
}

static void encode(void)
{
    struct picture picture = { .width = bench.frame->width,
                               .height = bench.frame->height,
                               .format = PICTURE_I420,
                               .bt709 = bench.frame->height >= 720,
                               .aspect_num = 1,
                               .aspect_den = 1 };
    const unsigned char *planes[3];
    unsigned long size = tjBufSize(picture.width, picture.height, TJSAMP_420);
    double begun_s = now_s(CLOCK_THREAD_CPUTIME_ID);
    int i;

    for (i = 0; i < 3; i++) {
        picture.planes[i] = bench.frame->data[i];
        picture.strides[i] = bench.frame->linesize[i];
    }
    if (bench.colour) {
        convert(&picture);
        bench.colour_ms += (now_s(CLOCK_THREAD_CPUTIME_ID) - begun_s) * 1e3;
        begun_s = now_s(CLOCK_THREAD_CPUTIME_ID);
    }
    memcpy(planes, picture.planes, sizeof(planes));
    if (!bench.jpeg) {
        bench.jpeg = tjAlloc((int)size);
    }
    if (tjCompressFromYUVPlanes(bench.turbo, planes, picture.width, picture.strides, picture.height,
                                TJSAMP_420, &bench.jpeg, &size, 80, TJFLAG_NOREALLOC)) {
        fprintf(stderr, "%s\n", tjGetErrorStr2(bench.turbo));
        exit(1);
    }
    bench.encode_ms += (now_s(CLOCK_THREAD_CPUTIME_ID) - begun_s) * 1e3;
}

static void decode(AVPacket *packet)
{
    double begun_s;

    wait_for_beat();
    begun_s = now_s(CLOCK_THREAD_CPUTIME_ID);
    if (avcodec_send_packet(bench.codec, packet) < 0 ||
        avcodec_receive_frame(bench.codec, bench.frame) < 0) {
        return;
    }
    bench.decode_ms += (now_s(CLOCK_THREAD_CPUTIME_ID) - begun_s) * 1e3;
    bench.frames++;
    if (bench.encode) {
        encode();
    }
}

static void play(uint8_t *data, int size)
{
    AVCodecParserContext *parser = av_parser_init(AV_CODEC_ID_H264);
    AVPacket *packet = av_packet_alloc();

    while (size > 0 && bench.frames < bench.wanted) {
        int used = av_parser_parse2(parser, bench.codec, &packet->data, &packet->size, data, size,
                                    AV_NOPTS_VALUE, AV_NOPTS_VALUE, 0);

        data += used;
        size -= used;
        if (packet->size) {
            decode(packet);
        }
    }
    av_packet_free(&packet);
    av_parser_close(parser);
}

static uint8_t *read_file(const char *name, long *size)
{
    FILE *file = fopen(name, "rb");
    uint8_t *data;

    if (!file || fseek(file, 0, SEEK_END) || (*size = ftell(file)) < 1) {
        perror(name);
        exit(1);
    }
    rewind(file);
    data = calloc(1, (size_t)*size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!data || fread(data, 1, (size_t)*size, file) != (size_t)*size) {
        perror(name);
        exit(1);
    }
    fclose(file);
    return data;
}

int main(int argc, char **argv)
{
    struct rusage usage;
    uint8_t *data;
    long size, before;
    double n;

    if (argc != 5) {
        fprintf(stderr, "usage: decodeencode FILE FPS FRAMES decode|encode|colour\n");
        return 2;
    }
    bench.frame_s = atof(argv[2]) > 0 ? 1 / atof(argv[2]) : 0;
    bench.wanted = atol(argv[3]);
    bench.encode = strcmp(argv[4], "decode") != 0;
    bench.colour = strcmp(argv[4], "colour") == 0;
    setenv("TJ_RESTART", "1", 1);
    data = read_file(argv[1], &size);
    bench.codec = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_H264));
    bench.codec->thread_count = 1;
    bench.frame = av_frame_alloc();
    bench.turbo = tjInitCompress();
    if (avcodec_open2(bench.codec, NULL, NULL) < 0) {
        return 1;
    }
    bench.due_s = now_s(CLOCK_MONOTONIC);
    do {
        before = bench.frames;
        play(data, (int)size);
    } while (bench.frames < bench.wanted && bench.frames > before);
    getrusage(RUSAGE_SELF, &usage);
    n = (double)bench.frames;
    printf("{\"frames\": %ld, \"cpu_s\": %.4f, \"decode_ms\": %.3f, \"colour_ms\": %.3f, "
           "\"encode_ms\": %.3f}\n",
           bench.frames,
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
           bench.decode_ms / n, bench.colour_ms / n, bench.encode_ms / n);
    return 0;
}
