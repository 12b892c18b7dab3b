// Run: valgrind=within_a_callback_every_function_answers,clients_come_and_go_in_eight_threads_at_once asan deadline=120
// The functions called where they may not work: before moorline_init, within a callback, in many threads at once.

#include "calls.h"

#include <pthread.h>
#include <stdatomic.h>

static void before_init_every_function_answers(void) {
    for (size_t at = 0; at < FUNCTION_COUNT; at++) {
        const struct function *function = &FUNCTIONS[at];
        if (function->call == call_init) continue;
        int32_t status = function->call(1, 2);
        if (status != MOORLINE_OK || function->of_client)
            expect(function, "before moorline_init", status, MOORLINE_E_NOT_INITIALIZED);
    }
    moorline_error error = empty_error();
    CHECK_STATUS(moorline_node_start(1, NULL, NULL, &error), MOORLINE_E_NOT_INITIALIZED);
    CHECK_EQUAL(error.status, MOORLINE_E_NOT_INITIALIZED);
    CHECK(error.length > 0);
    CHECK_EQUAL(count_threads(), 1);
}

static void names_and_versions_are_texts_for_ever(void) {
    uint32_t version = 0;
    moorline_span name = {NULL, 0}, library = {NULL, 0};
    CHECK_OK(moorline_abi_version(&version));
    CHECK_EQUAL(version, MOORLINE_ABI_VERSION);
    CHECK_OK(moorline_version(&library));
    CHECK(library.length >= 5);
    CHECK_OK(moorline_status_name(MOORLINE_E_BAD_HANDLE, &name));
    CHECK(span_is(name, "bad_handle"));
    int32_t unknown[] = {-1, 99999, INT32_MIN, INT32_MAX};
    for (int at = 0; at < 4; at++) {
        moorline_span nothing = {NULL, 0};
        CHECK_OK(moorline_status_name(unknown[at], &nothing));
        CHECK(span_is(nothing, "unknown"));
    }
    CHECK(span_is(name, "bad_handle"));
    CHECK_STATUS(moorline_abi_version(NULL), MOORLINE_E_NULL);
    CHECK_STATUS(moorline_version(NULL), MOORLINE_E_NULL);
    CHECK_STATUS(moorline_status_name(0, NULL), MOORLINE_E_NULL);
}

struct within {
    uint64_t client, things[8];
    atomic_int done;
    int32_t status[8][64];
};

static void call_everything(void *user_data, const moorline_event *events, uint32_t count) {
    struct within *within = (struct within *)user_data;
    (void)events, (void)count;
    if (atomic_load(&within->done)) return;
    for (uint32_t kind = MOORLINE_KIND_NODE; kind <= MOORLINE_KIND_REQUEST; kind++) {
        for (size_t at = 0; at < FUNCTION_COUNT; at++) {
            // What ends things comes last in the table, and its turn is after all others.
            if (FUNCTIONS[at].call == moorline_drop) continue;
            within->status[kind][at] = FUNCTIONS[at].call(within->client, within->things[kind]);
        }
    }
    atomic_store(&within->done, 1);
}

static void within_a_callback_every_function_answers(void) {
    struct port port = silent_port();
    uint64_t client = open_client(0);
    struct within *within = (struct within *)calloc(1, sizeof *within);
    CHECK(within);
    within->client = client;
    uint64_t node = within->things[MOORLINE_KIND_NODE] = start_node(client);
    within->things[MOORLINE_KIND_ROOM] = join_room(client, port.url, "within");
    within->things[MOORLINE_KIND_DOWNLOAD] = start_download(client, node, "nothing", "/nowhere");
    within->things[MOORLINE_KIND_REQUEST] = hold_request(client, client);
    CHECK_OK(moorline_events_callback(client, call_everything, within));
    int64_t end = now_ms() + within_ms(10000);
    while (!atomic_load(&within->done) && now_ms() < end) pause_us(1000);
    CHECK(atomic_load(&within->done));
    for (size_t at = 0; at < FUNCTION_COUNT; at++) {
        const struct function *function = &FUNCTIONS[at];
        if (function->call == moorline_drop) continue;
        for (uint32_t kind = MOORLINE_KIND_NODE; kind <= MOORLINE_KIND_REQUEST; kind++) {
            int32_t status = within->status[kind][at];
            if (function->call == call_dispose || function->call == call_events_callback) {
                expect(function, "its own callback", status, MOORLINE_E_WOULD_DEADLOCK);
            } else if (function->call == call_events_poll) {
                expect(function, "its own callback", status, MOORLINE_E_BUSY);
            } else if (function->takes == TAKES_NOTHING) {
                expect(function, "its own callback", status, MOORLINE_OK);
            } else if (!(function->takes & 1u << kind) && function->takes != TAKES_ANY) {
                // A request is gone once it was called off.
                bool gone = kind == MOORLINE_KIND_REQUEST && status == MOORLINE_E_BAD_HANDLE;
                if (!gone) expect(function, "a wrong kind in a callback", status, MOORLINE_E_WRONG_KIND);
            } else {
                // The things end one after the other here: later calls meet what has ended. A library is not there for
                // moorline_node_share.
                bool fine = status == MOORLINE_OK || status == MOORLINE_E_CLOSED || status == MOORLINE_E_BAD_HANDLE;
                if (!fine) expect(function, "a callback", status, MOORLINE_OK);
            }
        }
    }
    CHECK_OK(moorline_dispose(client, (uint32_t)within_ms(10000), NULL, NULL, NULL));
    free(within);
    close(port.socket);
}

