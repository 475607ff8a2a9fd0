#include "unit.h"
#include "soap.h"

#include <stdio.h>
#include <stdlib.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#define MATCH                                                                                      \
    "<?xml version=\"1.0\"?><SOAP-ENV:Envelope "                                                   \
    "xmlns:SOAP-ENV=\"http://www.w3.org/2003/05/soap-envelope\""                                   \
    " xmlns:wsa=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\""                              \
    " xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\"><SOAP-ENV:Header>"               \
    "<wsa:RelatesTo>%s</wsa:RelatesTo></"                                                          \
    "SOAP-ENV:Header><SOAP-ENV:Body><d:ProbeMatches><d:ProbeMatch>"                                \
    "<d:Scopes>onvif://www.onvif.org/type/video onvif://www.onvif.org/name/Gate%%20North\n"        \
    "onvif://www.onvif.org/hardware/DS-2CD</d:Scopes>"                                             \
    "<d:XAddrs>\n http://[fe80::1]/x http://192.168.1.9/onvif/device_service </d:XAddrs>"          \
    "</d:ProbeMatch></d:ProbeMatches></SOAP-ENV:Body></SOAP-ENV:Envelope>"

static int match_of(struct soap_match *match, const char *relates_to)
{
    char text[4096];

    snprintf(text, sizeof(text), MATCH, relates_to);
    return soap_match_parse(match, text, strlen(text), "1-2-3");
}

static void soap_reads_what_a_camera_says_of_itself(void **state)
{
    struct soap_match match;

    assert_int_equal(match_of(&match, "uuid:1-2-3"), 0);
    assert_string_equal(match.address, "http://[fe80::1]/x");
    assert_string_equal(match.name, "Gate North");
    assert_string_equal(match.hardware, "DS-2CD");
}

static void soap_takes_no_answer_to_another_question(void **state)
{
    struct soap_match match;

    assert_int_equal(match_of(&match, "uuid:9-9-9"), -1);
    assert_int_equal(match_of(&match, ""), 0); /* it does not say whose: believed */
}

static void soap_refuses_a_document_type(void **state)
{
    static const char bomb[] =
        "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>"
        "<Envelope><Body><Media><XAddr>http://&b;/</XAddr></Media></Body></Envelope>";
    char address[SOAP_TEXT_MAX];

    assert_int_equal(soap_media_parse(address, bomb, strlen(bomb)), -1);
}

static void soap_reads_profiles_and_leaves_out_those_without_video(void **state)
{
    static const char answer[] =
        "<s:Envelope xmlns:s=\"x\"><s:Body><t:GetProfilesResponse xmlns:t=\"y\">"
        "<t:Profiles "
        "token=\"main\"><t:Name>Main</t:Name><t:VideoEncoderConfiguration><t:Encoding>H264</"
        "t:Encoding>"
        "<t:Resolution><t:Width>1920</t:Width><t:Height>1080</t:Height></t:Resolution>"
        "</t:VideoEncoderConfiguration></t:Profiles>"
        "<t:Profiles token=\"sound\"><t:Name>Sound</t:Name></t:Profiles>"
        "<t:Profiles><t:VideoEncoderConfiguration/></t:Profiles>"
        "</t:GetProfilesResponse></s:Body></s:Envelope>";
    struct soap_profile profiles[SOAP_PROFILE_MAX];

    assert_int_equal(soap_profiles_parse(profiles, answer, strlen(answer)), 1);
    assert_string_equal(profiles[0].token, "main");
    assert_string_equal(profiles[0].encoding, "H264");
    assert_int_equal(profiles[0].width, 1920);
    assert_int_equal(profiles[0].height, 1080);
}

