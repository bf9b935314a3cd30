/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that htidentity shares with the server, and signing keys beside a database. */
#include <sys/stat.h>
#include <time.h>
#include <utime.h>

#include "serve.h"

static void test_json(void)
{
    identity_settings_t one = door->settings, other = {.require_tls = true};

    one.public_url = "https://id.example.org";
    one.password_minimum = 15;
    one.retention.of[IDENTITY_KEEP_AUDIT] = apr_time_from_sec(90 * 86400);
    one.catalogue = IDENTITY_CATALOGUE_CORE;
    json_t *json = identity_json_own(door->pool, identity_settings_json(&one));
    identity_settings_read(door->pool, json, &other);
    json_t *again = identity_json_own(door->pool, identity_settings_json(&other));
    ok(json_equal(json, again), "M7: what was written is read");
    is_str(other.public_url, "https://id.example.org", "M7: the public URL");
    ok(other.require_tls, "what is not shared stays");
    json_object_del(json, "password_minimum");
    json_object_set_new(json, "hash_passes", json_string("many"));
    other.password_minimum = 9;
    other.hash.passes = 4;
    identity_settings_read(door->pool, json, &other);
    ok(other.password_minimum == 9 && other.hash.passes == 4, "M7: what is absent or of another type stays");
}

static void test_kept(void)
{
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};
    json_t *kept, *first = identity_json_own(door->pool, json_pack("{s:s, s:[s], s:n}", "a", "x", "b", "y", "c"));

    ok(identity_settings_kept(door->pool, &door->env, &kept, &problem), "read");
    is_int((int)json_object_size(kept), 0, "M7: nothing before a server has started");
    ok(identity_settings_keep(door->pool, &door->env, first), "written");
    ok(identity_settings_kept(door->pool, &door->env, &kept, &problem) && json_equal(kept, first), "M7: and read back");
    unsigned long before = identity_db_statements(door->db);
    ok(identity_settings_keep(door->pool, &door->env, first), "the same again");
    is_int((int)(identity_db_statements(door->db) - before), 1, "M7: is looked at and not written");
    json_object_del(first, "b");
    identity_settings_keep(door->pool, &door->env, first);
    ok(identity_settings_kept(door->pool, &door->env, &kept, &problem) && json_equal(kept, first),
       "M7: what is gone goes");
}

/* The numbers of the files that a folder has, in their order. */
static const char *order(const char *folder, int *waiting)
{
    identity_key_folder_t keys;
    const char *all = "";

    identity_key_folder(door->pool, folder, apr_time_now(), &keys);
    for (int i = 0; i < keys.paths->nelts; i++)
        all = text("%s%s ", all, strrchr(APR_ARRAY_IDX(keys.paths, i, const char *), '/') + 1);
    *waiting = keys.waiting;
    return all;
}

static void put_key(const char *folder, long number, int age)
{
    const char *path = identity_key_file(door->pool, folder, number);
    time_t then = time(NULL) - age;
    struct stat info;

    is_str(identity_key_file_make(door->pool, path), NULL, "made");
    ok(stat(path, &info) == 0 && (info.st_mode & 07777) == 0600, "M8: for its owner alone");
    utime(path, &(struct utimbuf){then, then});
}

static void test_keys(void)
{
    const char *folder = text("%s/keys", door->folder);
    identity_key_folder_t first, second;
    int waiting;

    if (mkdir(folder, 0700) != 0)
        bail(folder);
    is_str(order(folder, &waiting), "identity-signing-key.pem ", "M8: where there is none, the one to make");
    put_key(folder, 0, 100);
    put_key(folder, 9, 60);
    put_key(folder, 10, 50);
    is_str(order(folder, &waiting), "identity-signing-key-10.pem identity-signing-key-9.pem identity-signing-key.pem ",
           "M8: the highest number signs, not the last name");
    is_int(waiting, 0, "none waits");
    identity_key_folder(door->pool, folder, apr_time_now(), &first);
    put_key(folder, 11, 1);
    is_str(order(folder, &waiting),
           "identity-signing-key-10.pem identity-signing-key-9.pem identity-signing-key.pem "
           "identity-signing-key-11.pem ",
           "M8: a new one verifies first");
    is_int(waiting, 1, "it waits");
    identity_key_folder(door->pool, folder, apr_time_now(), &second);
    ok(first.mark != second.mark && second.highest == 11, "a change is seen");
    for (const char *const *name =
             (const char *const[]){"identity-signing-key-.pem", "identity-signing-key-01.pem",
                                   "identity-signing-key-1.pem.4711", "identity-signing-key-x.pem",
                                   "identity-signing-key-99999999999.pem", NULL};
         *name; name++)
        fclose(fopen(text("%s/%s", folder, *name), "w"));
    identity_key_folder(door->pool, folder, apr_time_now(), &first);
    is_int(first.paths->nelts, 4, "M8: what has another name is no key");
}

int main(void)
{
    serve_begin();
    test_json();
    test_kept();
    test_keys();
    return serve_end();
}
