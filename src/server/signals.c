/* SPDX-License-Identifier: Apache-2.0 */
/* prefork ends a child inside the handler of SIGTERM or SIGHUP, on whichever of its threads receives the signal:
 * that of a request, or mod_watchdog's. The destruction of the child's pool must not interrupt a statement, a lock
 * that is held, or a job that it waits for. So these signals are deferred while a thread works on the database. The
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
