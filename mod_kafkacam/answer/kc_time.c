#include "kc_time.h"

#include <string.h>
#include <apr_strings.h>

/* What is left to read. */
typedef struct {
    const char *at;
    const char *end;
} rest_t;

#define SECONDS_OF_A_DAY INT64_C(86400)

/* 99,999,999 days in microseconds, the longest that "before now" may say, and far from 2^63. */
#define BEFORE_MAX (INT64_C(99999999) * SECONDS_OF_A_DAY)

/* The year 9999 ends before this. */
#define MILLI_MAX INT64_C(253402300800000)

static int next_is(rest_t *rest, const char *any)
{
    if (rest->at < rest->end && *rest->at && strchr(any, *rest->at)) {
        rest->at++;
        return 1;
    }
    return 0;
}

static int is_digit(const rest_t *rest)
{
    return rest->at < rest->end && *rest->at >= '0' && *rest->at <= '9';
}

/* Exactly so many digits, from min to max. 0 or -1. */
static int take_field(rest_t *rest, int digits, int min, int max, int *value)
{
    *value = 0;
    for (; digits > 0; digits--) {
        if (!is_digit(rest)) {
            return -1;
        }
        *value = *value * 10 + (*rest->at++ - '0');
    }
    return *value < min || *value > max ? -1 : 0;
}

/* Any number of digits, the value at most max. 0 or -1. */
static int take_number(rest_t *rest, apr_int64_t max, apr_int64_t *value)
{
    if (!is_digit(rest)) {
        return -1;
    }
    for (*value = 0; is_digit(rest); rest->at++) {
        int digit = *rest->at - '0';

        if (*value > (max - digit) / 10) {
            return -1;
        }
        *value = *value * 10 + digit;
    }
    return 0;
}

/* ".123": what it is of unit, which is a power of ten or divided by small numbers alone. Digits
 * below a microsecond are read and dropped. 0 or -1; no point is no error. */
static int take_fraction(rest_t *rest, apr_int64_t unit, apr_int64_t *value)
{
    apr_int64_t numerator = 0, denominator = 1;

    *value = 0;
    if (!next_is(rest, ".")) {
        return 0;
    }
    if (!is_digit(rest)) {
        return -1;
    }
    for (; is_digit(rest); rest->at++) {
        if (denominator < 1000000) {
            numerator = numerator * 10 + (*rest->at - '0');
            denominator *= 10;
        }
    }
    *value = numerator * unit / denominator;
    return 0;
}

static int days_of(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* Days from 1970-01-01, by the Gregorian calendar for all years. A year that begins in March has
 * its leap day at its end. */
static apr_int64_t days_since_1970(int year, int month, int day)
{
    apr_int64_t years = month > 2 ? year : year - 1;
    apr_int64_t era = (years >= 0 ? years : years - 399) / 400;
    apr_int64_t of_era = years - era * 400;
    apr_int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int take_date(rest_t *rest, apr_int64_t *days)
{
    int year, month, day;

    if (take_field(rest, 4, 0, 9999, &year) || !next_is(rest, "-") ||
        take_field(rest, 2, 1, 12, &month) || !next_is(rest, "-") ||
        take_field(rest, 2, 1, days_of(year, month), &day)) {
        return -1;
    }
    *days = days_since_1970(year, month, day);
    return 0;
}

static int take_clock(rest_t *rest, apr_int64_t *us)
{
    int hour, minute, second;
    apr_int64_t fraction;

    if (take_field(rest, 2, 0, 23, &hour) || !next_is(rest, ":") ||
        take_field(rest, 2, 0, 59, &minute) || !next_is(rest, ":") ||
        take_field(rest, 2, 0, 60, &second) || take_fraction(rest, APR_USEC_PER_SEC, &fraction)) {
        return -1;
    }
    *us = ((hour * 60 + minute) * 60 + second) * INT64_C(1000000) + fraction;
    return 0;
}

/* What the zone is ahead of UTC. */
static int take_zone(rest_t *rest, apr_int64_t *us)
{
    int hours, minutes, east = 1;

    *us = 0;
    if (next_is(rest, "Zz")) {
        return 0;
    }
    if (!next_is(rest, "+")) {
        east = -1;
        if (!next_is(rest, "-")) {
            return -1;
        }
    }
    if (take_field(rest, 2, 0, 23, &hours) || !next_is(rest, ":") ||
        take_field(rest, 2, 0, 59, &minutes)) {
        return -1;
    }
    *us = east * (hours * 60 + minutes) * INT64_C(60000000);
    return 0;
}

static int parse_rfc3339(rest_t rest, apr_time_t *time)
{
    apr_int64_t days, clock, zone;

    if (take_date(&rest, &days) || !next_is(&rest, "Tt ") || take_clock(&rest, &clock) ||
        take_zone(&rest, &zone) || rest.at != rest.end) {
        return -1;
    }
    *time = days * SECONDS_OF_A_DAY * APR_USEC_PER_SEC + clock - zone;
    return 0;
}

static int parse_milli(rest_t rest, apr_time_t *time)
{
    apr_int64_t milli, fraction;

    if (take_number(&rest, MILLI_MAX, &milli) || take_fraction(&rest, 1000, &fraction) ||
        rest.at != rest.end) {
        return -1;
    }
    *time = milli * 1000 + fraction;
    return 0;
}

static apr_int64_t unit_of(const rest_t *rest)
{
    static const struct {
        const char *name;
        apr_int64_t us;
    } units[] = { { "ms", 1000 },
                  { "s", APR_USEC_PER_SEC },
                  { "min", 60 * APR_USEC_PER_SEC },
                  { "h", INT64_C(3600) * APR_USEC_PER_SEC },
                  { "d", SECONDS_OF_A_DAY * APR_USEC_PER_SEC } };
    apr_size_t size = (apr_size_t)(rest->end - rest->at), i;

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].name) == size && memcmp(units[i].name, rest->at, size) == 0) {
            return units[i].us;
        }
    }
    return 0;
}

/* "-1.5min", from its first digit on. The unit is needed to know what the fraction is of. */
static int parse_before(rest_t rest, apr_time_t *time, apr_time_t now)
{
    rest_t number = rest;
    apr_int64_t unit, whole, fraction;

    while (is_digit(&rest) || (rest.at < rest.end && *rest.at == '.')) {
        rest.at++;
    }
    unit = unit_of(&rest);
    number.end = rest.at;
    if (!unit || take_number(&number, BEFORE_MAX * APR_USEC_PER_SEC / unit / 10, &whole) ||
        take_fraction(&number, unit, &fraction) || number.at != number.end) {
        return -1;
    }
    *time = now - whole * unit - fraction;
    return 0;
}

int kc_time_is_relative(const char *text, apr_size_t size)
{
    return size > 0 && text[0] == '-';
}

int kc_time_parse(apr_time_t *time, const char *text, apr_size_t size, apr_time_t now)
{
    rest_t rest = { text, text + size };

    if (next_is(&rest, "-")) {
        return parse_before(rest, time, now);
    }
    return size > 4 && text[4] == '-' ? parse_rfc3339(rest, time) : parse_milli(rest, time);
}

void kc_time_format(char text[KC_TIME_SIZE], apr_time_t time)
{
    apr_time_exp_t parts;

    apr_time_exp_gmt(&parts, time);
    apr_snprintf(text, KC_TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", parts.tm_year + 1900,
                 parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                 parts.tm_usec);
}
