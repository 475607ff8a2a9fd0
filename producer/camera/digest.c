#include "digest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <nettle/base64.h>
#include <nettle/md5.h>
#include <nettle/sha2.h>

/* ---- Challenges --------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum digest_way way;
    int session;
} algorithms[] = {
    { "MD5", DIGEST_MD5, 0 },
    { "MD5-sess", DIGEST_MD5, 1 },
    { "SHA-256", DIGEST_SHA256, 0 },
    { "SHA-256-sess", DIGEST_SHA256, 1 },
    { "SHA-512-256", DIGEST_SHA512_256, 0 },
    { "SHA-512-256-sess", DIGEST_SHA512_256, 1 },
};

/* One that is being read. */
struct challenge {
    struct digest digest;
    int begun, basic, usable;
};

/* A word, or a text in quotes with \ before what is one. Returns behind it. */
static const char *read_value(char *out, size_t room, const char *text)
{
    size_t used = 0;
    int quoted = *text == '"';

    text += quoted;
    while (*text && (quoted ? *text != '"' : *text != ',' && !isspace((unsigned char)*text))) {
        if (quoted && *text == '\\' && text[1]) {
            text++;
        }
        if (used + 1 < room) {
            out[used++] = *text;
        }
        text++;
    }
    out[used] = '\0';
    return text + (quoted && *text == '"');
}

static void take_algorithm(struct challenge *challenge, const char *value)
{
    size_t i;

    for (i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        if (!strcasecmp(value, algorithms[i].name)) {
            challenge->digest.way = algorithms[i].way;
            challenge->digest.session = algorithms[i].session;
            challenge->digest.named = 1;
            return;
        }
    }
    challenge->usable = 0;
    snprintf(challenge->digest.other, sizeof(challenge->digest.other), "%.31s", value);
}

static int has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    size_t size;

    for (; *list; list += size) {
        list += strspn(list, ", \t");
        size = strcspn(list, ", \t");
        if (size == length && !strncasecmp(list, word, length)) {
            return 1;
        }
    }
    return 0;
}

static void take_parameter(struct challenge *challenge, const char *name, const char *value)
{
    struct digest *digest = &challenge->digest;

    if (!strcasecmp(name, "realm")) {
        snprintf(digest->realm, sizeof(digest->realm), "%.255s", value);
    }
    else if (!strcasecmp(name, "nonce")) {
        snprintf(digest->nonce, sizeof(digest->nonce), "%s", value);
    }
    else if (!strcasecmp(name, "opaque")) {
        snprintf(digest->opaque, sizeof(digest->opaque), "%s", value);
    }
    else if (!strcasecmp(name, "stale")) {
        digest->stale = !strcasecmp(value, "true");
    }
    else if (!strcasecmp(name, "algorithm")) {
        take_algorithm(challenge, value);
    }
    else if (!strcasecmp(name, "qop") && *value) {
        digest->qop = has_word(value, "auth");
        challenge->usable &= digest->qop; /* auth-int alone is not for us */
    }
}

static void begin(struct challenge *challenge, const char *scheme)
{
    memset(challenge, 0, sizeof(*challenge));
    challenge->begun = 1;
    challenge->usable = 1;
    if (!strcasecmp(scheme, "Basic")) {
        challenge->digest.way = DIGEST_BASIC;
        challenge->basic = 1;
    }
    else if (!strcasecmp(scheme, "Digest")) {
        challenge->digest.way = DIGEST_MD5; /* if it does not say */
    }
    else {
        challenge->usable = 0;
        snprintf(challenge->digest.other, sizeof(challenge->digest.other), "%.31s", scheme);
    }
}

/* The challenge is read to its end: is it the best so far? */
static void settle(struct digest *digest, struct challenge *challenge)
{
    int offers = digest->offers + challenge->begun;

    if (!challenge->begun) {
        return;
    }
    if (challenge->usable && challenge->digest.way > digest->way) {
        *digest = challenge->digest;
    }
    else if (!challenge->usable && digest->way == DIGEST_NONE) {
        memcpy(digest->other, challenge->digest.other, sizeof(digest->other));
    }
    digest->offers = offers;
}

void digest_take(struct digest *digest, const char *field)
{
    struct challenge challenge = { 0 };
    char name[64];
    char value[512];
    size_t size;

    while (*field) {
        field += strspn(field, ", \t");
        size = strcspn(field, "=, \t\"");
        if (!size) {
            field += *field != '\0';
            continue;
        }
        snprintf(name, sizeof(name), "%.*s", (int)(size < 63 ? size : 63), field);
        field += size + strspn(field + size, " \t");
        if (*field == '=') {
            field++;
            field += strspn(field, " \t");
            field = read_value(value, sizeof(value), field);
            take_parameter(&challenge, name, value);
        }
        else {
            settle(digest, &challenge);
            begin(&challenge, name);
        }
    }
    settle(digest, &challenge);
}

/* ---- Answers ------------------------------------------------------------------------------ */

#define HASH_SIZE 32
#define HEX_SIZE  (2 * HASH_SIZE + 1)

union hash {
    struct md5_ctx md5;
    struct sha256_ctx sha256;
    struct sha512_ctx sha512_256;
};

static void hash_add(union hash *hash, enum digest_way way, const char *text)
{
    const uint8_t *bytes = (const uint8_t *)text;
    size_t size = strlen(text);

    switch (way) {
    case DIGEST_SHA256:
        sha256_update(&hash->sha256, size, bytes);
        break;
    case DIGEST_SHA512_256:
        sha512_256_update(&hash->sha512_256, size, bytes);
        break;
    default:
        md5_update(&hash->md5, size, bytes);
    }
}

