// Run: valgrind=everything_under_way_comes_back_cancelled_and_the_client_last,once_it_is_done_no_callback_runs,two_hundred_lives_leave_nothing_behind asan deadline=180
// The end of a client: in time, with every outcome told, and nothing of it left.

#include "calls.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

// What a callback shares with the test. In a page of its own, so that a callback that comes too late hits nothing.
struct shared {
    uint64_t client;
    atomic_uint calls, inside, blocks;
    atomic_int status, other_status;
};

static struct shared *new_shared(uint64_t client) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    struct shared *shared = (struct shared *)page;
    shared->client = client;
    return shared;
}

static void remove_shared(struct shared *shared) { CHECK(munmap(shared, 4096) == 0); }

// Stays inside for as long as the test wants.
static void count_and_block(void *user_data, const moorline_event *events, uint32_t count) {
    struct shared *shared = (struct shared *)user_data;
    (void)events;
    atomic_fetch_add(&shared->inside, 1);
    while (atomic_load(&shared->blocks)) pause_us(500);
    atomic_fetch_add(&shared->calls, count);
    atomic_fetch_sub(&shared->inside, 1);
}

static void await_number(atomic_uint *number, unsigned least) {
    int64_t end = now_ms() + within_ms(5000);
    while (atomic_load(number) < least && now_ms() < end) pause_us(500);
    CHECK(atomic_load(number) >= least);
}

static void the_deadline_holds_while_a_callback_blocks_and_a_second_call_goes_on(void) {
    uint64_t client = open_client(0);
    struct shared *shared = new_shared(client);
    atomic_store(&shared->blocks, 1);
    CHECK_OK(moorline_events_callback(client, count_and_block, shared));
    start_node(client);
    await_number(&shared->inside, 1);
    moorline_error error = empty_error();
    int64_t begin = now_ms();
    CHECK_STATUS(moorline_dispose(client, 300, NULL, NULL, &error), MOORLINE_E_TIMEOUT);
    int64_t took = now_ms() - begin;
    CHECK(took >= 295);
    CHECK_AT_MOST(took, within_ms(1300));
    CHECK_EQUAL(error.status, MOORLINE_E_TIMEOUT);
    CHECK(error.length > 0 && error.message[0]);
    // It still counts as inside: that is why it was a time-out.
    CHECK_EQUAL(atomic_load(&shared->inside), 1);
    CHECK_STATUS(call_node_start(client, 0), MOORLINE_E_DISPOSED);
    atomic_store(&shared->blocks, 0);
    CHECK_OK(moorline_dispose(client, (uint32_t)within_ms(5000), NULL, NULL, NULL));
    CHECK_EQUAL(atomic_load(&shared->inside), 0);
    remove_shared(shared);
    CHECK_STATUS(moorline_dispose(client, 300, NULL, NULL, NULL), MOORLINE_E_BAD_HANDLE);
    pause_us(50000);
}

static void dispose_in_a_callback_answer(void *user_data, const moorline_event *events, uint32_t count) {
    struct shared *shared = (struct shared *)user_data;
    (void)events, (void)count;
    if (atomic_load(&shared->calls) > 0) return;
    atomic_store(&shared->status, moorline_dispose(shared->client, 1000, NULL, NULL, NULL));
    atomic_store(&shared->other_status, moorline_events_callback(shared->client, NULL, NULL));
    atomic_fetch_add(&shared->calls, 1);
}

static void within_a_callback_it_would_deadlock_and_says_so(void) {
    uint64_t client = open_client(0);
    struct shared *shared = new_shared(client);
    CHECK_OK(moorline_events_callback(client, dispose_in_a_callback_answer, shared));
    CHECK_OK(moorline_test_emit(client, MOORLINE_EVENT_LOG, 1, 0));
    await_number(&shared->calls, 1);
    CHECK_STATUS(atomic_load(&shared->status), MOORLINE_E_WOULD_DEADLOCK);
    CHECK_STATUS(atomic_load(&shared->other_status), MOORLINE_E_WOULD_DEADLOCK);
    CHECK_OK(moorline_dispose(client, 0, NULL, NULL, NULL));
    remove_shared(shared);
}

