#include "catalog.h"

#include <ctype.h>
#include <errno.h>
#include <mysql.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "clock.h"
#include "kc_wire.h"
#include "mem.h"
#include "once.h"
#include "url.h"

#define NAME_MAX     255
#define COLUMNS_MAX  100
#define SPOKEN_MAX   1000 /* refusals that are remembered, so as not to be said again */
#define SAID_AT_ONCE 20   /* refusals that one reading says at most */

/* ---- one row ------------------------------------------------------------------------------ */

static const struct catalog_cell *find(const struct catalog_cell *cells, size_t count,
                                       const char *column)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (!strcasecmp(cells[i].column, column)) {
            return cells[i].text ? &cells[i] : NULL;
        }
    }
    return NULL;
}

static char *copy(const struct catalog_cell *cell)
{
    char *text = mem_zeroed(cell->size + 1, 1);

    memcpy(text, cell->text, cell->size);
    return text;
}

/* What a cell says as the settings' table writes it: words in small letters, yes and no for a flag,
 * which may be a BIT(1) and then arrives as one raw byte. -1: it cannot be written so. */
static int as_written(char text[SETTINGS_PATH_MAX + 2], const struct value *value,
                      const struct catalog_cell *cell)
{
    const int flag = value->kind == VALUE_CHOICE && !strcmp(value->choices, "no|yes");
    size_t i;

    if (cell->size > SETTINGS_PATH_MAX || (!flag && memchr(cell->text, 0, cell->size))) {
        return -1;
    }
    if (flag) {
        if (cell->size != 1 || !memchr("01\0\1", cell->text[0], 4)) {
            return -1;
        }
        strcpy(text, cell->text[0] == '1' || cell->text[0] == 1 ? "yes" : "no");
        return 0;
    }
    for (i = 0; i < cell->size; i++) {
        text[i] = value->kind == VALUE_CHOICE ? (char)tolower((unsigned char)cell->text[i])
                                              : cell->text[i];
    }
    text[i] = '\0';
    return 0;
}

static char *wrong_value(const struct value *value)
{
    char expected[300];

    if (value->kind == VALUE_CHOICE && !strcmp(value->choices, "no|yes")) {
        return mem_print("%s must be 0 or 1", value->name);
    }
    value_expected(expected, sizeof(expected), value);
    return mem_print("%s must be %s", value->name, expected);
}

/* The values behind the URL. NULL, or which is wrong and what would be right; the caller's. */
static char *take_values(struct catalog_row *row, const struct catalog_cell *cells, size_t count)
{
    const struct value *value;
    char text[SETTINGS_PATH_MAX + 2];

    for (value = settings_table; value->name; value++) {
        const struct catalog_cell *cell = find(cells, count, value->name);

        if (!cell || !settings_is_column(value) || (value->kind == VALUE_CHARS && !cell->size)) {
            continue; /* as producer.conf says */
        }
        if (as_written(text, value, cell) || value_parse(value, &row->settings, text)) {
            return wrong_value(value);
        }
    }
    return NULL;
}

/* The name, cut to NAME_MAX without leaving half a character. */
static char *name_of(const struct catalog_cell *cell, uint32_t cam)
{
    struct catalog_cell part;

    if (!cell || cell->size == 0) {
        return mem_print("Camera %u", cam);
    }
    part = *cell;
    if (part.size > NAME_MAX) {
        part.size = NAME_MAX;
        while (part.size > 0 && (part.text[part.size] & 0xc0) == 0x80) {
            part.size--;
        }
    }
    return copy(&part);
}

int catalog_row_parse(struct catalog_row *row, const struct catalog_cell *cells, size_t count,
                      const struct conf *conf, char *why, size_t size)
{
    const struct catalog_cell *id = find(cells, count, "id");
    const struct catalog_cell *url = find(cells, count, "url");
    const struct catalog_cell *enabled = find(cells, count, "enabled");
    const char *wrong;
    uint64_t cam;

    if (enabled && enabled->size == 1 && (enabled->text[0] == '0' || enabled->text[0] == 0)) {
        return 0;
    }
    if (!id || kc_wire_number_parse(&cam, id->text, id->size, KC_WIRE_CAM_MAX) ||
        cam > conf->producer.max_cameras) {
        snprintf(why, size, "id must be a whole number from 0 to %u ([producer] max_cameras)",
                 conf->producer.max_cameras);
        return -1;
    }
    memset(row, 0, sizeof(*row));
    row->cam = (uint32_t)cam;
    row->name = name_of(find(cells, count, "name"), row->cam);
    row->settings = conf->cameras;
    wrong = url ? url_wrong(url->text, url->size) : "it is empty";
    if (wrong) {
        row->refused = mem_print("url: %s", wrong);
    }
    else if (!(row->refused = take_values(row, cells, count))) {
        row->url = copy(url);
    }
    return 1;
}

