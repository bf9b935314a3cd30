/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IDENTITY_FUZZ_DOOR_H
#define IDENTITY_FUZZ_DOOR_H

#include "../../unit/support/door.h"
#include "../fuzz.h"

/* One database for the life of the process, whose log says nothing. */
door_t *fuzz_door(void);

#endif
