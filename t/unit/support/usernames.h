/* SPDX-License-Identifier: Apache-2.0 */
/* User names of every kind, each with its canonical form or NULL where it is not a valid one. */
#ifndef IDENTITY_TEST_USERNAMES_H
#define IDENTITY_TEST_USERNAMES_H

#include <stddef.h>

typedef struct username_case {
    const char *number; /* of the fault that it belongs to */
    const char *name, *canonical;
} username_case_t;

extern const username_case_t username_cases[];
extern const size_t username_case_count;

#endif
