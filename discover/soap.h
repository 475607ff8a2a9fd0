/* What is said to cameras and what they answer: WS-Discovery 1.0 (April 2005, as ONVIF uses it) and
 * the five ONVIF requests that lead to a stream's address. Text in, text out; libxml2 is used here
 * alone. Answers come from the network: no entity is expanded, nothing is loaded, sizes are
 * bounded. */
#ifndef SOAP_H
#define SOAP_H

#include <stddef.h>

#define SOAP_ANSWER_MAX  (1024 * 1024)
#define SOAP_TEXT_MAX    512
#define SOAP_PROFILE_MAX 16

/* A camera that answered a probe. Texts are UTF-8 without control characters, "" if not said. */
struct soap_match {
    char address[SOAP_TEXT_MAX]; /* of its device service: the first http:// or https:// one */
    char name[SOAP_TEXT_MAX];    /* from the scopes, percent-decoded */
    char hardware[SOAP_TEXT_MAX];
};

struct soap_profile {
    char token[SOAP_TEXT_MAX];
    char name[SOAP_TEXT_MAX];
    char encoding[32];
    int width, height; /* 0: not said */
};

/* Who asks: a WS-Security UsernameToken with a digest, never the password itself. */
struct soap_user {
    const char *name; /* NULL: nobody */
    const char *password;
    long clock_ahead; /* the camera's clock against ours, seconds */
};

/* Each *_request() returns a whole envelope, the caller's to free(). */

/* message_id: a UUID in text. */
char *soap_probe(const char *message_id);
char *soap_clock_request(void);
char *soap_device_request(const struct soap_user *user);
char *soap_media_request(const struct soap_user *user);
char *soap_profiles_request(const struct soap_user *user);
char *soap_stream_request(const struct soap_user *user, const char *token);

/* Each *_parse(): 0, or -1: this answer does not say it. */

int soap_match_parse(struct soap_match *match, const char *text, size_t size,
                     const char *message_id);
int soap_clock_parse(long *seconds_since_1970, const char *text, size_t size);
int soap_device_parse(char maker[SOAP_TEXT_MAX], char model[SOAP_TEXT_MAX], const char *text,
                      size_t size);
int soap_media_parse(char address[SOAP_TEXT_MAX], const char *text, size_t size);
int soap_stream_parse(char url[SOAP_TEXT_MAX], const char *text, size_t size);
/* How many, up to SOAP_PROFILE_MAX. */
int soap_profiles_parse(struct soap_profile *profiles, const char *text, size_t size);
/* The reason of a SOAP fault, like "Sender not Authorized". */
int soap_fault_parse(char reason[SOAP_TEXT_MAX], const char *text, size_t size);

#endif
