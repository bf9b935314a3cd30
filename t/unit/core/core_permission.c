/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue of permissions, sets of them, and the built-in roles. */
#include "core_fixture.h"

static const char *text_of(const identity_permset_t *set)
{
    json_t *list = identity_json_own(pool, identity_permset_json(set, IDENTITY_CATALOGUE_PUBLISHED));
    return identity_json_text(pool, list, NULL);
}

static size_t count_of(const identity_permset_t *set)
{
    json_t *list = identity_json_own(pool, identity_permset_json(set, IDENTITY_CATALOGUE_PUBLISHED));
    return json_array_size(list);
}

static bool is_view(const char *name)
{
    return strcmp(strrchr(name, '.'), ".VIEW") == 0;
}

static void test_catalogue(void)
{
    identity_permset_t view = {.all = false};
    int views = 0;
    int wrong = 0;

    is_int(identity_permission_count(), 204, "204 permissions");
    identity_permset_add_view(&view, IDENTITY_CATALOGUE_PUBLISHED);
    for (int i = 0; i < identity_permission_count(); i++) {
        const char *name = identity_permission_name(i);
        identity_permset_t one = {.all = false};

        identity_permset_add(pool, &one, name);
        views += is_view(name);
        wrong += !identity_permission_valid(name);
        wrong += i > 0 && strcmp(identity_permission_name(i - 1), name) >= 0;
        wrong += !identity_permset_has(&one, name) || one.own != NULL;
        wrong += identity_permset_has(&view, name) != is_view(name);
    }
    is_int(wrong, 0, "each is well formed, in order, found, and in the view set just where its last word is VIEW");
    is_int(count_of(&view), views, "nothing else in the view set");
    is_str(identity_permission_name(-1), NULL, "none before the first");
    is_str(identity_permission_name(204), NULL, "none behind the last");
    is_str(identity_permission_name(0), "ALERT.VIEW", "the first");
    is_str(identity_permission_name(203), "WORKFLOW_TRIGGER.VIEW", "the last");
}

static void test_has(void)
{
    identity_permset_t set = {.all = false};
    identity_permset_t all = {.all = true};

    ok(identity_permset_empty(&set), "a zeroed set is empty");
    identity_permset_add(pool, &set, "USER.MORTAL.VIEW");
    identity_permset_add(pool, &set, "SITE.Z");
    identity_permset_add(pool, &set, "SITE.A");
    identity_permset_add(pool, &set, "SITE.M");
    identity_permset_add(pool, &set, "SITE.A");
    ok(!identity_permset_empty(&set), "not empty any more");
    ok(identity_permset_has(&set, "USER.MORTAL.VIEW"), "a built-in one");
    ok(identity_permset_has(&set, "SITE.M"), "one of the site");
    ok(!identity_permset_has(&set, "USER.MORTAL.UPDATE"), "not another built-in one # security 65");
    ok(!identity_permset_has(&set, "SITE.B"), "not another of the site # security 65");
    ok(!identity_permset_has(&set, "USER.MORTAL.VIE"), "not a part of a name # security 65");
    ok(!identity_permset_has(&set, "user.mortal.view"), "case counts # security 65");
    ok(!identity_permset_has(&set, "") && !identity_permset_has(&set, NULL), "not nothing # security 65");
    is_str(text_of(&set), "[\"USER.MORTAL.VIEW\",\"SITE.A\",\"SITE.M\",\"SITE.Z\"]", "built-in first, own ones sorted");
    ok(identity_permset_has(&all, "SITE.ANY") && identity_permset_has(&all, "ROLE.DELETE"), "all holds every name");
    ok(!identity_permset_has(&all, NULL), "but not NULL");
    ok(!identity_permset_empty(&all), "all is not empty");
    is_int(count_of(&all), 204, "all lists the whole catalogue");
}

static identity_permset_t set_of(const char *const *names)
{
    identity_permset_t set = {.all = false};
    for (; *names != NULL; names++) {
        identity_permset_add(pool, &set, *names);
    }
    return set;
}

#define SET(...) set_of((const char *const[]){__VA_ARGS__, NULL})

