/* Bytes in a picture that end it too soon where pictures follow each other in one response: a
 * reader that has no length to go by looks for the boundary in the picture itself.
 *
 * By chance CR LF - - stands in one of 2^32 places, ten times a day for a camera of 500 kB/s; the
 * whole boundary never does, unless somebody wrote it there. Pure; at memory's speed. */
#ifndef KC_MARKS_H
#define KC_MARKS_H

#include <stddef.h>

/* The boundary of our streams, without what a stream puts around it. */
#define KC_MARKS_WORD "frame"

enum {
    KC_MARKS_DASHES = 1,  /* CR LF - - : where FFmpeg and OpenCV end a part without a length */
    KC_MARKS_BOUNDARY = 2 /* --frame : where browsers do, whatever the length says */
};

/* Which of them data holds; 0: none, as nearly always. */
unsigned kc_marks_find(const void *data, size_t size);

#endif