static void soap_reads_clock_device_stream_and_fault(void **state)
{
    static const char clock[] =
        "<E><UTCDateTime><Time><Hour>13</Hour><Minute>5</Minute><Second>7</Second></Time>"
        "<Date><Year>2026</Year><Month>11</Month><Day>28</Day></Date></UTCDateTime></E>";
    static const char device[] = "<E><Manufacturer> Acme\x07 </Manufacturer><Model>\xE2\x80\xAE"
                                 "C1</Model></E>";
    static const char stream[] =
        "<E><MediaUri><Uri>rtsp://10.0.0.9/s?a=1&amp;b=2</Uri></MediaUri></E>";
    static const char fault[] =
        "<E><Fault><Reason><Text>Sender not Authorized</Text></Reason></Fault></E>";
    char one[SOAP_TEXT_MAX], other[SOAP_TEXT_MAX];
    long seconds;

    assert_int_equal(soap_clock_parse(&seconds, clock, strlen(clock)), 0);
    assert_int_equal(seconds, 1795871107);
    assert_int_equal(soap_device_parse(one, other, device, strlen(device)),
                     -1); /* \x07 is no XML */
    assert_int_equal(soap_stream_parse(one, stream, strlen(stream)), 0);
    assert_string_equal(one, "rtsp://10.0.0.9/s?a=1&b=2");
    assert_int_equal(soap_fault_parse(one, fault, strlen(fault)), 0);
    assert_string_equal(one, "Sender not Authorized");
}

static void soap_takes_signs_that_turn_text_around_out_of_names(void **state)
{
    static const char device[] = "<E><Manufacturer> Acme &#x9b;</Manufacturer><Model>\xE2\x80\xAE"
                                 "C1</Model></E>";
    char maker[SOAP_TEXT_MAX], model[SOAP_TEXT_MAX];

    assert_int_equal(soap_device_parse(maker, model, device, strlen(device)), 0);
    assert_string_equal(maker, "Acme");
    assert_string_equal(model, "C1");
}

static void soap_cuts_long_text_at_a_character(void **state)
{
    char answer[4096] = "<E><MediaUri><Uri>", url[SOAP_TEXT_MAX];
    size_t i;

    for (i = 0; i < 400; i++) {
        strcat(answer, "\xC3\xA4"); /* two bytes each: 511 would cut one in half */
    }
    strcat(answer, "</Uri></MediaUri></E>");
    assert_int_equal(soap_stream_parse(url, answer, strlen(answer)), 0);
    assert_int_equal(strlen(url), 510);
}

static void between(char *to, size_t size, const char *text, const char *begin, const char *end)
{
    const char *from = strstr(text, begin);

    assert_non_null(from);
    from = strchr(from, '>') + 1;
    snprintf(to, size, "%.*s", (int)(strstr(from, end) - from), from);
}

static void soap_logs_in_with_a_digest_and_not_with_the_password(void **state)
{
    const struct soap_user user = { .name = "ad<min", .password = "secret", .clock_ahead = 3600 };
    char *text = soap_device_request(&user), nonce[64], created[64], digest[64], input[256];
    gnutls_datum_t coded = { (unsigned char *)nonce, 0 }, raw;
    unsigned char sum[20];
    size_t size;

    assert_null(strstr(text, "secret"));
    assert_non_null(strstr(text, "<w:Username>ad&lt;min</w:Username>"));
    between(nonce, sizeof(nonce), text, "<w:Nonce", "</w:Nonce>");
    between(created, sizeof(created), text, "<u:Created", "</u:Created>");
    between(digest, sizeof(digest), text, "<w:Password", "</w:Password>");
    coded.size = (unsigned)strlen(nonce);
    assert_int_equal(gnutls_base64_decode2(&coded, &raw), 0);
    memcpy(input, raw.data, raw.size);
    size = raw.size +
           (size_t)snprintf(input + raw.size, sizeof(input) - raw.size, "%ssecret", created);
    gnutls_hash_fast(GNUTLS_DIG_SHA1, input, size, sum);
    gnutls_free(raw.data);
    coded.data = sum;
    coded.size = sizeof(sum);
    assert_int_equal(gnutls_base64_encode2(&coded, &raw), 0);
    assert_int_equal(raw.size, strlen(digest));
    assert_memory_equal(raw.data, digest, raw.size);
    gnutls_free(raw.data);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(soap_reads_what_a_camera_says_of_itself),
        cmocka_unit_test(soap_takes_no_answer_to_another_question),
        cmocka_unit_test(soap_refuses_a_document_type),
        cmocka_unit_test(soap_reads_profiles_and_leaves_out_those_without_video),
        cmocka_unit_test(soap_reads_clock_device_stream_and_fault),
        cmocka_unit_test(soap_takes_signs_that_turn_text_around_out_of_names),
        cmocka_unit_test(soap_cuts_long_text_at_a_character),
        cmocka_unit_test(soap_logs_in_with_a_digest_and_not_with_the_password),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
