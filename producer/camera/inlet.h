/* The camera's TCP connection, read in large pieces. libavformat reads each RTP packet that comes
 * over RTSP's own connection in three, with a poll() and a recv() for each: some 400 system calls
 * for one picture of an MJPEG camera, four fifths of what passing it through costs. It takes no
 * stream of ours for that connection. So this program puts its own poll() and recv() in front of
 * the C library's; they serve that one connection from memory and everything else as always.
 *
 * All calls from one thread; other threads never get anything but the C library's behaviour. */
#ifndef INLET_H
#define INLET_H

/* Between these two, what this thread reads from a stream socket is read ahead: the first such
 * socket there is, until inlet_forget(). Data that waits here is as good as in the socket only
 * between the two, so nobody may read that socket outside. */
void inlet_enter(void);
void inlet_leave(void);

/* The connection is over; the next one may have the same descriptor. */
void inlet_forget(void);

#endif
