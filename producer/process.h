/* One camera's process, as the supervisor sees it: a kafkacam-camera that found its job in a pipe
 * and reports through it. Nothing of ours leaks into it: descriptors, signals, environment.
 *
 * For the supervisor's only thread that starts processes; nothing here waits. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdint.h>
#include <sys/types.h>
#include "job.h"

struct process {
    pid_t pid;                     /* 0: none */
    int fd;                        /* its reports; job_report_receive() */
    uint64_t cpu_ticks, cpu_at_ms; /* process_cpu()'s */
};

/* Start program with job. The caller watches fd, and SIGCHLD for the end. 0, or an errno. */
int process_start(struct process *process, const char *program, int to_syslog,
                  const struct job *job);

/* Send it a signal. */
void process_signal(const struct process *process, int number);

/* Call when its pid was reaped. Closes fd. */
void process_ended(struct process *process);

/* Cores it has used since the last call, 0.25: a quarter of one; the first call says 0. */
double process_cpu(struct process *process, uint64_t now_ms);

#endif
