/* A packet from the other process, first as a job, then as a report. What is taken must be right
 * by the ranges that job.h promises, and travel on unchanged. */
#include "replay.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "job.h"

static void check(int right)
{
    if (!right) {
        abort();
    }
}

static void try_job(const int pair[2])
{
    struct job job, again;

    if (job_receive(pair[1], &job, 0)) {
        check(!job.url && !job.kafka);
        return;
    }
    check(job.cam <= KC_WIRE_CAM_MAX && job.settings.transport <= SETTINGS_AUTO && job.url &&
          job.name);
    if (!job_send(pair[0], &job)) {
        check(!job_receive(pair[1], &again, 0) && !strcmp(job.url, again.url));
        job_clear(&again);
    }
    job_clear(&job);
}

static void try_report(const int pair[2])
{
    struct job_report report;

    if (!job_report_receive(pair[1], &report)) {
        check(report.state < KC_WIRE_STATES && memchr(report.why, 0, sizeof(report.why)));
        check(!job_report_send(pair[0], &report));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int pair[2];

    check(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
    if (send(pair[0], data, size, MSG_DONTWAIT) == (ssize_t)size) {
        try_job(pair);
    }
    if (send(pair[0], data, size, MSG_DONTWAIT) == (ssize_t)size) {
        try_report(pair);
    }
    close(pair[0]);
    close(pair[1]);
    return 0;
}