void catalog_row_clear(struct catalog_row *row)
{
    mem_wipe(row->url);
    free(row->name);
    free(row->refused);
    memset(row, 0, sizeof(*row));
}

void catalog_table_free(struct catalog_table *table)
{
    size_t i;

    if (!table) {
        return;
    }
    for (i = 0; i < table->count; i++) {
        catalog_row_clear(&table->rows[i]);
    }
    free(table->rows);
    free(table);
}

/* ---- refusals are said once --------------------------------------------------------------- */

/* Hashes of what was said of the table as it is; what is no longer true is forgotten, so that it
 * will be said when it comes back. */
struct spoken {
    uint64_t hashes[SPOKEN_MAX];
    size_t count;
};

static int was_spoken(const struct spoken *spoken, uint64_t hash)
{
    size_t i;

    for (i = 0; i < spoken->count; i++) {
        if (spoken->hashes[i] == hash) {
            return 1;
        }
    }
    return 0;
}

/* What one reading has to refuse. */
struct refusals {
    const struct spoken *before;
    struct spoken now;
    unsigned said, unsaid;
};

static void refuse(struct refusals *refusals, const char *id, const char *why)
{
    char text[600];
    uint64_t hash;

    snprintf(text, sizeof(text), "row with id %.40s is refused, %s", id, why);
    hash = mem_hash(text);
    if (refusals->now.count < SPOKEN_MAX) {
        refusals->now.hashes[refusals->now.count++] = hash;
    }
    if (was_spoken(refusals->before, hash)) {
        return;
    }
    if (refusals->said == SAID_AT_ONCE) {
        refusals->unsaid++;
        return;
    }
    refusals->said++;
    log_error(1101, "table of cameras: %s", text);
}

/* ---- the table ---------------------------------------------------------------------------- */

static int by_number(const void *one, const void *two)
{
    const struct catalog_row *a = one, *b = two;

    return a->cam < b->cam ? -1 : a->cam > b->cam;
}

static void drop_doubles(struct catalog_table *table, struct refusals *refusals)
{
    size_t kept = 0, i;
    char id[KC_WIRE_NUMBER_SIZE];

    qsort(table->rows, table->count, sizeof(*table->rows), by_number);
    for (i = 0; i < table->count; i++) {
        if (kept > 0 && table->rows[kept - 1].cam == table->rows[i].cam) {
            kc_wire_number_format(id, table->rows[i].cam);
            refuse(refusals, id, "id stands there twice");
            catalog_row_clear(&table->rows[i]);
            continue;
        }
        table->rows[kept++] = table->rows[i];
    }
    table->count = kept;
}

static void take_row(struct catalog_table *table, const struct catalog_cell *cells, size_t count,
                     const struct conf *conf, struct refusals *refusals)
{
    const struct catalog_cell *id = find(cells, count, "id");
    struct catalog_row row;
    char why[200];
    int rc = catalog_row_parse(&row, cells, count, conf, why, sizeof(why));

    if (rc < 0) {
        refuse(refusals, id ? id->text : "NULL", why);
    }
    if (rc <= 0) {
        return;
    }
    if (row.refused) {
        refuse(refusals, id->text, row.refused);
    }
    /* Somebody may have put a view in the table's place that has numbers twice, without end. */
    if (table->count > conf->producer.max_cameras) {
        refuse(refusals, id->text, "there are more rows than cameras");
        catalog_row_clear(&row);
        return;
    }
    if (!(table->count & (table->count + 1))) {
        table->rows = mem_resize(table->rows, 2 * (table->count + 1), sizeof(*table->rows));
    }
    table->rows[table->count++] = row;
}

/* Row after row off the wire, so that a table of a million rows costs time and not memory. */
static struct catalog_table *read_rows(MYSQL *db, MYSQL_RES *result, const struct conf *conf,
                                       struct refusals *refusals)
{
    struct catalog_table *table = mem_zeroed(1, sizeof(*table));
    const MYSQL_FIELD *fields = mysql_fetch_fields(result);
    struct catalog_cell cells[COLUMNS_MAX];
    unsigned count = mysql_num_fields(result);
    unsigned i;
    MYSQL_ROW row;

    count = count < COLUMNS_MAX ? count : COLUMNS_MAX;
    while ((row = mysql_fetch_row(result)) != NULL) {
        const unsigned long *sizes = mysql_fetch_lengths(result);

        for (i = 0; i < count; i++) {
            cells[i] = (struct catalog_cell){ fields[i].name, row[i], sizes[i] };
        }
        take_row(table, cells, count, conf, refusals);
    }
    if (mysql_errno(db)) {
        catalog_table_free(table);
        return NULL;
    }
    drop_doubles(table, refusals);
    return table;
}

