#include "meter.h"

static double mean_ms(uint64_t count, uint64_t us)
{
    return count ? (double)us / (double)count / 1000.0 : 0.0;
}

void meter_report(struct job_report *report, const struct meter *now, const struct meter *before,
                  int64_t elapsed_us)
{
    double seconds = elapsed_us > 0 ? (double)elapsed_us / 1e6 : 1.0;

    report->fps_in = (double)(now->units - before->units) / seconds;
    report->fps_out = (double)(now->taken - before->taken) / seconds;
    report->bytes_per_s = (uint64_t)((double)(now->bytes - before->bytes) / seconds);
    report->frames = now->taken;
    report->dropped = now->dropped;
    report->decode_ms = mean_ms(now->decodes - before->decodes, now->decode_us - before->decode_us);
    report->encode_ms = mean_ms(now->encodes - before->encodes, now->encode_us - before->encode_us);
}
