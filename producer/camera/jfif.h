/* Looks at JPEGs that came from a camera as they are: whether one is complete, how large the
 * picture is, and whether the Huffman tables are in it, which RFC 2435 and many cameras leave out.
 * Pure; the bytes are whatever a stranger sent. */
#ifndef JFIF_H
#define JFIF_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that jfif_insert_tables() adds. */
#define JFIF_TABLES_SIZE 420

struct jfif {
    uint32_t width, height;
    size_t size;      /* up to and with the end marker; what follows is padding */
    size_t tables_at; /* where missing Huffman tables belong; 0: it has its own */
};

/* 0: a complete JPEG that every browser shows, from its start to its end marker. -1: anything
 * else. */
int jfif_check(struct jfif *jfif, const uint8_t *data, size_t size);

/* Write the segment with the standard Huffman tables to out (JFIF_TABLES_SIZE bytes). Returns its
 * size. */
size_t jfif_put_tables(uint8_t *out);

/* Copy a checked JPEG to out (jfif->size + JFIF_TABLES_SIZE bytes) with the standard Huffman tables
 * put in. Returns its size there. */
size_t jfif_insert_tables(uint8_t *out, const struct jfif *jfif, const uint8_t *data);

#endif