// Many times, with events on their way: a callback that ran after its page is gone would crash.
static void once_it_is_done_no_callback_runs(void) {
    struct port port = refusing_port();
    for (unsigned at = 0; at < rounds(60); at++) {
        uint64_t client = open_client(0);
        struct shared *shared = new_shared(client);
        CHECK_OK(moorline_events_callback(client, count_and_block, shared));
        for (int room = 0; room < 5; room++) join_room(client, port.url, "late");
        CHECK_OK(moorline_test_emit(client, MOORLINE_EVENT_LOG, 2000, 100));
        pause_us(at * 50);
        CHECK_OK(moorline_dispose(client, (uint32_t)within_ms(5000), NULL, NULL, NULL));
        CHECK_EQUAL(atomic_load(&shared->inside), 0);
        // The rest was given to it before: five rooms ended, and the client.
        CHECK(atomic_load(&shared->calls) >= 6);
        remove_shared(shared);
    }
    close(port.socket);
}

static void taking_the_callback_away_waits_for_it(void) {
    inbox box = inbox_of(open_client(0));
    for (unsigned at = 0; at < rounds(200); at++) {
        struct shared *shared = new_shared(box.client);
        CHECK_OK(moorline_events_callback(box.client, count_and_block, shared));
        CHECK_OK(moorline_test_emit(box.client, MOORLINE_EVENT_LOG, 20, 10));
        CHECK_OK(moorline_events_callback(box.client, NULL, NULL));
        CHECK_EQUAL(atomic_load(&shared->inside), 0);
        remove_shared(shared);
    }
    close_client(&box);
}

static void everything_under_way_comes_back_cancelled_and_the_client_last(void) {
    enum { REQUESTS = 100 };
    uint64_t requests[REQUESTS];
    struct port port = silent_port();
    inbox box = inbox_of(open_client(0));
    uint64_t node = start_node(box.client), room = join_room(box.client, port.url, "rest");
    uint64_t download = start_download(box.client, node, "nothing", "/nowhere");
    uint64_t homes[] = {box.client, node, room};
    for (int at = 0; at < REQUESTS; at++) requests[at] = hold_request(box.client, homes[at % 3]);
    dispose_into(&box);
    for (int at = 0; at < REQUESTS; at++) {
        wanted what = {MOORLINE_EVENT_REQUEST_DONE, 0, requests[at]};
        CHECK_EQUAL(inbox_count(&box, what), 1);
        CHECK_STATUS(inbox_take(&box, what)->status, MOORLINE_E_CANCELLED);
    }
    wanted ends[] = {{MOORLINE_EVENT_NODE_STOPPED, node, 0},
                     {MOORLINE_EVENT_ROOM_DISCONNECTED, room, 0},
                     {MOORLINE_EVENT_DOWNLOAD_ENDED, download, 0},
                     {MOORLINE_EVENT_CLIENT_CLOSED, box.client, 0}};
    for (size_t at = 0; at < 4; at++) CHECK_EQUAL(inbox_count(&box, ends[at]), 1);
    for (size_t at = 1; at < box.count; at++)
        CHECK(box.letters[at - 1].event->sequence < box.letters[at].event->sequence);
    inbox_free(&box);
    close(port.socket);
}

static void *poll_for_ever(void *given) {
    uint64_t client = *(uint64_t *)given;
    int32_t status;
    do {
        const moorline_event *events = NULL;
        uint32_t count = 0;
        status = moorline_events_poll(client, 16, MOORLINE_FOREVER, &events, &count);
        if (status == MOORLINE_OK) moorline_free(events);
    } while (status == MOORLINE_OK);
    return (void *)(intptr_t)status;
}

static void those_who_wait_for_events_wake(void) {
    pthread_t threads[4];
    for (unsigned round = 0; round < rounds(20); round++) {
        uint64_t client = open_client(0);
        for (int at = 0; at < 4; at++) CHECK(pthread_create(&threads[at], NULL, poll_for_ever, &client) == 0);
        pause_us(round * 1000);
        int64_t begin = now_ms();
        CHECK_OK(moorline_dispose(client, (uint32_t)within_ms(5000), NULL, NULL, NULL));
        for (int at = 0; at < 4; at++) {
            void *status;
            CHECK(pthread_join(threads[at], &status) == 0);
            int32_t last = (int32_t)(intptr_t)status;
            CHECK(last == MOORLINE_E_DISPOSED || last == MOORLINE_E_BAD_HANDLE);
        }
        CHECK_AT_MOST(now_ms() - begin, within_ms(3000));
    }
}

