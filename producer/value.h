/* One value that a person writes, into a file, a table or a command line, or that one program tells
 * another: its name, where it is kept, what it may be. Pure but for memory. */
#ifndef VALUE_H
#define VALUE_H

#include <stddef.h>
#include <stdint.h>

enum value_kind {
    VALUE_TEXT,  /* char *, its own memory */
    VALUE_CHARS, /* char[max + 1] */
    VALUE_FILE,  /* a path whose content counts; for conf alone */
    VALUE_COUNT, /* uint32_t */
    VALUE_SIZE,  /* uint64_t bytes */
    VALUE_TIME,  /* uint32_t ms */
    VALUE_AGE,   /* uint64_t ms */
    VALUE_REAL,  /* double */
    VALUE_CHOICE /* an enum or int */
};

/* Ranges are in the unit that is kept: ms, bytes; of texts it is their length. */
struct value {
    const char *name;
    enum value_kind kind;
    size_t offset;
    double min, max;
    const char *preset;  /* as it would be written */
    const char *choices; /* of VALUE_CHOICE: "no|yes"; of texts: the characters they may have */
    const char *help;    /* in producer.conf */
    const char *option;  /* in --help of kafkacam-camera; NULL: no option */
};

/* Units of the base type whose words are easier to read in a table. */
#define VALUE_SECOND 1000.0
#define VALUE_MINUTE (60 * VALUE_SECOND)
#define VALUE_HOUR   (60 * VALUE_MINUTE)
#define VALUE_DAY    (24 * VALUE_HOUR)
#define VALUE_KIB    1024.0
#define VALUE_MIB    (1024 * VALUE_KIB)
#define VALUE_GIB    (1024 * VALUE_MIB)

/* Put text into base where value says. 0, or -1: it is no such value, base is as it was. */
int value_parse(const struct value *value, void *base, const char *text);

/* What would be right: "a whole number from 0 to 16384". */
void value_expected(char *text, size_t size, const struct value *value);

/* "From 1 s to 1 h."; empty where there is no such range. */
void value_range(char *text, size_t size, const struct value *value);

/* How many words a VALUE_CHOICE has. */
unsigned value_choices(const struct value *value);

int value_same(const struct value *value, const void *one, const void *two);

/* Texts of VALUE_TEXT are wiped: they may hold passwords. */
void value_clear(const struct value *value, void *base);

#endif