static void test_algebra(void)
{
    identity_permset_t all = {.all = true};
    identity_permset_t none = {.all = false};
    identity_permset_t a = SET("ROLE.VIEW", "ROLE.CREATE", "SITE.A", "SITE.B");
    identity_permset_t b = SET("ROLE.VIEW", "WEBHOOK.VIEW", "SITE.B", "SITE.C");
    identity_permset_t set = {.all = false};

    identity_permset_add_set(pool, &set, &a);
    identity_permset_add_set(pool, &set, &b);
    is_str(text_of(&set), "[\"ROLE.CREATE\",\"ROLE.VIEW\",\"WEBHOOK.VIEW\",\"SITE.A\",\"SITE.B\",\"SITE.C\"]", "both");
    ok(identity_permset_covers(&set, &a) && identity_permset_covers(&set, &b), "both cover each");
    ok(!identity_permset_covers(&a, &set), "one does not cover both # security 62");
    identity_permset_intersect(pool, &set, &b);
    is_str(text_of(&set), text_of(&b), "what both and one hold is the one");
    identity_permset_intersect(pool, &set, &a);
    is_str(text_of(&set), "[\"ROLE.VIEW\",\"SITE.B\"]", "what two hold");
    is_str(text_of(&a), "[\"ROLE.CREATE\",\"ROLE.VIEW\",\"SITE.A\",\"SITE.B\"]", "the other one is unchanged");
    identity_permset_intersect(pool, &set, &all);
    is_str(text_of(&set), "[\"ROLE.VIEW\",\"SITE.B\"]", "all takes nothing away");
    set = all;
    identity_permset_intersect(pool, &set, &a);
    is_str(text_of(&set), text_of(&a), "of all, what the other holds");
    ok(!set.all, "and all no more");
    set = all;
    identity_permset_intersect(pool, &set, &all);
    ok(set.all, "all and all is all");
    identity_permset_intersect(pool, &set, &none);
    ok(identity_permset_empty(&set), "with none, none");
    identity_permset_add_set(pool, &set, &all);
    ok(set.all, "all is added");

    ok(identity_permset_covers(&all, &a) && identity_permset_covers(&all, &all), "all covers everything");
    ok(identity_permset_covers(&none, &none) && !identity_permset_covers(&none, &a), "none covers none");
    for (int i = 0; i < identity_permission_count(); i++) {
        identity_permset_add(pool, &none, identity_permission_name(i));
    }
    ok(!identity_permset_covers(&none, &all), "the whole catalogue is not all # security 62");
    set = SET("SITE.A", "SITE.B", "ROLE.DELETE");
    ok(!identity_permset_covers(&a, &set), "one built-in name more is not covered # security 62");
    set = SET("SITE.A");
    ok(!identity_permset_covers(&none, &set), "nor has it a name of the site # security 62");
}

/* A copy made by assignment and extended in a request's pool leaves the first one alone. */
static void test_copy(void)
{
    apr_pool_t *request;
    identity_permset_t cached = SET("SITE.A");
    identity_permset_t copy = cached;

    apr_pool_create(&request, pool);
    identity_permset_add(request, &copy, "SITE.B");
    is_str(text_of(&copy), "[\"SITE.A\",\"SITE.B\"]", "the copy grew");
    is_str(text_of(&cached), "[\"SITE.A\"]", "what it was copied from did not");
    apr_pool_destroy(request);
    is_str(text_of(&cached), "[\"SITE.A\"]", "and outlives it");
}

/* ---- roles ------------------------------------------------------------------------------------------------------ */

static identity_permset_t grants(const char *slug)
{
    identity_permset_t set = {.all = false};
    for (int i = 0; i < identity_builtin_role_count(); i++) {
        if (strcmp(identity_builtin_role(i)->slug, slug) == 0) {
            identity_builtin_role_permissions(i, IDENTITY_CATALOGUE_PUBLISHED, &set);
            return set;
        }
    }
    bail("there is no such role");
}

