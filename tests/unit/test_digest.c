#include "unit.h"
#include "digest.h"

static struct digest taken(const char *one, const char *two)
{
    struct digest digest = { 0 };

    digest_take(&digest, one);
    if (two) {
        digest_take(&digest, two);
    }
    return digest;
}

static void answers(struct digest digest, const char *user, const char *password,
                    const char *method, const char *uri, const char *client, const char *wanted)
{
    char text[2000];

    assert_true(digest_format(&digest, text, sizeof(text), user, password, method, uri, client) >
                0);
    if (!strstr(text, wanted)) {
        assert_string_equal(text, wanted);
    }
    assert_int_equal(digest_format(&digest, text, 20, user, password, method, uri, client), 0);
}

/* RFC 7616, 3.9.1 and 3.9.2; RFC 2617, 3.5. */
static void the_rfcs_own_examples_come_out(void **state)
{
#define MUFASA                                                                                     \
    "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", "                             \
    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "                                     \
    "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\", algorithm="

    answers(taken(MUFASA "MD5", NULL), "Mufasa", "Circle of Life", "GET", "/dir/index.html",
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            "response=\"8ca523f5e9506fed4657c9700eebdbec\"");
    answers(taken(MUFASA "SHA-256", NULL), "Mufasa", "Circle of Life", "GET", "/dir/index.html",
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"");
    answers(taken("Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", "
                  "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc\"", NULL),
            "Mufasa", "Circle Of Life", "GET", "/dir/index.html", "0a4f113b",
            "response=\"6629fae49393a05397450978507c4ef1\"");
}

static void the_strongest_counts_whatever_the_order_and_the_number_of_fields(void **state)
{
    const char *md5 = "Digest realm=\"a\", nonce=\"1\", algorithm=MD5";
    const char *sha = "Digest realm=\"b\", nonce=\"2\", algorithm=SHA-256";

    assert_string_equal(taken(md5, sha).realm, "b");
    assert_string_equal(taken(sha, md5).realm, "b");
    assert_string_equal(
        taken("Basic realm=\"c\", Digest realm=\"a\", nonce=\"1\"", NULL).realm, "a");
    assert_int_equal(taken("Digest realm=\"a\",nonce=\"1\",Digest realm=\"d\",nonce=\"3\","
                           "algorithm=SHA-512-256,Basic realm=\"x\"", NULL).way,
                     DIGEST_SHA512_256);
    assert_int_equal(taken("Basic realm=\"c\"", NULL).way, DIGEST_BASIC);
}

static void what_is_not_known_is_named(void **state)
{
    struct digest digest =
        taken("Digest realm=\"a\", nonce=\"1\", algorithm=WHIRLPOOL", NULL);

    assert_int_equal(digest.way, DIGEST_NONE);
    assert_string_equal(digest.other, "WHIRLPOOL");
    assert_int_equal(taken("NTLM", NULL).way, DIGEST_NONE);
    assert_string_equal(taken("NTLM", NULL).other, "NTLM");
    assert_int_equal(taken("Digest realm=\"a\", qop=\"auth-int\"", NULL).way, DIGEST_NONE);
    assert_int_equal(taken("", NULL).offers, 0);
}

static void a_stale_nonce_and_quotes_are_read(void **state)
{
    struct digest digest =
        taken("Digest realm=\"a \\\"b\\\", c\" , nonce = \"x\", stale=TRUE", NULL);

    assert_string_equal(digest.realm, "a \"b\", c");
    assert_string_equal(digest.nonce, "x");
    assert_true(digest.stale);
    answers(digest, "us\"er", "", "PLAY", "rtsp://h", "c",
            "username=\"us\\\"er\", realm=\"a \\\"b\\\", c\"");
}

static void basic_is_base64(void **state)
{
    answers(taken("Basic realm=\"x\"", NULL), "Aladdin", "open sesame", "PLAY", "", "",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

static void uses_of_a_nonce_are_counted(void **state)
{
    struct digest digest =
        taken("Digest realm=\"a\", nonce=\"1\", qop=auth", NULL);
    char text[1000];

    digest_format(&digest, text, sizeof(text), "u", "p", "PLAY", "x", "c");
    assert_non_null(strstr(text, "qop=auth, cnonce=\"c\", nc=00000001"));
    digest_format(&digest, text, sizeof(text), "u", "p", "PLAY", "x", "c");
    assert_non_null(strstr(text, "nc=00000002"));
    assert_null(strstr(text, "algorithm"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_own_examples_come_out),
        cmocka_unit_test(the_strongest_counts_whatever_the_order_and_the_number_of_fields),
        cmocka_unit_test(what_is_not_known_is_named),
        cmocka_unit_test(a_stale_nonce_and_quotes_are_read),
        cmocka_unit_test(basic_is_base64),
        cmocka_unit_test(uses_of_a_nonce_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
