#include "soap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#define MEDIA  "http://www.onvif.org/ver10/media/wsdl"
#define DEVICE "http://www.onvif.org/ver10/device/wsdl"
#define WSS    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"

/* ---- What is said ---- */

/* As asprintf(), where out of memory is the end. */
__attribute__((format(printf, 1, 2))) static char *text(const char *format, ...)
{
    va_list arguments;
    char *result;

    va_start(arguments, format);
    if (vasprintf(&result, format, arguments) < 0) {
        abort();
    }
    va_end(arguments);
    return result;
}

char *soap_probe(const char *message_id)
{
    return text(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\""
        " xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\""
        " xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\""
        " xmlns:dn=\"http://www.onvif.org/ver10/network/wsdl\">"
        "<s:Header>"
        "<a:Action "
        "s:mustUnderstand=\"1\">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>"
        "<a:MessageID>uuid:%s</a:MessageID>"
        "<a:To s:mustUnderstand=\"1\">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"
        "</s:Header>"
        "<s:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></s:Body>"
        "</s:Envelope>",
        message_id);
}

static char *base64(const unsigned char *data, unsigned size)
{
    const gnutls_datum_t raw = { (unsigned char *)data, size };
    gnutls_datum_t coded;
    char *result;

    if (gnutls_base64_encode2(&raw, &coded) < 0) {
        abort();
    }
    result = text("%.*s", (int)coded.size, (const char *)coded.data);
    gnutls_free(coded.data);
    return result;
}

/* OASIS UsernameToken Profile 1.0: Base64(SHA-1(nonce + created + password)). */
static char *digest_of(const unsigned char *nonce, size_t size, const char *created,
                       const char *password)
{
    unsigned char sum[20];
    gnutls_hash_hd_t hash;

    if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA1) < 0) {
        abort();
    }
    gnutls_hash(hash, nonce, size);
    gnutls_hash(hash, created, strlen(created));
    gnutls_hash(hash, password, strlen(password));
    gnutls_hash_deinit(hash, sum);
    return base64(sum, sizeof(sum));
}

static char *security_of(const struct soap_user *user)
{
    unsigned char nonce[16];
    char created[32], *digest, *coded, *result;
    time_t now = time(NULL) + (user->name ? user->clock_ahead : 0);
    xmlChar *name;
    struct tm utc;

    if (!user->name) {
        return text("%s", "");
    }
    if (gnutls_rnd(GNUTLS_RND_NONCE, nonce, sizeof(nonce)) < 0 || !gmtime_r(&now, &utc)) {
        abort();
    }
    strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &utc);
    digest = digest_of(nonce, sizeof(nonce), created, user->password);
    coded = base64(nonce, sizeof(nonce));
    name = xmlEncodeSpecialChars(NULL, (const xmlChar *)user->name);
    result =
        text("<w:Security s:mustUnderstand=\"1\" xmlns:w=\"" WSS "wssecurity-secext-1.0.xsd\""
             " xmlns:u=\"" WSS "wssecurity-utility-1.0.xsd\"><w:UsernameToken>"
             "<w:Username>%s</w:Username>"
             "<w:Password Type=\"" WSS "username-token-profile-1.0#PasswordDigest\">%s</w:Password>"
             "<w:Nonce EncodingType=\"" WSS "soap-message-security-1.0#Base64Binary\">%s</w:Nonce>"
             "<u:Created>%s</u:Created></w:UsernameToken></w:Security>",
             (const char *)name, digest, coded, created);
    xmlFree(name);
    free(digest);
    free(coded);
    return result;
}

static char *request(const struct soap_user *user, const char *body)
{
    char *security = security_of(user);
    char *result = text("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
                        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\">"
                        "<s:Header>%s</s:Header><s:Body>%s</s:Body></s:Envelope>",
                        security, body);

    free(security);
    return result;
}

char *soap_clock_request(void)
{
    static const struct soap_user nobody = { 0 };

    return request(&nobody, "<GetSystemDateAndTime xmlns=\"" DEVICE "\"/>");
}