static void test_roles(void)
{
    int wrong = 0;

    is_int(identity_builtin_role_count(), 2 + 3 * 54, "two roles, three for each of 54 families");
    for (int i = 0; i < identity_builtin_role_count(); i++) {
        const identity_builtin_role_t *role = identity_builtin_role(i);

        wrong += !identity_id_valid(role->id, "role") || identity_builtin_role_find(role->id) != i;
        wrong += i > 0 && strcmp(identity_builtin_role(i - 1)->id, role->id) >= 0;
        wrong += !identity_slug_valid(role->slug) || !identity_text_valid(role->name);
        wrong += strcmp(identity_slug_of_name(pool, role->name), role->slug) != 0 && i >= 2;
        wrong += !identity_text_valid(role->description) || role->description[strlen(role->description) - 1] != '.';
        for (int j = 0; j < i; j++) {
            wrong += strcmp(identity_builtin_role(j)->slug, role->slug) == 0;
        }
    }
    is_int(wrong, 0, "ids valid, sorted and found; slugs unique, of their names; each with a sentence");
    is_str(identity_builtin_role(0)->id, "role_00000000000000000001", "an id is the same everywhere");
    is_str(identity_builtin_role(0)->name, "Administrator", "Administrator");
    is_str(identity_builtin_role(0)->slug, "full-access", "its slug");
    is_str(identity_builtin_role(1)->name, "Read Only", "Read Only");
    is_str(identity_builtin_role(1)->slug, "read-only", "its slug");
    is_str(identity_builtin_role(17)->name, "Billing Entity Viewer", "as the published guides name them");
    is_str(identity_builtin_role(17)->slug, "billing-entity-viewer", "its slug");
    is_str(identity_builtin_role(17)->id, "role_00000000000000000061", "its id");
    ok(identity_builtin_role(-1) == NULL && identity_builtin_role(164) == NULL, "none outside");
    is_int(identity_builtin_role_find("role_00000000000000000003"), -1, "an id between is none");
    is_int(identity_builtin_role_find("role_0PjY5mz9Zabcdefghijk"), -1, "a site's id is none");
    is_int(identity_builtin_role_find(NULL), -1, "NULL is none");
}

static void test_grants(void)
{
    identity_permset_t set = grants("full-access");
    ok(set.all, "Administrator: all");

    set = grants("read-only");
    identity_permset_t view = {.all = false};
    identity_permset_add_view(&view, IDENTITY_CATALOGUE_PUBLISHED);
    is_str(text_of(&set), text_of(&view), "Read Only: every VIEW");

    set = grants("user-viewer");
    is_str(text_of(&set), "[\"USER.API.VIEW\",\"USER.MORTAL.VIEW\"]", "User Viewer");
    set = grants("user-contributor");
    is_str(text_of(&set), "[\"USER.API.VIEW\",\"USER.MORTAL.CREATE\",\"USER.MORTAL.UPDATE\",\"USER.MORTAL.VIEW\"]",
           "User Contributor: no keys, which are credentials");
    set = grants("user-administrator");
    is_int(count_of(&set), 7, "User Administrator: all seven, but USER.SELF.DELETE");
    ok(identity_permset_has(&set, "USER.MORTAL.DELETE") && !identity_permset_has(&set, "USER.SELF.DELETE"),
       "M14: USER.MORTAL.DELETE is in User Administrator, USER.SELF.DELETE in no role of the family");
    set = grants("client-contributor");
    is_str(text_of(&set), "[\"CLIENT.CREATE\",\"CLIENT.UPDATE\",\"CLIENT.VIEW\"]", "Client Contributor");
    set = grants("product-item-contributor");
    is_str(text_of(&set), "[\"PRODUCT_ITEM.CREATE\",\"PRODUCT_ITEM.UPDATE\",\"PRODUCT_ITEM.VIEW\"]",
           "Product Item Contributor: no life cycle");
    set = grants("customer-contributor");
    is_str(text_of(&set),
           "[\"CUSTOMER.CREATE\",\"CUSTOMER.STATUS.DRAFT.UPDATE\",\"CUSTOMER.UPDATE\",\"CUSTOMER.VIEW\"]",
           "Customer Contributor: drafts are edited, not deleted");
    set = grants("payment-contributor");
    is_str(text_of(&set), "[\"PAYMENT.CREATE\",\"PAYMENT.VIEW\"]", "Payment Contributor: no disposal of money");
    set = grants("meter-value-calculation-viewer");
    ok(identity_permset_empty(&set), "a family without VIEW has a Viewer of nothing");
    set = grants("meter-value-calculation-administrator");
    is_str(text_of(&set), "[\"METER_VALUE_CALCULATION.DELETE\"]", "and an Administrator");
}

