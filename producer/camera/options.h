/* The command line of kafkacam-camera: for a person who tries one camera by hand. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "job.h"

enum options_result {
    OPTIONS_JOB_FD,  /* none given: the supervisor's job waits in JOB_FD */
    OPTIONS_BY_HAND, /* *job is filled but for the URL; end it with job_clear() */
    OPTIONS_DONE,    /* --help, --version */
    OPTIONS_WRONG    /* said so on stderr */
};

enum options_result options_parse(struct job *job, int *to_syslog, int argc, char **argv);

/* Read the URL from stdin, its first line. 0, or -1, logged. */
int options_read_url(struct job *job);

#endif