char *soap_device_request(const struct soap_user *user)
{
    return request(user, "<GetDeviceInformation xmlns=\"" DEVICE "\"/>");
}

char *soap_media_request(const struct soap_user *user)
{
    return request(user, "<GetCapabilities xmlns=\"" DEVICE
                         "\"><Category>Media</Category></GetCapabilities>");
}

char *soap_profiles_request(const struct soap_user *user)
{
    return request(user, "<GetProfiles xmlns=\"" MEDIA "\"/>");
}

char *soap_stream_request(const struct soap_user *user, const char *token)
{
    xmlChar *safe = xmlEncodeSpecialChars(NULL, (const xmlChar *)token);
    char *body =
        text("<GetStreamUri xmlns=\"" MEDIA "\"><StreamSetup>"
             "<Stream xmlns=\"http://www.onvif.org/ver10/schema\">RTP-Unicast</Stream>"
             "<Transport xmlns=\"http://www.onvif.org/ver10/schema\"><Protocol>RTSP</Protocol>"
             "</Transport></StreamSetup><ProfileToken>%s</ProfileToken></GetStreamUri>",
             (const char *)safe);
    char *result = request(user, body);

    xmlFree(safe);
    free(body);
    return result;
}

/* ---- What is answered ---- */

static void keep_quiet(void *context, const char *format, ...)
{
}

/* NULL: no XML, or one with a document type, which SOAP forbids and entity bombs need. */
static xmlDocPtr parse(const char *data, size_t size)
{
    xmlDocPtr document = NULL;

    xmlSetGenericErrorFunc(NULL, keep_quiet);
    if (size > 0 && size <= SOAP_ANSWER_MAX) {
        document = xmlReadMemory(data, (int)size, NULL, NULL,
                                 XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                     XML_PARSE_NOBLANKS);
    }
    if (document && document->intSubset) {
        xmlFreeDoc(document);
        document = NULL;
    }
    return document;
}

/* The next element in document order, within top. */
static xmlNodePtr next_node(xmlNodePtr node, xmlNodePtr top)
{
    if (node->type == XML_ELEMENT_NODE && node->children) {
        return node->children;
    }
    while (node != top && !node->next) {
        node = node->parent;
    }
    return node == top ? NULL : node->next;
}

/* The first element of that name within top, whatever its namespace's prefix; cameras disagree
 * about namespaces' versions, so these are not compared. */
static xmlNodePtr find(xmlNodePtr top, const char *name)
{
    xmlNodePtr node;

    for (node = top; node; node = next_node(node, top)) {
        if (node->type == XML_ELEMENT_NODE && !strcmp((const char *)node->name, name)) {
            return node;
        }
    }
    return NULL;
}

/* How many bytes at from are one character that has no place in a line of text: control characters,
 * and those that turn the direction of what follows (U+202A to 202E, U+2066 to 2069). 0: it may
 * stand. */
static size_t unwanted(const char *from, size_t length)
{
    const unsigned char *byte = (const unsigned char *)from;

    if (byte[0] < 32 || byte[0] == 127) {
        return 1;
    }
    if (length >= 2 && byte[0] == 0xC2 && byte[1] >= 0x80 && byte[1] <= 0x9F) {
        return 2;
    }
    if (length >= 3 && byte[0] == 0xE2 &&
        ((byte[1] == 0x80 && byte[2] >= 0xAA && byte[2] <= 0xAE) ||
         (byte[1] == 0x81 && byte[2] >= 0xA6 && byte[2] <= 0xA9))) {
        return 3;
    }
    return 0;
}

/* The length of the character that a byte of UTF-8 begins, at most length. */
static size_t character(unsigned char byte, size_t length)
{
    size_t size = byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;

    return size < length ? size : length;
}

/* Without what is unwanted and the blanks around it; cut to size at a character's end. */
static void copy_clean(char *to, size_t size, const char *from, size_t length)
{
    size_t used = 0, step;

    for (; length > 0; from += step, length -= step) {
        int blank = strchr(" \t\r\n", *from) != NULL;

        if (!blank && (step = unwanted(from, length)) > 0) {
            continue;
        }
        step = character((unsigned char)*from, length);
        if (blank && used == 0) {
            continue;
        }
        if (used + step >= size) {
            break;
        }
        memcpy(to + used, blank ? " " : from, step);
        used += step;
    }
    while (used > 0 && to[used - 1] == ' ') {
        used--;
    }
    to[used] = '\0';
}

