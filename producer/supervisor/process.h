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
    uint64_t cpu_ticks, cpu_at_ms; /* process_cpu()'s own */
    double cpu;
};

/* Start program with job. The caller watches fd, and SIGCHLD for the end. 0, or an errno. */
int process_start(struct process *process, const char *program, int to_syslog,
                  const struct job *job);

/* Send it a signal. */
void process_signal(const struct process *process, int number);

/* Call when its pid was reaped. Closes fd. */
void process_ended(struct process *process);

/* Cores it uses, 0.25: a quarter of one, over a second or the time between calls if that is longer.
 * 0 in its first second. */
double process_cpu(struct process *process, uint64_t now_ms);

#endif
