#include "value.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mem.h"

struct unit {
    const char *name;
    double factor;
};

static const struct unit time_units[] = {
    { "ms", 1 },         { "s", VALUE_SECOND }, { "min", VALUE_MINUTE },
    { "h", VALUE_HOUR }, { "d", VALUE_DAY },    { NULL, 0 }
};
static const struct unit size_units[] = {
    { "", 1 }, { "k", VALUE_KIB }, { "M", VALUE_MIB }, { "G", VALUE_GIB }, { NULL, 0 }
};
static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };

/* Enums are kept as int. */
enum any { ANY };
_Static_assert(sizeof(enum any) == sizeof(int), "enums have the size of int");

static int is_time(enum value_kind kind)
{
    return kind == VALUE_TIME || kind == VALUE_AGE;
}

static int is_text(enum value_kind kind)
{
    return kind == VALUE_TEXT || kind == VALUE_CHARS || kind == VALUE_FILE;
}

static const struct unit *units_of(enum value_kind kind)
{
    return is_time(kind) ? time_units : kind == VALUE_SIZE ? size_units : no_units;
}

/* number in the largest unit that leaves no fraction. */
static void format_number(char text[32], enum value_kind kind, double number)
{
    const struct unit *unit = units_of(kind);
    const struct unit *best = unit;

    for (; unit->name; unit++) {
        if (number >= unit->factor && fmod(number, unit->factor) == 0) {
            best = unit;
        }
    }
    snprintf(text, 32, "%.15g%s%s", number / best->factor, is_time(kind) ? " " : "", best->name);
}

void value_expected(char *text, size_t size, const struct value *value)
{
    char min[32], max[32];

    format_number(min, value->kind, value->min);
    format_number(max, value->kind, value->max);
    switch (value->kind) {
    case VALUE_CHOICE:
        snprintf(text, size, "one of %s", value->choices);
        break;
    case VALUE_COUNT:
        snprintf(text, size, "a whole number from %s to %s", min, max);
        break;
    case VALUE_REAL:
        snprintf(text, size, "a number from %s to %s", min, max);
        break;
    case VALUE_SIZE:
        snprintf(text, size, "a size such as 500k, 64M or 1G from %s to %s", min, max);
        break;
    case VALUE_TIME:
    case VALUE_AGE:
        snprintf(text, size, "a time such as 500 ms, 10 s, 5 min or 1 h from %s to %s", min, max);
        break;
    default:
        snprintf(text, size, "%s%s to %s characters%s%s",
                 value->choices ? "a name of " : "text of ", min, max,
                 value->choices ? " out of " : "", value->choices ? value->choices : "");
        break;
    }
}

void value_range(char *text, size_t size, const struct value *value)
{
    char min[32], max[32];

    *text = '\0';
    if (!is_text(value->kind) && value->kind != VALUE_CHOICE) {
        format_number(min, value->kind, value->min);
        format_number(max, value->kind, value->max);
        snprintf(text, size, "From %s to %s.", min, max);
    }
}

/* "10", "10 s", "64M": a plain decimal number, perhaps a blank, a unit out of the list. */
static int parse_number(double *number, enum value_kind kind, const char *text)
{
    const struct unit *unit;
    char *end;

    /* strtod() alone would take "inf", "nan", "0x10" and a sign. */
    if (!isdigit((unsigned char)*text) || strspn(text, "0123456789.") > 15) {
        return -1;
    }
    *number = strtod(text, &end);
    if (end != text + strspn(text, "0123456789.")) {
        return -1;
    }
    while (*end == ' ' || *end == '\t') {
        end++;
    }
    for (unit = units_of(kind); unit->name; unit++) {
        if (!strcmp(end, unit->name)) {
            *number *= unit->factor;
            return (kind != VALUE_REAL && *number != floor(*number)) ? -1 : 0;
        }
    }
    return -1;
}

static int parse_choice(int *number, const char *choices, const char *text)
{
    size_t length = strlen(text);
    int i;

    for (i = 0; *choices; i++) {
        size_t word = strcspn(choices, "|");

        if (word == length && !strncmp(choices, text, length)) {
            *number = i;
            return 0;
        }
        choices += word + (choices[word] == '|');
    }
    return -1;
}

unsigned value_choices(const struct value *value)
{
    const char *p;
    unsigned count = 1;

    for (p = value->choices; *p; p++) {
        count += *p == '|';
    }
    return count;
}

static int parse_text(const struct value *value, void *at, const char *text)
{
    size_t length = strlen(text);

    if ((double)length < value->min || (double)length > value->max ||
        (value->choices && text[strspn(text, value->choices)])) {
        return -1;
    }
    if (value->kind == VALUE_CHARS) {
        memcpy(at, text, length + 1);
    }
    else {
        mem_wipe(*(char **)at);
        *(char **)at = mem_text(text);
    }
    return 0;
}

int value_parse(const struct value *value, void *base, const char *text)
{
    void *at = (char *)base + value->offset;
    double number = 0;

    if (value->kind == VALUE_CHOICE) {
        return parse_choice(at, value->choices, text);
    }
    if (is_text(value->kind)) {
        return parse_text(value, at, text);
    }
    if (parse_number(&number, value->kind, text) || number < value->min || number > value->max) {
        return -1;
    }
    if (value->kind == VALUE_REAL) {
        *(double *)at = number;
    }
    else if (value->kind == VALUE_SIZE || value->kind == VALUE_AGE) {
        *(uint64_t *)at = (uint64_t)number;
    }
    else {
        *(uint32_t *)at = (uint32_t)number;
    }
    return 0;
}

int value_same(const struct value *value, const void *one, const void *two)
{
    const void *a = (const char *)one + value->offset;
    const void *b = (const char *)two + value->offset;

    switch (value->kind) {
    case VALUE_TEXT:
    case VALUE_FILE:
        a = *(char *const *)a;
        b = *(char *const *)b;
        return a && b ? !strcmp(a, b) : a == b;
    case VALUE_CHARS:
        return !strcmp(a, b);
    case VALUE_REAL:
        return *(const double *)a == *(const double *)b;
    case VALUE_SIZE:
    case VALUE_AGE:
        return *(const uint64_t *)a == *(const uint64_t *)b;
    default:
        return *(const uint32_t *)a == *(const uint32_t *)b;
    }
}

void value_clear(const struct value *value, void *base)
{
    if (value->kind == VALUE_TEXT) {
        mem_wipe(*(char **)((char *)base + value->offset));
        *(char **)((char *)base + value->offset) = NULL;
    }
}