/* 0, and the text of the first element of that name within top; -1 and "": there is none. */
static int text_of(char *to, size_t size, xmlNodePtr top, const char *name)
{
    xmlNodePtr node = top ? find(top, name) : NULL;
    xmlChar *content = node ? xmlNodeGetContent(node) : NULL;

    to[0] = '\0';
    if (content) {
        copy_clean(to, size, (const char *)content, strlen((const char *)content));
        xmlFree(content);
    }
    return to[0] ? 0 : -1;
}

static long number_of(xmlNodePtr top, const char *name)
{
    char digits[16];

    return text_of(digits, sizeof(digits), top, name) ? 0 : strtol(digits, NULL, 10);
}

static int hex(char digit)
{
    const char *digits = "0123456789abcdef", *at;

    at = digit ? strchr(digits, digit | 32) : NULL;
    return at ? (int)(at - digits) : -1;
}

static void percent_decode(char *to, size_t size, const char *from, size_t length)
{
    char plain[SOAP_TEXT_MAX];
    size_t used = 0, i;

    for (i = 0; i < length && used < sizeof(plain); i++) {
        int high = from[i] == '%' && i + 2 < length ? hex(from[i + 1]) : -1;
        int low = high >= 0 ? hex(from[i + 2]) : -1;

        plain[used++] = low >= 0 ? (char)(high * 16 + low) : from[i];
        i += low >= 0 ? 2 : 0;
    }
    copy_clean(to, size, plain, used);
}

/* "onvif://www.onvif.org/name/Gate%20North ...": what stands behind kind in the first such
 * scope. */
static void scope_of(char *to, size_t size, const char *scopes, const char *kind)
{
    const char *at = strstr(scopes, kind);

    to[0] = '\0';
    if (at) {
        at += strlen(kind);
        percent_decode(to, size, at, strcspn(at, " "));
    }
}

/* Of addresses separated by blanks the first that is HTTP. */
static int first_http(char *to, size_t size, const char *addresses)
{
    const char *at = addresses;

    while (*at) {
        size_t length = strcspn(at, " \t\r\n");

        if ((!strncmp(at, "http://", 7) || !strncmp(at, "https://", 8)) && length < size) {
            copy_clean(to, size, at, length);
            return 0;
        }
        at += length;
        at += strspn(at, " \t\r\n");
    }
    return -1;
}

static int match_of(struct soap_match *match, xmlNodePtr root, const char *message_id)
{
    char related[SOAP_TEXT_MAX], addresses[4 * SOAP_TEXT_MAX], scopes[8 * SOAP_TEXT_MAX];
    xmlNodePtr found = find(root, "ProbeMatch");

    /* An answer to somebody else's question is none; a camera that does not say whose is
     * believed. */
    if (!text_of(related, sizeof(related), root, "RelatesTo") && !strstr(related, message_id)) {
        return -1;
    }
    if (!found || text_of(addresses, sizeof(addresses), found, "XAddrs")) {
        return -1;
    }
    text_of(scopes, sizeof(scopes), found, "Scopes");
    scope_of(match->name, sizeof(match->name), scopes, "onvif://www.onvif.org/name/");
    scope_of(match->hardware, sizeof(match->hardware), scopes, "onvif://www.onvif.org/hardware/");
    return first_http(match->address, sizeof(match->address), addresses);
}

int soap_match_parse(struct soap_match *match, const char *data, size_t size,
                     const char *message_id)
{
    xmlDocPtr document = parse(data, size);
    int rc = -1;

    memset(match, 0, sizeof(*match));
    if (document) {
        rc = match_of(match, xmlDocGetRootElement(document), message_id);
    }
    xmlFreeDoc(document);
    return rc;
}

