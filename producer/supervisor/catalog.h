/* The table of cameras. A thread of its own reads it every catalog_interval, so that a database
 * that hangs holds up nothing; whoever wants the newest table takes it when told there is one.
 *
 * A row that holds nonsense costs that camera and no other: it comes with the reason in refused,
 * which is logged once, until the row changes. */
#ifndef CATALOG_H
#define CATALOG_H

#include <stddef.h>
#include <stdint.h>
#include "conf.h"

struct catalog_row {
    uint32_t cam;
    char *name;    /* never empty */
    char *refused; /* why there is no camera, NULL: all is right; what follows is only set then */
    char *url;     /* password and all */
    struct camera_settings settings;
};

/* The enabled rows, by ascending number, each number once. */
struct catalog_table {
    struct catalog_row *rows;
    size_t count;
};

struct catalog;

/* Start reading. After each table read, wake(user) is called, in the catalog's thread: it must not
 * wait. conf must outlive the catalog. 0, or -1 after a message. */
int catalog_start(struct catalog **catalog, const struct conf *conf, void (*wake)(void *user),
                  void *user);

/* Read the table now. Any thread. */
void catalog_refresh(struct catalog *catalog);

/* The newest table, the caller's, or NULL: none since the last call. Any thread. */
struct catalog_table *catalog_take(struct catalog *catalog);
void catalog_table_free(struct catalog_table *table); /* wipes the URLs; NULL is fine */

/* Waits for the thread, at most half a second: one that hangs in the database ends with the
 * process. NULL is fine. */
void catalog_stop(struct catalog *catalog);

/* For --check: read the table once and say what is in it. 0, or -1 after a message. */
int catalog_check(const struct conf *conf);

/* One row as text, by column name. For catalog.c and its test. */
struct catalog_cell {
    const char *column;
    const char *text; /* NULL: SQL's NULL */
    size_t size;
};

/* 1 and *row, to be ended with catalog_row_clear(): a camera, perhaps a refused one. 0: the row is
 * not enabled. -1: no usable number in it, the reason is in why. */
int catalog_row_parse(struct catalog_row *row, const struct catalog_cell *cells, size_t count,
                      const struct conf *conf, char *why, size_t size);
void catalog_row_clear(struct catalog_row *row);

#endif
