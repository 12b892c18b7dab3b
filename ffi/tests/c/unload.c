// Run: deadline=60
// The library loaded by hand, used, disposed of and unloaded, many times. Not linked with it: MOORLINE_LIBRARY names
// the file.

#include "check.h"
#include "moorline.h"

#include <dlfcn.h>

static void *function(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (!found) check_failed(__FILE__, __LINE__, name);
    return found;
}

static void live_once(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) check_failed(__FILE__, __LINE__, dlerror());
    int32_t (*init)(const moorline_init_options *, uint64_t *, moorline_error *);
    int32_t (*start)(uint64_t, const moorline_node_options *, uint64_t *, moorline_error *);
    int32_t (*dispose)(uint64_t, uint32_t, const moorline_event **, uint32_t *, moorline_error *);
    // As POSIX has it: a pointer to a function through a pointer to data.
    *(void **)&init = function(library, "moorline_init");
    *(void **)&start = function(library, "moorline_node_start");
    *(void **)&dispose = function(library, "moorline_dispose");
    moorline_init_options options;
    moorline_node_options node;
    uint64_t client = 0, handle = 0;
    memset(&options, 0, sizeof options);
    memset(&node, 0, sizeof node);
    options.struct_size = sizeof options;
    options.abi_version = MOORLINE_ABI_VERSION;
    node.struct_size = sizeof node;
    node.flags = MOORLINE_FLAG_NO_MULTICAST | MOORLINE_FLAG_READY;
    node.listen.data = (const uint8_t *)"127.0.0.1:0";
    node.listen.length = 11;
    CHECK_EQUAL(init(&options, &client, NULL), MOORLINE_OK);
    CHECK_EQUAL(start(client, &node, &handle, NULL), MOORLINE_OK);
    CHECK_EQUAL(dispose(client, (uint32_t)within_ms(10000), NULL, NULL, NULL), MOORLINE_OK);
    CHECK(dlclose(library) == 0);
}

static void it_can_be_unloaded_after_dispose_and_loaded_again(void) {
    const char *path = getenv("MOORLINE_LIBRARY");
    if (!path) check_failed(__FILE__, __LINE__, "MOORLINE_LIBRARY has to name the shared library");
    live_once(path);
    int descriptors = count_descriptors();
    for (int at = 0; at < 20; at++) live_once(path);
    CHECK_EQUAL(count_threads(), 1);
    CHECK_EQUAL(count_descriptors(), descriptors);
}

static const struct test TESTS[] = {
    TEST(it_can_be_unloaded_after_dispose_and_loaded_again, 60),
};
MAIN(TESTS)
