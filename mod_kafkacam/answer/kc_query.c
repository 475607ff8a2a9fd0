#include "kc_query.h"
#include <string.h>

#define FPS_MAX 1000

/* The value of name and its size, or NULL. */
static const char *find(const char *args, const char *name, apr_size_t *size)
{
    apr_size_t name_size = strlen(name);
    const char *end;

    for (; args; args = *end ? end + 1 : NULL) {
        end = args + strcspn(args, "&");
        if (strncmp(args, name, name_size) == 0 && args[name_size] == '=') {
            args += name_size + 1;
            *size = (apr_size_t)(end - args);
            return args;
        }
    }
    return NULL;
}

int kc_query_is(const char *args, const char *name, const char *value)
{
    apr_size_t size;
    const char *found = find(args, name, &size);

    return found && size == strlen(value) && memcmp(found, value, size) == 0;
}

/* Not strtod(), which takes "0x1p3", "nan" and the locale's comma. Counts thousandths. */
static int parse_rate(const char *text, apr_size_t size, apr_uint64_t *milli)
{
    apr_uint64_t value = 0;
    int digits = 0, places = -1;
    apr_size_t i;

    for (i = 0; i < size; i++) {
        if (text[i] == '.' && places < 0 && digits > 0) {
            places = 0;
        }
        else if (text[i] < '0' || text[i] > '9' || places == 3 || value > FPS_MAX * 1000) {
            return -1;
        }
        else {
            value = value * 10 + (apr_uint64_t)(text[i] - '0');
            digits++;
            places += places >= 0;
        }
    }
    for (places = places < 0 ? 0 : places; places < 3; places++) {
        value *= 10;
    }
    *milli = value;
    return digits > 0 && value > 0 && value <= FPS_MAX * 1000 ? 0 : -1;
}

int kc_query_fps(const char *args, apr_interval_time_t *interval)
{
    apr_size_t size;
    apr_uint64_t milli;
    const char *text = find(args, "fps", &size);

    *interval = 0;
    if (!text) {
        return 0;
    }
    if (parse_rate(text, size, &milli)) {
        return -1;
    }
    *interval = (apr_interval_time_t)(APR_USEC_PER_SEC * 1000 / milli);
    return 0;
}
