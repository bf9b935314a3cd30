/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of permissions: a bit for each built-in one, and a sorted list of the site's own names. */
#include <string.h>

#include <apr_strings.h>

#include "core_int.h"

typedef struct permission_row {
    const char *name;
    unsigned char family, class;
} permission_row_t;

static const permission_row_t rows[] = {
#define PERMISSION(family, name, class) {name, FAMILY_##family, IDENTITY_CLASS_##class},
#include "permissions.def"
#undef PERMISSION
};

#define ROW_COUNT ((int)(sizeof rows / sizeof rows[0]))

_Static_assert(sizeof rows / sizeof rows[0] <= 64 * IDENTITY_PERMISSION_WORDS,
               "a bit for every permission");

int identity_permission_count(void)
{
    return ROW_COUNT;
}

const char *identity_permission_name(int index)
{
    return index >= 0 && index < ROW_COUNT ? rows[index].name : NULL;
}

/* Rows are in byte order. */
static int row_of(const char *name)
{
    int low = 0;
    int high = ROW_COUNT - 1;

    while (low <= high) {
        int middle = (low + high) / 2;
        int order = strcmp(name, rows[middle].name);
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return -1;
}

static void set_bit(identity_permset_t *set, int row)
{
    set->bits[row / 64] |= (apr_uint64_t)1 << (row % 64);
}

static bool has_bit(const identity_permset_t *set, int row)
{
    return (set->bits[row / 64] >> (row % 64)) & 1;
}

/* ---- the site's own names --------------------------------------------------------------------------------------- */

static int own_count(const identity_permset_t *set)
{
    return set->own != NULL ? set->own->nelts : 0;
}

static const char *own_name(const identity_permset_t *set, int index)
{
    return APR_ARRAY_IDX(set->own, index, const char *);
}

/* The position of name among the own ones, or where to insert it: *found tells. */
static int own_place(const identity_permset_t *set, const char *name, bool *found)
{
    int low = 0;
    int high = own_count(set);

    *found = false;
    while (low < high && !*found) {
        int middle = (low + high) / 2;
        int order = strcmp(name, own_name(set, middle));
        if (order == 0) {
            *found = true;
            low = middle;
        } else if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static bool own_has(const identity_permset_t *set, const char *name)
{
    bool found;
    own_place(set, name, &found);
    return found;
}

static void own_add(apr_pool_t *pool, identity_permset_t *set, const char *name)
{
    bool found;
    int place = own_place(set, name, &found);

    if (found)
        return;
    if (!set->own) {
        set->own = apr_array_make(pool, 4, sizeof(const char *));
    } else if (set->own->pool != pool) {
        /* a list in another pool belongs to another set, of which this one is a copy */
        set->own = apr_array_copy(pool, set->own);
    }
    apr_array_push(set->own);
    const char **names = (const char **)set->own->elts;
    memmove(names + place + 1, names + place,
            (size_t)(set->own->nelts - 1 - place) * sizeof *names);
    names[place] = apr_pstrdup(pool, name);
}

/* ---- sets ------------------------------------------------------------------------------------------------------- */

bool identity_family_in(identity_family_t family, identity_catalogue_t catalogue)
{
    return catalogue == IDENTITY_CATALOGUE_PUBLISHED || family == FAMILY_USER ||
           family == FAMILY_ROLE || family == FAMILY_AUDIT_RECORD || family == FAMILY_CLIENT;
}

void identity_permset_add(apr_pool_t *pool, identity_permset_t *set, const char *name)
{
    int row = row_of(name);
    if (row >= 0)
        set_bit(set, row);
    else
        own_add(pool, set, name);
}

void identity_permset_add_set(apr_pool_t *pool, identity_permset_t *set,
                              const identity_permset_t *more)
{
    set->all |= more->all;
    for (int i = 0; i < IDENTITY_PERMISSION_WORDS; i++)
        set->bits[i] |= more->bits[i];
    for (int i = 0; i < own_count(more); i++)
        own_add(pool, set, own_name(more, i));
}

void identity_permset_add_view(identity_permset_t *set, identity_catalogue_t catalogue)
{
    for (int row = 0; row < ROW_COUNT; row++)
        if (rows[row].class == IDENTITY_CLASS_VIEW &&
            identity_family_in(rows[row].family, catalogue))
            set_bit(set, row);
}

void identity_permset_add_family(identity_permset_t *set, identity_family_t family,
                                 unsigned classes)
{
    for (int row = 0; row < ROW_COUNT; row++)
        if (rows[row].family == family && (rows[row].class & classes))
            set_bit(set, row);
}

void identity_permset_intersect(apr_pool_t *pool, identity_permset_t *set,
                                const identity_permset_t *other)
{
    if (other->all)
        return;
    identity_permset_t common = {.all = false};
    for (int i = 0; i < IDENTITY_PERMISSION_WORDS; i++)
        common.bits[i] = set->all ? other->bits[i] : set->bits[i] & other->bits[i];
    for (int i = 0; i < own_count(set); i++)
        if (identity_permset_has(other, own_name(set, i)))
            own_add(pool, &common, own_name(set, i));
    for (int i = 0; i < own_count(other); i++)
        if (identity_permset_has(set, own_name(other, i)))
            own_add(pool, &common, own_name(other, i));
    *set = common;
}

bool identity_permset_has(const identity_permset_t *set, const char *name)
{
    if (!name || *name == '\0')
        return false;
    if (set->all)
        return true;
    int row = row_of(name);
    return row >= 0 ? has_bit(set, row) : own_has(set, name);
}

bool identity_permset_covers(const identity_permset_t *set, const identity_permset_t *other)
{
    if (set->all)
        return true;
    if (other->all)
        return false;
    for (int i = 0; i < IDENTITY_PERMISSION_WORDS; i++)
        if (other->bits[i] & ~set->bits[i])
            return false;
    for (int i = 0; i < own_count(other); i++)
        if (!identity_permset_has(set, own_name(other, i)))
            return false;
    return true;
}

bool identity_permset_empty(const identity_permset_t *set)
{
    apr_uint64_t any = 0;
    for (int i = 0; i < IDENTITY_PERMISSION_WORDS; i++)
        any |= set->bits[i];
    return !set->all && any == 0 && own_count(set) == 0;
}

json_t *identity_permset_json(const identity_permset_t *set, identity_catalogue_t catalogue)
{
    json_t *list = json_array();
    for (int row = 0; row < ROW_COUNT; row++)
        if (set->all ? identity_family_in(rows[row].family, catalogue) : has_bit(set, row))
            json_array_append_new(list, json_string_nocheck(rows[row].name));
    for (int i = 0; i < own_count(set); i++)
        json_array_append_new(list, json_string(own_name(set, i)));
    return list;
}