static int clock_of(long *seconds, xmlNodePtr root)
{
    xmlNodePtr utc = find(root, "UTCDateTime");
    struct tm time = { 0 };

    if (!utc || !find(utc, "Year")) {
        return -1;
    }
    time.tm_year = (int)number_of(utc, "Year") - 1900;
    time.tm_mon = (int)number_of(utc, "Month") - 1;
    time.tm_mday = (int)number_of(utc, "Day");
    time.tm_hour = (int)number_of(utc, "Hour");
    time.tm_min = (int)number_of(utc, "Minute");
    time.tm_sec = (int)number_of(utc, "Second");
    if (time.tm_year < 70 || time.tm_year > 1000) {
        return -1;
    }
    *seconds = (long)timegm(&time);
    return 0;
}

int soap_clock_parse(long *seconds, const char *data, size_t size)
{
    xmlDocPtr document = parse(data, size);
    int rc = document ? clock_of(seconds, xmlDocGetRootElement(document)) : -1;

    xmlFreeDoc(document);
    return rc;
}

int soap_device_parse(char maker[SOAP_TEXT_MAX], char model[SOAP_TEXT_MAX], const char *data,
                      size_t size)
{
    xmlDocPtr document = parse(data, size);
    xmlNodePtr root = document ? xmlDocGetRootElement(document) : NULL;
    int missing = text_of(maker, SOAP_TEXT_MAX, root, "Manufacturer");

    missing |= text_of(model, SOAP_TEXT_MAX, root, "Model");
    xmlFreeDoc(document);
    return missing ? -1 : 0;
}

/* The text of inner in the first outer. */
static int parse_inner(char to[SOAP_TEXT_MAX], const char *data, size_t size, const char *outer,
                       const char *inner)
{
    xmlDocPtr document = parse(data, size);
    xmlNodePtr node = document ? find(xmlDocGetRootElement(document), outer) : NULL;
    int rc = text_of(to, SOAP_TEXT_MAX, node, inner);

    xmlFreeDoc(document);
    return rc;
}

int soap_media_parse(char address[SOAP_TEXT_MAX], const char *data, size_t size)
{
    char raw[SOAP_TEXT_MAX];

    return parse_inner(raw, data, size, "Media", "XAddr") ? -1
                                                          : first_http(address, SOAP_TEXT_MAX, raw);
}

int soap_stream_parse(char url[SOAP_TEXT_MAX], const char *data, size_t size)
{
    return parse_inner(url, data, size, "MediaUri", "Uri");
}

int soap_fault_parse(char reason[SOAP_TEXT_MAX], const char *data, size_t size)
{
    if (!parse_inner(reason, data, size, "Fault", "Text")) {
        return 0;
    }
    return parse_inner(reason, data, size, "Fault", "faultstring"); /* SOAP 1.1 */
}

static int profile_of(struct soap_profile *profile, xmlNodePtr node)
{
    xmlNodePtr video = find(node, "VideoEncoderConfiguration");
    xmlChar *token = xmlGetProp(node, (const xmlChar *)"token");

    memset(profile, 0, sizeof(*profile));
    if (token) {
        copy_clean(profile->token, sizeof(profile->token), (const char *)token,
                   strlen((const char *)token));
        xmlFree(token);
    }
    text_of(profile->name, sizeof(profile->name), node, "Name");
    if (video) {
        text_of(profile->encoding, sizeof(profile->encoding), video, "Encoding");
        profile->width = (int)number_of(video, "Width");
        profile->height = (int)number_of(video, "Height");
    }
    return profile->token[0] && video ? 0 : -1;
}

int soap_profiles_parse(struct soap_profile *profiles, const char *data, size_t size)
{
    xmlDocPtr document = parse(data, size);
    xmlNodePtr top = document ? find(xmlDocGetRootElement(document), "GetProfilesResponse") : NULL;
    xmlNodePtr node;
    int count = 0;

    for (node = top ? top->children : NULL; node && count < SOAP_PROFILE_MAX; node = node->next) {
        if (node->type == XML_ELEMENT_NODE && !strcmp((const char *)node->name, "Profiles") &&
            !profile_of(&profiles[count], node)) {
            count++;
        }
    }
    xmlFreeDoc(document);
    return count;
}