static size_t hash_end(union hash *hash, enum digest_way way, uint8_t out[HASH_SIZE])
{
    switch (way) {
    case DIGEST_SHA256:
        sha256_digest(&hash->sha256, SHA256_DIGEST_SIZE, out);
        return SHA256_DIGEST_SIZE;
    case DIGEST_SHA512_256:
        sha512_256_digest(&hash->sha512_256, SHA512_256_DIGEST_SIZE, out);
        return SHA512_256_DIGEST_SIZE;
    default:
        md5_digest(&hash->md5, MD5_DIGEST_SIZE, out);
        return MD5_DIGEST_SIZE;
    }
}

/* The texts with colons between them, hashed, in hex. The list ends with NULL. */
static void hash_texts(enum digest_way way, char hex[HEX_SIZE], const char *const *texts)
{
    union hash hash;
    uint8_t bytes[HASH_SIZE];
    size_t size, i;

    switch (way) {
    case DIGEST_SHA256:
        sha256_init(&hash.sha256);
        break;
    case DIGEST_SHA512_256:
        sha512_256_init(&hash.sha512_256);
        break;
    default:
        md5_init(&hash.md5);
    }
    for (i = 0; texts[i]; i++) {
        hash_add(&hash, way, i ? ":" : "");
        hash_add(&hash, way, texts[i]);
    }
    size = hash_end(&hash, way, bytes);
    for (i = 0; i < size; i++) {
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    }
    explicit_bzero(&hash, sizeof(hash));
}

static size_t format_basic(char *out, size_t room, const char *user, const char *password)
{
    char plain[600];
    int size = snprintf(plain, sizeof(plain), "%s:%s", user, password);

    if (size < 0 || (size_t)size >= sizeof(plain) ||
        room < 7 + BASE64_ENCODE_RAW_LENGTH((size_t)size)) {
        return 0;
    }
    memcpy(out, "Basic ", 6);
    base64_encode_raw(out + 6, (size_t)size, (const uint8_t *)plain);
    explicit_bzero(plain, sizeof(plain));
    out[6 + BASE64_ENCODE_RAW_LENGTH((size_t)size)] = '\0';
    return strlen(out);
}

/* As it may stand between quotes. */
static void quote(char *out, size_t room, const char *text)
{
    size_t used = 0;

    for (; *text && used + 2 < room; text++) {
        if (*text == '"' || *text == '\\') {
            out[used++] = '\\';
        }
        out[used++] = *text;
    }
    out[used] = '\0';
}

static const char *algorithm_of(const struct digest *digest)
{
    size_t i;

    for (i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        if (algorithms[i].way == digest->way && algorithms[i].session == digest->session) {
            return algorithms[i].name;
        }
    }
    return "MD5";
}

static void make_response(const struct digest *digest, char response[HEX_SIZE], const char *user,
                          const char *password, const char *method, const char *uri,
                          const char *client)
{
    char secret[HEX_SIZE], asked[HEX_SIZE], inner[HEX_SIZE], count[16];

    hash_texts(digest->way, secret, (const char *const[]){ user, digest->realm, password, NULL });
    if (digest->session) {
        memcpy(inner, secret, sizeof(inner));
        hash_texts(digest->way, secret,
                   (const char *const[]){ inner, digest->nonce, client, NULL });
    }
    hash_texts(digest->way, asked, (const char *const[]){ method, uri, NULL });
    snprintf(count, sizeof(count), "%08x", digest->count);
    if (digest->qop) {
        hash_texts(
            digest->way, response,
            (const char *const[]){ secret, digest->nonce, count, client, "auth", asked, NULL });
    }
    else {
        hash_texts(digest->way, response,
                   (const char *const[]){ secret, digest->nonce, asked, NULL });
    }
    explicit_bzero(secret, sizeof(secret));
    explicit_bzero(inner, sizeof(inner));
}

size_t digest_format(struct digest *digest, char *out, size_t room, const char *user,
                     const char *password, const char *method, const char *uri, const char *client)
{
    char response[HEX_SIZE];
    char quoted_user[512], realm[512];
    char more[700] = "";
    int length, used = 0;

    if (digest->way <= DIGEST_BASIC) {
        return digest->way == DIGEST_BASIC ? format_basic(out, room, user, password) : 0;
    }
    digest->count++;
    make_response(digest, response, user, password, method, uri, client);
    quote(quoted_user, sizeof(quoted_user), user);
    quote(realm, sizeof(realm), digest->realm);
    if (digest->opaque[0]) {
        used = snprintf(more, sizeof(more), ", opaque=\"%s\"", digest->opaque);
    }
    if (digest->qop || digest->session) {
        snprintf(more + used, sizeof(more) - (size_t)used, "%s, cnonce=\"%s\", nc=%08x",
                 digest->qop ? ", qop=auth" : "", client, digest->count);
    }
    /* Cameras that do not name MD5 may stumble over its name. */
    length = snprintf(out, room,
                      "Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", "
                      "response=\"%s\"%s%s%s",
                      quoted_user, realm, digest->nonce, uri, response,
                      digest->named ? ", algorithm=" : "",
                      digest->named ? algorithm_of(digest) : "", more);
    return length > 0 && (size_t)length < room ? (size_t)length : 0;
}

size_t digest_base64_size(size_t size)
{
    return BASE64_ENCODE_RAW_LENGTH(size);
}

void digest_base64(char *out, const void *bytes, size_t size)
{
    base64_encode_raw(out, size, bytes);
}
