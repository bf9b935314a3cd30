/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of resources and of invitations. */
#include "core_fixture.h"

static void test_make(void)
{
    int zeros = 0;
    int ones = 0xff;
    const identity_random_t low = {fill_with_byte, &zeros};
    const identity_random_t high = {fill_with_byte, &ones};

    is_str(identity_id_make(pool, "user", 0, &low), "user_00000000000000000000", "the first id of all");
    is_str(identity_id_make(pool, "user", 61, &low), "user_00000000z00000000000", "61 microseconds");
    is_str(identity_id_make(pool, "user", 62, &low), "user_00000001000000000000", "62 microseconds");
    ok(identity_id_valid(identity_id_make(pool, "memb", APR_INT64_C(1705311000000000), &high), "memb"),
       "every random byte gives a valid id");
    is_str(identity_id_make(pool, "user", 1, &no_random), NULL, "no id without random bytes");
    is_str(identity_id_make(pool, "user", -1, &low), NULL, "no id before all time");
}

static void test_order(void)
{
    const char *before = "";
    apr_time_t now = APR_INT64_C(1705311000000000);
    int wrong = 0;

    for (int i = 0; i < 2000; i++, now += 1 + (apr_time_t)i * i * 977) {
        const char *id = identity_id_make(pool, "role", now, &machine_random);
        wrong += strcmp(before, id) >= 0 || !identity_id_valid(id, "role");
        before = id;
    }
    is_int(wrong, 0, "ids sort by their time");
    ok(strcmp(identity_id_make(pool, "role", now, &machine_random),
              identity_id_make(pool, "role", now, &machine_random)),
       "two ids of one microsecond differ");
}

static void test_valid(void)
{
    ok(identity_id_valid("user_0123456789ABCDEFGHxz", "user"), "an id");
    ok(!identity_id_valid(NULL, "user"), "NULL is none");
    ok(!identity_id_valid("", "user"), "nothing is none");
    ok(!identity_id_valid("user", "user"), "the prefix alone is none");
    ok(!identity_id_valid("user_", "user"), "the start alone is none");
    ok(!identity_id_valid("role_0123456789ABCDEFGHxz", "user"), "another prefix");
    ok(!identity_id_valid("user_0123456789ABCDEFGHx", "user"), "19 characters");
    ok(!identity_id_valid("user_0123456789ABCDEFGHxyz", "user"), "21 characters");
    ok(!identity_id_valid("user_0123456789ABCDEFGHx-", "user"), "a hyphen");
    ok(!identity_id_valid("user_0123456789ABCDEFGH'x", "user"), "a quote");
    ok(!identity_id_valid("user_0123456789ABCDEFG\xc3\xa9x", "user"), "a letter with an accent");
    ok(!identity_id_valid("user-0123456789ABCDEFGHxz", "user"), "a hyphen behind the prefix");
}

static void test_invitation(void)
{
    int byte = 0xa5;
    const identity_random_t fixed = {fill_with_byte, &byte};
    const char *id = identity_invitation_id_make(pool, APR_INT64_C(1705311000123456), &fixed);

    is_str(id, "018D0C74D63BA5A5A5A5A5A5A5A5A5A5", "12 digits of milliseconds, 20 random ones");
    ok(identity_invitation_id_valid(id), "it is valid");
    ok(identity_invitation_id_valid(identity_invitation_id_make(pool, apr_time_now(), &machine_random)), "another one");
    is_str(identity_invitation_id_make(pool, 1, &no_random), NULL, "none without random bytes");
    ok(!identity_invitation_id_valid(NULL), "NULL is none");
    ok(!identity_invitation_id_valid("018D0C74D63BA5A5A5A5A5A5A5A5A5A"), "31 digits");
    ok(!identity_invitation_id_valid("018D0C74D63BA5A5A5A5A5A5A5A5A5A5A"), "33 digits");
    ok(!identity_invitation_id_valid("018d0c74D63BA5A5A5A5A5A5A5A5A5A5"), "lower case");
    ok(!identity_invitation_id_valid("018G0C74D63BA5A5A5A5A5A5A5A5A5A5"), "a G");
}

int main(void)
{
    fixture_begin();
    test_make();
    test_order();
    test_valid();
    test_invitation();
    return fixture_end();
}