static MYSQL *connect_db(const struct conf *conf, char *why, size_t size)
{
    unsigned seconds = (conf->database.timeout_ms + 999) / 1000;
    my_bool encrypt = conf->database.tls != CONF_DB_TLS_NO;
    my_bool verify = conf->database.tls == CONF_DB_TLS_VERIFY;
    unsigned off = 0;
    MYSQL *db = mysql_init(NULL);

    if (!db) {
        snprintf(why, size, "no memory");
        return NULL;
    }
    mysql_optionsv(db, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_optionsv(db, MYSQL_OPT_READ_TIMEOUT, &seconds);
    mysql_optionsv(db, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
    mysql_optionsv(db, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    /* A server may ask for any file of the client otherwise. */
    mysql_optionsv(db, MYSQL_OPT_LOCAL_INFILE, &off);
    mysql_optionsv(db, MYSQL_OPT_SSL_ENFORCE, &encrypt);
    mysql_optionsv(db, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    if (encrypt && *conf->database.tls_ca) {
        mysql_optionsv(db, MYSQL_OPT_SSL_CA, conf->database.tls_ca);
    }
    if (!mysql_real_connect(db, conf->database.host, conf->database.user, conf->database.password,
                            conf->database.name, conf->database.port,
                            *conf->database.socket ? conf->database.socket : NULL, 0)) {
        snprintf(why, size, "%s", mysql_error(db));
        mysql_close(db);
        return NULL;
    }
    return db;
}

/* "a.b" as `a`.`b`; the characters in it are those of conf.c's TABLE_CHARS. */
static char *quoted(const char *table)
{
    const char *dot = strchr(table, '.');

    return dot ? mem_print("`%.*s`.`%s`", (int)(dot - table), table, dot + 1)
               : mem_print("`%s`", table);
}

/* The columns that must be there; the others have their defaults. Without "enabled" every camera
 * that was switched off would start. */
static int columns_right(MYSQL_RES *result, char *why, size_t size)
{
    static const char *const needed[] = { "id", "url", "enabled" };
    const MYSQL_FIELD *fields = mysql_fetch_fields(result);
    const unsigned count = mysql_num_fields(result);
    unsigned i, j;

    for (i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
        for (j = 0; j < count && j < COLUMNS_MAX; j++) {
            if (!strcasecmp(fields[j].name, needed[i])) {
                break;
            }
        }
        if (j == count || j == COLUMNS_MAX) {
            snprintf(why, size, "the table has no column %s (see schema.sql)", needed[i]);
            return 0;
        }
    }
    return 1;
}

/* Connect, read, close. The caller's, or NULL and why. */
static struct catalog_table *read_table(const struct conf *conf, struct refusals *refusals,
                                        char *why, size_t size)
{
    MYSQL *db = connect_db(conf, why, size);
    char *table = quoted(conf->database.table);
    char *query = mem_print("SELECT * FROM %s", table);
    struct catalog_table *rows = NULL;
    MYSQL_RES *result = NULL;

    if (!db) {
        goto out;
    }
    if (mysql_query(db, query) || !(result = mysql_use_result(db))) {
        snprintf(why, size, "%s", mysql_error(db));
        goto out;
    }
    if (!columns_right(result, why, size)) {
        goto out;
    }
    rows = read_rows(db, result, conf, refusals);
    if (!rows) {
        snprintf(why, size, "%s", mysql_error(db));
    }
out:
    if (result) {
        mysql_free_result(result);
    }
    if (db) {
        mysql_close(db);
    }
    free(query);
    free(table);
    return rows;
}

/* ---- the thread --------------------------------------------------------------------------- */

struct catalog {
    const struct conf *conf; /* set at creation, never changes */
    void (*wake)(void *user);
    void *user;
    pthread_t thread;

    struct spoken spoken; /* the thread's own */
    struct once trouble;
    uint64_t trouble_ms; /* since when, monotonic */
    unsigned failures;

    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t news;
    struct catalog_table *newest;
    int refresh, stop;
};

static void say_trouble(struct catalog *catalog, const char *why)
{
    if (!catalog->failures++) {
        catalog->trouble_ms = clock_mono_ms();
    }
    if (once_new(&catalog->trouble, why)) {
        log_warning(1100,
                    "database %s at %s, table %s: %s; running cameras go on, trying again "
                    "([database] in %s)",
                    catalog->conf->database.name, catalog->conf->database.host,
                    catalog->conf->database.table, why, catalog->conf->path);
    }
}

static void say_back(struct catalog *catalog)
{
    if (once_forget(&catalog->trouble)) {
        log_info("database %s at %s is back after %llu s", catalog->conf->database.name,
                 catalog->conf->database.host,
                 (unsigned long long)(clock_mono_ms() - catalog->trouble_ms) / 1000);
    }
    catalog->failures = 0;
}

static struct catalog_table *read_and_say(struct catalog *catalog)
{
    struct refusals refusals = { .before = &catalog->spoken };
    char why[600] = "";
    struct catalog_table *table = read_table(catalog->conf, &refusals, why, sizeof(why));

    if (!table) {
        say_trouble(catalog, why);
        return NULL;
    }
    say_back(catalog);
    if (refusals.unsaid) {
        log_error(1102, "table of cameras: %u more rows are refused", refusals.unsaid);
    }
    catalog->spoken = refusals.now;
    return table;
}

/* Until it is time to read again: after trouble sooner than else. */
static uint32_t pause_ms(const struct catalog *catalog)
{
    uint32_t interval = catalog->conf->producer.catalog_interval_ms;
    uint32_t pause = clock_backoff_ms(catalog->failures);

    return catalog->failures && pause < interval ? pause : interval;
}

/* With the lock. */
static void wait_for(struct catalog *catalog, uint32_t ms)
{
    const struct timespec until = clock_after(CLOCK_MONOTONIC, ms);

    while (!catalog->stop && !catalog->refresh) {
        if (pthread_cond_timedwait(&catalog->news, &catalog->lock, &until) == ETIMEDOUT) {
            break;
        }
    }
    catalog->refresh = 0;
}

static void *run(void *arg)
{
    struct catalog *catalog = arg;
    struct catalog_table *table, *old;

    mysql_thread_init();
    pthread_mutex_lock(&catalog->lock);
    while (!catalog->stop) {
        pthread_mutex_unlock(&catalog->lock);
        table = read_and_say(catalog);
        pthread_mutex_lock(&catalog->lock);
        if (table) {
            old = catalog->newest;
            catalog->newest = table;
            catalog_table_free(old);
            catalog->wake(catalog->user);
        }
        wait_for(catalog, pause_ms(catalog));
    }
    pthread_mutex_unlock(&catalog->lock);
    mysql_thread_end();
    return NULL;
}

int catalog_start(struct catalog **result, const struct conf *conf, void (*wake)(void *user),
                  void *user)
{
    struct catalog *catalog = mem_zeroed(1, sizeof(*catalog));
    pthread_condattr_t attributes;
    int rc;

    catalog->conf = conf;
    catalog->wake = wake;
    catalog->user = user;
    pthread_mutex_init(&catalog->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&catalog->news, &attributes);
    pthread_condattr_destroy(&attributes);
    mysql_library_init(0, NULL, NULL);
    rc = pthread_create(&catalog->thread, NULL, run, catalog);
    if (rc) {
        log_error(1103, "no thread for the database: %s", strerror(rc));
        free(catalog);
        return -1;
    }
    *result = catalog;
    return 0;
}

void catalog_refresh(struct catalog *catalog)
{
    pthread_mutex_lock(&catalog->lock);
    catalog->refresh = 1;
    pthread_cond_signal(&catalog->news);
    pthread_mutex_unlock(&catalog->lock);
}

struct catalog_table *catalog_take(struct catalog *catalog)
{
    struct catalog_table *table;

    pthread_mutex_lock(&catalog->lock);
    table = catalog->newest;
    catalog->newest = NULL;
    pthread_mutex_unlock(&catalog->lock);
    return table;
}

void catalog_stop(struct catalog *catalog)
{
    struct timespec until;

    if (!catalog) {
        return;
    }
    pthread_mutex_lock(&catalog->lock);
    catalog->stop = 1;
    pthread_cond_signal(&catalog->news);
    pthread_mutex_unlock(&catalog->lock);
    until = clock_after(CLOCK_REALTIME, 500);
    if (pthread_timedjoin_np(catalog->thread, NULL, &until)) {
        return; /* hangs in the database; what it uses stays, the process ends soon */
    }
    catalog_table_free(catalog->newest);
    pthread_cond_destroy(&catalog->news);
    pthread_mutex_destroy(&catalog->lock);
    free(catalog);
    mysql_library_end();
}

int catalog_check(const struct conf *conf)
{
    struct spoken nothing = { .count = 0 };
    struct refusals refusals = { .before = &nothing };
    struct catalog_table *table;
    char why[600] = "";

    mysql_library_init(0, NULL, NULL);
    table = read_table(conf, &refusals, why, sizeof(why));
    if (!table) {
        log_error(1104, "database %s at %s, table %s: %s", conf->database.name, conf->database.host,
                  conf->database.table, why);
    }
    else {
        log_info("database %s at %s: %zu cameras, %zu rows refused", conf->database.name,
                 conf->database.host, table->count, refusals.now.count);
    }
    catalog_table_free(table);
    mysql_library_end();
    return table && !refusals.now.count ? 0 : -1;
}
