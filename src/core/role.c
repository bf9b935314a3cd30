/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in roles. */
#include <string.h>

#include "core_int.h"

#define ID_START "role_00000000000000000"

static const identity_builtin_role_t roles[] = {
#define BUILTIN(number, name, slug, description) {ID_START number, name, slug, description},
#define FAMILY(family, number, words, slug)                                                        \
    {ID_START number "1", words " Viewer", slug "-viewer", "May view everything of " words "."},   \
        {ID_START number "2", words " Contributor", slug "-contributor",                           \
         "May view and change " words ", without deleting and administrative actions."},           \
        {ID_START number "3", words " Administrator", slug "-administrator",                       \
         "May do everything of " words "."},
#include "roles.def"
#undef FAMILY
#undef BUILTIN
};

#define ROLE_COUNT ((int)(sizeof roles / sizeof roles[0]))

enum { ROLE_ADMINISTRATOR, ROLE_READ_ONLY, ROLE_FAMILIES, ROLES_A_FAMILY = 3 };

_Static_assert(sizeof roles / sizeof roles[0] == ROLE_FAMILIES + ROLES_A_FAMILY * FAMILY_COUNT,
               "two roles, then three a family");

int identity_builtin_role_count(void)
{
    return ROLE_COUNT;
}

const identity_builtin_role_t *identity_builtin_role(int index)
{
    return index >= 0 && index < ROLE_COUNT ? &roles[index] : NULL;
}

const identity_builtin_role_t *identity_builtin_role_administrator(void)
{
    return &roles[ROLE_ADMINISTRATOR];
}

/* The ids are sorted. Most ids asked for belong to a site's own roles and are recognised by their start. */
int identity_builtin_role_find(const char *id)
{
    int low = 0;
    int high = ROLE_COUNT - 1;

    if (!id || strncmp(id, ID_START, sizeof ID_START - 1) != 0)
        return -1;
    while (low <= high) {
        int middle = (low + high) / 2;
        int order = strcmp(id, roles[middle].id);
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return -1;
}

bool identity_builtin_role_in(int index, identity_catalogue_t catalogue)
{
    return index < ROLE_FAMILIES ||
           identity_family_in((identity_family_t)((index - ROLE_FAMILIES) / ROLES_A_FAMILY),
                              catalogue);
}

void identity_builtin_role_permissions(int index, identity_catalogue_t catalogue,
                                       identity_permset_t *set)
{
    static const unsigned classes[ROLES_A_FAMILY] = {
        IDENTITY_CLASS_VIEW,
        IDENTITY_CLASS_VIEW | IDENTITY_CLASS_WRITE,
        IDENTITY_CLASS_VIEW | IDENTITY_CLASS_WRITE | IDENTITY_CLASS_ADMIN,
    };

    *set = (identity_permset_t){.all = index == ROLE_ADMINISTRATOR};
    if (index == ROLE_READ_ONLY) {
        identity_permset_add_view(set, catalogue);
    } else if (index >= ROLE_FAMILIES && index < ROLE_COUNT) {
        int place = index - ROLE_FAMILIES;
        identity_permset_add_family(set, (identity_family_t)(place / ROLES_A_FAMILY),
                                    classes[place % ROLES_A_FAMILY]);
    }
}
