/* From RTP packets to units, one coded picture each: H.264 (RFC 6184), H.265 (RFC 7798), JPEG (RFC
 * 2435), MPEG-4 (RFC 6416). Pure but for memory; the bytes are a stranger's.
 *
 * A unit is out when its last packet is in. Which one that is the marker bit says, which is
 * believed once it has agreed with where the next pictures began, and no longer when it lies; else
 * the next picture's first packet ends a unit. Where a picture begins its own bytes say as well as
 * the time stamp, so a clock that stands still, or runs within a picture, harms nothing. */
#ifndef DEPACKET_H
#define DEPACKET_H

#include "depacket_unit.h"
#include "rtp.h"
#include "sdp.h"

struct depacket;

/* The description counts for the codec and, with JPEG, for sizes that a packet cannot say. */
struct depacket *depacket_open(const struct sdp *sdp);
void depacket_close(struct depacket *depacket);

enum depacket_result {
    DEPACKET_MORE, /* the packet is taken, the unit goes on */
    DEPACKET_UNIT, /* the packet is taken and ends the unit */
    DEPACKET_AGAIN /* the unit before it is complete: use it, then push the same packet again */
};

/* Takes the packets in their order, with rtp_packet.lost set. */
enum depacket_result depacket_push(struct depacket *depacket, const struct rtp_packet *packet);

/* The unit that is complete. It holds until the next depacket_push(). */
const struct depacket_unit *depacket_unit(const struct depacket *depacket);

/* Whether the marker bit is believed at present. */
int depacket_believes(const struct depacket *depacket);

#endif