static void live_once(const char *url, const char *path) {
    inbox box = inbox_of(open_client(0));
    uint64_t node = start_sharing_node(box.client, path);
    moorline_room_options options = room_options(url, "cycle");
    uint64_t room = join_with(box.client, node, &options);
    wait_for_event(&box, MOORLINE_EVENT_ROOM_JOINED, room, 10000);
    close_client(&box);
}

static void two_hundred_lives_leave_nothing_behind(void) {
    struct server server = start_server();
    char *folder = temporary_folder(), path[600];
    write_file(folder, "item", 100000, 3);
    snprintf(path, sizeof path, "%s/item", folder);
    unsigned lives = rounds(200);
    for (unsigned at = 0; at < lives / 4 + 1; at++) live_once(server.url, path);
    int threads = count_threads(), descriptors = count_descriptors();
    long allocated = allocated_kib(), resident = resident_kib();
    for (unsigned at = 0; at < lives; at++) live_once(server.url, path);
    CHECK_AT_MOST(count_threads(), threads);
    CHECK_AT_MOST(count_descriptors(), descriptors);
    CHECK_GROWTH(allocated_kib(), allocated, 256);
    // Which stacks of threads the C library keeps is up to chance: up and down by 13 MB, however long it goes on.
    CHECK_GROWTH(resident_kib(), resident, 32 * 1024);
    // Not even one thread, but for this one.
    CHECK_EQUAL(count_threads(), 1);
    remove_folder(folder);
    stop_server(&server);
}

static void *dispose_of(void *given) {
    return (void *)(intptr_t)moorline_dispose(*(uint64_t *)given, (uint32_t)within_ms(5000), NULL, NULL, NULL);
}

static void of_four_threads_that_dispose_one_succeeds(void) {
    pthread_t threads[4];
    for (unsigned round = 0; round < rounds(50); round++) {
        uint64_t client = open_client(0);
        int succeeded = 0;
        start_node(client);
        for (int at = 0; at < 4; at++) CHECK(pthread_create(&threads[at], NULL, dispose_of, &client) == 0);
        for (int at = 0; at < 4; at++) {
            void *result;
            CHECK(pthread_join(threads[at], &result) == 0);
            int32_t status = (int32_t)(intptr_t)result;
            succeeded += status == MOORLINE_OK;
            CHECK(status == MOORLINE_OK || status == MOORLINE_E_BUSY || status == MOORLINE_E_DISPOSED ||
                  status == MOORLINE_E_BAD_HANDLE);
        }
        CHECK_EQUAL(succeeded, 1);
    }
}

static void every_function_answers_with_an_error_afterwards(void) {
    struct port port = refusing_port();
    inbox box = inbox_of(open_client(0)), other = inbox_of(open_client(0));
    uint64_t node = start_node(box.client);
    uint64_t things[] = {node, join_room(box.client, port.url, "gone"),
                         start_download(box.client, node, "gone", "/nowhere"), hold_request(box.client, node)};
    uint64_t others = hold_request(other.client, other.client);
    close_client(&box);
    for (size_t at = 0; at < FUNCTION_COUNT; at++) {
        if (!FUNCTIONS[at].of_client) continue;
        for (size_t thing = 0; thing < 4; thing++) {
            expect(&FUNCTIONS[at], "a client that was disposed of", FUNCTIONS[at].call(box.client, things[thing]),
                   MOORLINE_E_BAD_HANDLE);
        }
    }
    CHECK_EQUAL(kind_of(other.client, others), MOORLINE_KIND_REQUEST);
    close_client(&other);
    close(port.socket);
}

static const struct test TESTS[] = {
    TEST(the_deadline_holds_while_a_callback_blocks_and_a_second_call_goes_on, 30),
    TEST(within_a_callback_it_would_deadlock_and_says_so, 20),
    TEST(once_it_is_done_no_callback_runs, 60),
    TEST(taking_the_callback_away_waits_for_it, 30),
    TEST(everything_under_way_comes_back_cancelled_and_the_client_last, 30),
    TEST(those_who_wait_for_events_wake, 60),
    TEST(two_hundred_lives_leave_nothing_behind, 180),
    TEST(of_four_threads_that_dispose_one_succeeds, 60),
    TEST(every_function_answers_with_an_error_afterwards, 30),
};
MAIN(TESTS)
