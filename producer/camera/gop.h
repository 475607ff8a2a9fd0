/* Which coded pictures need decoding at all, for a wanted rate: all of them, those that others
 * build on, or key frames alone. Learns from each group of pictures (from one key frame to the
 * next) what rate that would give, and changes its mind only at a key frame, where nothing is
 * missed. Pure. */
#ifndef GOP_H
#define GOP_H

#include <stdint.h>

enum gop_mode { GOP_ALL, GOP_REFERENCES, GOP_KEYS };

struct gop {
    double fps; /* wanted, 0: all */
    enum gop_mode mode;
    int no_alone;                            /* key units give no picture by themselves */
    int64_t begun_us;                        /* of the current group, by the stream's clock */
    unsigned references;                     /* in it so far */
    unsigned groups;                         /* complete ones seen, in a row of plausible ones */
    double key_fps, reference_fps;           /* of the group before */
    double last_key_fps, last_reference_fps; /* of the one before that */
};

void gop_init(struct gop *gop, double fps);

/* How to treat the next unit: 1 decode it, 0 leave it out. In mode GOP_KEYS a unit that is decoded
 * stands alone: nothing comes after it that needs it. */
int gop_wants(struct gop *gop, int key, int reference, int64_t media_us);

/* A key unit that was decoded alone gave no picture: with periodic intra refresh, or fields, none
 * ever does. From now on what leads up to it is decoded as well. */
void gop_barren(struct gop *gop);

#endif