struct crowd {
    uint64_t clients[2], things[2][4];
    const char *url;
    uint64_t seed;
    atomic_bool *running;
};

// Anything with anything, as fast as it goes. Only that it answers counts.
static void *jostle(void *given) {
    struct crowd *crowd = (struct crowd *)given;
    uint64_t state = crowd->seed;
    while (atomic_load(crowd->running)) {
        uint64_t dice = next_random(&state);
        uint64_t client = dice % 16 == 0 ? next_random(&state) : crowd->clients[dice / 16 % 2];
        uint64_t thing = dice % 8 == 1 ? next_random(&state) : crowd->things[dice / 64 % 2][dice / 256 % 4];
        const struct function *function = &FUNCTIONS[dice / 4096 % FUNCTION_COUNT];
        // The clients stay; so do threads enough for others. Nodes are made elsewhere.
        if (function->call == call_dispose || function->call == call_init || function->call == call_node_start)
            continue;
        int32_t status = function->call(client, thing);
        CHECK(status != MOORLINE_E_PANIC && status != MOORLINE_E_INTERNAL);
    }
    return NULL;
}

static void eight_threads_at_once_get_answers(void) {
    struct port port = refusing_port();
    pthread_t threads[8];
    struct crowd crowds[8], crowd;
    atomic_bool running = true;
    memset(&crowd, 0, sizeof crowd);
    crowd.running = &running;
    for (int at = 0; at < 2; at++) {
        uint64_t client = crowd.clients[at] = open_client(64);
        crowd.things[at][0] = start_node(client);
        crowd.things[at][1] = join_room(client, port.url, "crowd");
        crowd.things[at][2] = start_download(client, crowd.things[at][0], "nothing", "/nowhere");
        crowd.things[at][3] = hold_request(client, client);
    }
    for (unsigned at = 0; at < 8; at++) {
        crowds[at] = crowd;
        crowds[at].seed = at + 1;
        CHECK(pthread_create(&threads[at], NULL, jostle, &crowds[at]) == 0);
    }
    int64_t end = now_ms() + 3000;
    while (now_ms() < end) {
        // What is dropped is replaced, so that there is always something to meet.
        for (int at = 0; at < 2; at++) call_node_start(crowd.clients[at], 0);
        pause_us(20000);
    }
    atomic_store(&running, false);
    for (int at = 0; at < 8; at++) CHECK(pthread_join(threads[at], NULL) == 0);
    for (int at = 0; at < 2; at++) {
        inbox box = inbox_of(crowd.clients[at]);
        close_client(&box);
    }
    close(port.socket);
}

static void *live_and_go(void *given) {
    (void)given;
    for (unsigned at = 0; at < rounds(20); at++) CHECK_OK(call_init(0, 0));
    return NULL;
}

static void clients_come_and_go_in_eight_threads_at_once(void) {
    pthread_t threads[8];
    for (int at = 0; at < 8; at++) CHECK(pthread_create(&threads[at], NULL, live_and_go, NULL) == 0);
    for (int at = 0; at < 8; at++) CHECK(pthread_join(threads[at], NULL) == 0);
    CHECK_EQUAL(count_threads(), 1);
}

static const struct test TESTS[] = {
    TEST(before_init_every_function_answers, 10),
    TEST(names_and_versions_are_texts_for_ever, 10),
    TEST(within_a_callback_every_function_answers, 30),
    TEST(eight_threads_at_once_get_answers, 60),
    TEST(clients_come_and_go_in_eight_threads_at_once, 60),
};
MAIN(TESTS)
