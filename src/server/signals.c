/* SPDX-License-Identifier: Apache-2.0 */
/* prefork ends a child within the handler of SIGTERM or SIGHUP, on whichever of its threads the signal comes to: that
 * of a request, or mod_watchdog's. What destroys the child's pool then must not stand on top of half a statement, a
 * lock that is held, or a job that it waits for. So these signals wait while a thread is at work on the database. The
 * threads of other MPMs have all signals blocked, and keep that. */
#include <pthread.h>
#include <signal.h>

#include "server_int.h"

static __thread unsigned held;
static __thread sigset_t before;

void identity_signals_hold(void)
{
    sigset_t ending;

    if (held++ > 0)
        return;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &ending, &before);
}

void identity_signals_release(void)
{
    if (--held == 0)
        pthread_sigmask(SIG_SETMASK, &before, NULL);
}
