/* SPDX-License-Identifier: Apache-2.0 */
/* main() of a target without libFuzzer: each file of the folder goes through it once, as one test of TAP. */
#include <dirent.h>
#include <stdio.h>

#include "../../unit/tap.h"
#include "../fuzz.h"

static void replay(const char *folder, const char *name)
{
    char *path = apr_psprintf(fuzz_root(), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    size_t room = 4 << 20, size;
    uint8_t *data = malloc(room);

    if (!file || !data)
        bail(path);
    size = fread(data, 1, room, file);
    fclose(file);
    fuzz_right = false;
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    if (strncmp(name, "right", 5) == 0)
        ok(fuzz_right, "%s comes through", name);
    else
        ok(true, "%s does no harm", name);
}

int main(int count, char **arguments)
{
    /* build/t/fuzz-NAME: t/fuzz/corpus/NAME */
    const char *name = strrchr(arguments[0], '/');
    const char *folder = count > 1
                             ? arguments[1]
                             : apr_pstrcat(fuzz_root(), "t/fuzz/corpus/", (name ? name + 1 : arguments[0]) + 5, NULL);
    struct dirent **entries;
    int found = scandir(folder, &entries, NULL, alphasort), files = 0;

    for (int i = 0; i < found; i++) {
        if (entries[i]->d_name[0] != '.') {
            replay(folder, entries[i]->d_name);
            files++;
        }
        free(entries[i]);
    }
    if (found >= 0)
        free(entries);
    ok(files > 0, "%d files of %s", files, folder);
    apr_pool_destroy(fuzz_root());
    return tap_done();
}
