/* UDP from a camera: an even port for RTP and the odd one above it for RTCP, or those of a
 * multicast group. What does not come from the camera's own address is dropped. One thread; nothing
 * waits. */
#ifndef PORTS_H
#define PORTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct ports;

/* A free pair, for a camera at that address; own is ours towards it. 0, or -1 with errno. */
int ports_open(struct ports **result, const struct sockaddr_storage *camera,
               const struct sockaddr_storage *own);

/* The same for a group's ports. -1 with errno; EINVAL: group is no multicast address. */
int ports_join(struct ports **result, const struct sockaddr_storage *camera,
               const struct sockaddr_storage *own, const char *group, uint16_t rtp, uint16_t rtcp);
void ports_close(struct ports *ports);

/* Where ours are. */
uint16_t ports_number(const struct ports *ports);

/* Where the camera's are, 0: not told; and from which further address it sends, "" from its own. */
void ports_answered(struct ports *ports, uint16_t rtp, uint16_t rtcp, const char *source);

/* Make the way back open in the firewalls between us and it. */
void ports_punch(struct ports *ports);

/* To poll(). */
int ports_rtp(const struct ports *ports);
int ports_rtcp(const struct ports *ports);

/* Read what is there, many packets in one system call. */
void ports_read(struct ports *ports);

/* The next packet of those, NULL: that was all. Holds until ports_read(). */
const uint8_t *ports_packet(struct ports *ports, size_t *size);

/* One of RTCP, read into bytes. 0: there is none. */
size_t ports_report(struct ports *ports, uint8_t *bytes, size_t room);
void ports_send_report(struct ports *ports, const uint8_t *bytes, size_t size);

#endif