/* Every family: Viewer within Contributor within Administrator, all Administrators together the catalogue. */
static void test_families(void)
{
    identity_permset_t together = {.all = false};
    size_t sum = 0;
    int wrong = 0;

    for (int i = 2; i < identity_builtin_role_count(); i += 3) {
        identity_permset_t sets[3];
        for (int j = 0; j < 3; j++) {
            identity_builtin_role_permissions(i + j, IDENTITY_CATALOGUE_PUBLISHED, &sets[j]);
            const char *name = identity_builtin_role(i + j)->name;
            static const char *const ends[] = {" Viewer", " Contributor", " Administrator"};
            wrong += strcmp(name + strlen(name) - strlen(ends[j]), ends[j]) != 0;
        }
        wrong += !identity_permset_covers(&sets[1], &sets[0]) || !identity_permset_covers(&sets[2], &sets[1]);
        sum += count_of(&sets[2]);
        identity_permset_add_set(pool, &together, &sets[2]);
        for (int p = 0; p < identity_permission_count(); p++) {
            const char *name = identity_permission_name(p);
            const char *last = strrchr(name, '.') + 1;
            wrong += strcmp(last, "DELETE") == 0 && identity_permset_has(&sets[1], name);
            wrong += identity_permset_has(&sets[0], name) && !is_view(name);
        }
    }
    is_int(wrong, 0, "Viewer, Contributor and Administrator grow; no Contributor deletes; Viewers view");
    is_int(sum, 203, "no permission belongs to two families");
    is_int(count_of(&together), 203, "and one to none");
    identity_builtin_role_permissions(999, IDENTITY_CATALOGUE_PUBLISHED, &together);
    ok(identity_permset_empty(&together), "no role grants nothing");
}

/* A read-only key: what is built in, never what the site defined itself. */
static void test_view(void)
{
    identity_permset_t reader = {.all = false}, narrow = {.all = false}, full = {.all = true}, plain = {.all = false};

    identity_permset_add_view(&reader, IDENTITY_CATALOGUE_PUBLISHED);
    ok(identity_permset_has(&reader, "REPORT.VIEW"), "a reader may view what is built in");
    ok(!identity_permset_has(&reader, "NIGHT.SHIFT.VIEW"), "M14: never what the site defined");
    identity_permset_add(pool, &narrow, "NIGHT.SHIFT.VIEW");
    ok(!identity_permset_covers(&reader, &narrow), "M14: which it does not cover");
    for (int i = 0; i < identity_permission_count(); i++)
        if (is_view(identity_permission_name(i)))
            identity_permset_add(pool, &plain, identity_permission_name(i));
    ok(identity_permset_covers(&reader, &plain) && identity_permset_covers(&plain, &reader),
       "M14: every built-in VIEW is what a reader holds");
    identity_permset_add(pool, &narrow, "NIGHT.SHIFT.EDIT");
    identity_permset_add(pool, &narrow, "ROLE.VIEW");
    identity_permset_intersect(pool, &full, &narrow);
    ok(identity_permset_has(&full, "NIGHT.SHIFT.EDIT") && !full.all, "all, narrowed to own names");
    identity_permset_intersect(pool, &reader, &narrow);
    is_str(text_of(&reader), "[\"ROLE.VIEW\"]", "a narrowed reader views just that");
}

static void test_core(void)
{
    identity_permset_t view = {.all = false}, all = {.all = true}, reader;
    int roles = 0, wrong = 0;

    identity_permset_add_view(&view, IDENTITY_CATALOGUE_CORE);
    is_str(text_of(&view),
           "[\"AUDIT_RECORD.VIEW\",\"CLIENT.VIEW\",\"ROLE.VIEW\",\"USER.API.VIEW\",\"USER.MORTAL.VIEW\"]",
           "M14: what is built in to view in core");
    ok(!identity_permset_has(&view, "REPORT.VIEW"), "M14: REPORT.VIEW is a site's own name there");
    identity_builtin_role_permissions(1, IDENTITY_CATALOGUE_CORE, &reader);
    is_str(text_of(&reader), text_of(&view), "M14: Read Only holds that");
    is_int(json_array_size(identity_json_own(pool, identity_permset_json(&all, IDENTITY_CATALOGUE_CORE))), 17,
           "M14: all lists what is built in");
    for (int i = 0; i < identity_builtin_role_count(); i++) {
        const char *slug = identity_builtin_role(i)->slug;
        bool core = i < 2 || strncmp(slug, "user-", 5) == 0 || strncmp(slug, "role-", 5) == 0 ||
                    strncmp(slug, "audit-record-", 13) == 0 || strncmp(slug, "client-", 7) == 0;
        roles += identity_builtin_role_in(i, IDENTITY_CATALOGUE_CORE);
        wrong += identity_builtin_role_in(i, IDENTITY_CATALOGUE_CORE) != core;
        wrong += !identity_builtin_role_in(i, IDENTITY_CATALOGUE_PUBLISHED);
    }
    is_int(roles, 14, "M14: core has Administrator, Read Only, and three roles of four families");
    is_int(wrong, 0, "M14: these and no others");
}

int main(void)
{
    fixture_begin();
    test_catalogue();
    test_has();
    test_algebra();
    test_copy();
    test_roles();
    test_grants();
    test_families();
    test_view();
    test_core();
    return fixture_end();
}
