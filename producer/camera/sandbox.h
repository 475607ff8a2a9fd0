/* What a process that parses video from strangers gives up before it begins. */
#ifndef SANDBOX_H
#define SANDBOX_H

/* Early: no core dump and no other process of the same user may look into our memory (the password
 * is in it), nothing that is started gets more rights, and if the supervisor dies so do we. */
void sandbox_begin(int has_supervisor);

/* Before the first byte from the network, after which nothing but files to read and sockets is
 * needed any more: memory is limited, and the kernel refuses what this program never does (start
 * programs, write files, look into other processes, ...). Threads that exist already stay outside
 * the filter, so call it while there is one. */
void sandbox_close(void);

#endif
