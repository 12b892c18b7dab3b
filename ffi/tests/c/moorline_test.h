// Functions that a library built with the feature `test-hooks` exports on top of those in moorline.h. No library that
// is handed out has them.

#ifndef MOORLINE_TEST_H
#define MOORLINE_TEST_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The function itself panics, on the caller's thread.
#define MOORLINE_TEST_PANIC_CALL 1
// A task that the session or client spawned.
#define MOORLINE_TEST_PANIC_TASK 2
// The task that makes events of what the node or room reports.
#define MOORLINE_TEST_PANIC_PUMP 3
// The thread of the callback, as if the callback had thrown. `handle`: the client.
#define MOORLINE_TEST_PANIC_CALLBACK 4
// The next moorline_drop of the handle.
#define MOORLINE_TEST_PANIC_DROP 5

// Panics on purpose. `handle`: the client, or a node or room of it.
int32_t moorline_test_panic(uint64_t client, uint64_t handle, uint32_t where);

// Puts `count` events of this kind into the client's queue: `handle` is the client, `numbers[0]` counts from 0,
// `spans[0]` has `bytes` bytes.
int32_t moorline_test_emit(uint64_t client, uint32_t kind, uint32_t count, uint32_t bytes);

// Makes a request of the client, node or room that ends only when it is called off.
int32_t moorline_test_request(uint64_t client, uint64_t handle, uint64_t *request);

#ifdef __cplusplus
}
#endif

#endif
