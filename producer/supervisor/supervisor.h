/* The supervisor: keeps one kafkacam-camera running for each row of the table, and says in the
 * status topic how each of them is doing. One loop, one thread; the database and Kafka have threads
 * of their own, so nothing here waits for them. */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include <signal.h>
#include "conf.h"

/* The signals that supervisor_run() takes care of. Block them before any thread is started. */
void supervisor_signals(sigset_t *signals);

/* Run until SIGTERM or SIGINT; SIGHUP reads the table. Ends within 5 s of the signal and leaves no
 * process. to_syslog: the cameras log there too. 0, or -1 after a message: it could not start. */
int supervisor_run(const struct conf *conf, int to_syslog);

#endif
