/* SPDX-License-Identifier: Apache-2.0 */
/* Item 13: what is written piece by piece has the bytes that jansson gives it. */
#include <string.h>

#include "core_fixture.h"

static const char *written(const char *text)
{
    identity_writer_t writer;
    size_t length;

    identity_writer_begin(&writer, pool, 1, 1000000);
    return identity_write_text(&writer, text) ? identity_writer_end(&writer, &length) : NULL;
}

static const char *by_jansson(const char *text)
{
    json_t *value = identity_json_own(pool, json_string(text));
    return value ? identity_json_text(pool, value, NULL) : NULL;
}

/* Each byte at each place of a word, and in front of what follows one. */
static void test_bytes(void)
{
    int wrong = 0;

    for (int c = 1; c < 256; c++)
        for (int at = 0; at < 18; at++) {
            char text[] = "abcdefghijklmnopqr";
            text[at] = (char)c;
            const char *expected = by_jansson(text), *got = written(text);
            wrong += !expected != !got || (expected && strcmp(expected, got) != 0);
        }
    is_int(wrong, 0, "each byte at each of 18 places");
    for (int c = 1; c < 256; c++)
        for (int next = 1; next < 256; next++) {
            char text[] = "abcdefgh..ijklmnop";
            text[8] = (char)c;
            text[9] = (char)next;
            const char *expected = by_jansson(text), *got = written(text);
            wrong += !expected != !got || (expected && strcmp(expected, got) != 0);
        }
    is_int(wrong, 0, "each pair of bytes");
}

static void test_characters(void)
{
    static const char *const texts[] = {"",
                                        "\xc3\xa9",
                                        "\xe2\x80\xa8",
                                        "\xf0\x9f\x98\x80",
                                        "\xf4\x8f\xbf\xbf",
                                        "\xf4\x90\x80\x80",
                                        "\xed\xa0\x80",
                                        "\xc0\x80",
                                        "\xe0\x80\x80",
                                        "\xe2\x80",
                                        "\xf0\x9f\x98",
                                        "12345678\xc3",
                                        "a\\b\"c/d\x7f",
                                        "\xef\xbf\xbf"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        is_str(written(texts[i]), by_jansson(texts[i]), "text %d as jansson has it", (int)i);
    is_str(written(NULL), "null", "nothing");
}

static void test_members(void)
{
    identity_writer_t writer;
    size_t length;

    identity_writer_begin(&writer, pool, 1, 1000000);
    identity_write_literal(&writer, "{\"a\":");
    identity_write_number(&writer, 0);
    identity_write_member(&writer, ",\"b\":", "x");
    identity_write_member(&writer, ",\"c\":", "\xff");
    identity_write_member(&writer, ",\"d\":", NULL);
    identity_write_literal(&writer, ",\"e\":[");
    identity_write_number(&writer, -1);
    identity_write_literal(&writer, ",");
    identity_write_number(&writer, APR_INT64_MIN);
    identity_write_literal(&writer, ",");
    identity_write_number(&writer, APR_INT64_MAX);
    identity_write_literal(&writer, "],\"f\":");
    identity_write_time(&writer, 0);
    identity_write_literal(&writer, ",\"g\":");
    identity_write_time(&writer, apr_time_from_sec(1700000000));
    identity_write_literal(&writer, "}");
    is_str(identity_writer_end(&writer, &length),
           "{\"a\":0,\"b\":\"x\",\"d\":null,\"e\":[-1,-9223372036854775808,9223372036854775807],\"f\":null,"
           "\"g\":\"2023-11-14T22:13:20Z\"}",
           "members, numbers, times; a text that is no UTF-8 is left out with its name");
    is_int((long)length, (long)strlen(writer.text), "its length");
}

static void test_growth(void)
{
    for (size_t max = 0; max < 3000; max += 7) {
        identity_writer_t writer;
        size_t length, whole = 0;

        identity_writer_begin(&writer, pool, 1, max);
        for (int i = 0; i < 100; i++) {
            identity_write_text(&writer, "twelve chars");
            whole += 14;
        }
        const char *text = identity_writer_end(&writer, &length);
        if (!text != (whole > max) || (text ? strlen(text) != whole : length <= max)) {
            ok(false, "of at most %d bytes", (int)max);
            return;
        }
    }
    ok(true, "it grows, and ends where it would be too large");
}

int main(void)
{
    fixture_begin();
    test_bytes();
    test_characters();
    test_members();
    test_growth();
    return fixture_end();
}
