// Run: deadline=120
// What somebody who never stops could use up: requests, handles, memory, threads, time.

#include "calls.h"

#include <pthread.h>
#include <sys/resource.h>

static inbox small_client(uint32_t request_capacity) {
    moorline_init_options options = init_options();
    options.request_capacity = request_capacity;
    uint64_t client = 0;
    CHECK_OK(moorline_init(&options, &client, NULL));
    return inbox_of(client);
}

// A request keeps its place until its event was taken, however it ended.
static void outcomes_that_nobody_takes_count_as_requests(void) {
    inbox box = small_client(16);
    unsigned made = 0;
    for (unsigned at = 0; at < 200; at++) {
        uint64_t request = 0;
        int32_t status = moorline_test_request(box.client, box.client, &request);
        if (status == MOORLINE_E_TOO_MANY) continue;
        CHECK_EQUAL(status, MOORLINE_OK);
        CHECK_OK(moorline_cancel(box.client, request));
        made++;
    }
    CHECK_EQUAL(made, 16);
    for (unsigned at = 0; at < made; at++) {
        const moorline_event *event = wait_for_event(&box, MOORLINE_EVENT_REQUEST_DONE, box.client, 5000);
        CHECK_EQUAL(event->status, MOORLINE_E_CANCELLED);
    }
    uint64_t request = 0;
    int64_t end = now_ms() + within_ms(5000);
    // The places come back once the tasks are gone, too.
    while (moorline_test_request(box.client, box.client, &request) != MOORLINE_OK) CHECK(now_ms() < end);
    close_client(&box);
}

static struct room_pair {
    inbox one, other;
    uint64_t room, other_room;
} meet(const char *url, uint32_t request_capacity) {
    struct room_pair pair;
    pair.one = small_client(request_capacity);
    pair.other = inbox_of(open_client(0));
    pair.other_room = join_room(pair.other.client, url, "bounds");
    wait_for_event(&pair.other, MOORLINE_EVENT_ROOM_JOINED, pair.other_room, 10000);
    pair.room = join_room(pair.one.client, url, "bounds");
    wait_for_event(&pair.one, MOORLINE_EVENT_ROOM_JOINED, pair.room, 10000);
    return pair;
}

static void a_message_that_was_refused_is_not_sent(void) {
    struct server server = start_server();
    struct room_pair pair = meet(server.url, 1);
    uint64_t held = hold_request(pair.one.client, pair.room), request = 0;
    moorline_error error = empty_error();
    CHECK_STATUS(moorline_room_send(pair.one.client, pair.room, NULL, bytes("refused"), 7, &request, &error),
                 MOORLINE_E_TOO_MANY);
    CHECK_OK(moorline_cancel(pair.one.client, held));
    wait_for_request(&pair.one, held, 5000);
    int64_t end = now_ms() + within_ms(5000);
    while (moorline_room_send(pair.one.client, pair.room, NULL, bytes("taken"), 5, &request, NULL) != MOORLINE_OK)
        CHECK(now_ms() < end);
    const moorline_event *message = wait_for_event(&pair.other, MOORLINE_EVENT_ROOM_MESSAGE, pair.other_room, 10000);
    CHECK(span_is(message->spans[0], "taken"));
    close_client(&pair.one);
    close_client(&pair.other);
    stop_server(&server);
}

static void a_refusal_that_is_too_long_leaves_the_call_to_be_answered(void) {
    struct server server = start_server();
    struct room_pair pair = meet(server.url, 0);
    uint64_t own = wait_for_event(&pair.other, MOORLINE_EVENT_ROOM_PARTICIPANT_JOINED, pair.other_room, 10000)->numbers[0];
    uint64_t request = 0;
    CHECK_OK(moorline_room_call(pair.other.client, pair.other_room, own, bytes("m"), 1, NULL, 0, 20000, &request, NULL));
    uint64_t call = wait_for_event(&pair.one, MOORLINE_EVENT_ROOM_CALL, pair.room, 10000)->request;
    size_t length = 1 << 20;
    char *long_text = (char *)malloc(length);
    memset(long_text, 'x', length);
    CHECK_STATUS(moorline_call_reject(pair.one.client, call, MOORLINE_REJECT_FAILED, bytes(long_text), length, NULL),
                 MOORLINE_E_TOO_LARGE);
    CHECK_OK(moorline_call_reject(pair.one.client, call, MOORLINE_REJECT_FAILED, bytes("no"), 2, NULL));
    CHECK_EQUAL(wait_for_request(&pair.other, request, 10000)->status, MOORLINE_E_CALL_FAILED);
    free(long_text);
    close_client(&pair.one);
    close_client(&pair.other);
    stop_server(&server);
}

static void sessions_that_ended_and_were_never_dropped_die_with_their_client(void) {
    long before = 0;
    for (unsigned at = 0; at < rounds(120); at++) {
        inbox box = inbox_of(open_client(0));
        uint64_t node = start_node(box.client);
        CHECK_OK(moorline_node_stop(box.client, node));
        wait_for_event(&box, MOORLINE_EVENT_NODE_STOPPED, node, 10000);
        close_client(&box);
        if (at == 20) before = allocated_kib();
    }
    CHECK_GROWTH(allocated_kib(), before, 512);
}

static void a_short_deadline_is_enough_for_what_ends_at_once(void) {
    for (unsigned at = 0; at < 20; at++) {
        uint64_t client = open_client(0);
        start_node(client);
        CHECK_OK(moorline_dispose(client, (uint32_t)within_ms(200), NULL, NULL, NULL));
    }
}

static void dawdle(void *user_data, const moorline_event *events, uint32_t count) {
    (void)user_data, (void)events, (void)count;
    pause_us(300);
}

static void *take_away(void *client) {
    CHECK_OK(moorline_events_callback(*(uint64_t *)client, NULL, NULL));
    return NULL;
}

static void *set_again(void *client) {
    // Busy until the one before is away.
    while (moorline_events_callback(*(uint64_t *)client, dawdle, NULL) == MOORLINE_E_BUSY) pause_us(1);
    return NULL;
}

static void taking_a_callback_away_twice_while_another_is_set_ends(void) {
    uint64_t client = open_client(0);
    for (unsigned round = 0; round < rounds(300); round++) {
        moorline_events_callback(client, dawdle, NULL);
        CHECK_OK(moorline_test_emit(client, MOORLINE_EVENT_LOG, 3, 0));
        pthread_t threads[3];
        for (unsigned at = 0; at < 3; at++) CHECK(pthread_create(&threads[at], NULL, at < 2 ? take_away : set_again, &client) == 0);
        for (unsigned at = 0; at < 3; at++) pthread_join(threads[at], NULL);
    }
    CHECK_OK(moorline_events_callback(client, NULL, NULL));
    CHECK_OK(moorline_dispose(client, 0, NULL, NULL, NULL));
}

// Limits of processes do not bind root, so this is somebody else.
static void a_system_without_threads_is_an_error_value(void) {
    if (getuid() == 0) CHECK(setgid(65534) == 0 && setuid(65534) == 0);
    struct rlimit none = {1, 1};
    CHECK(setrlimit(RLIMIT_NPROC, &none) == 0);
    moorline_init_options options = init_options();
    uint64_t client = 0;
    moorline_error error = empty_error();
    CHECK_STATUS(moorline_init(&options, &client, &error), MOORLINE_E_IO);
    CHECK(error.length > 0);
}

static const struct test tests[] = {
    TEST(outcomes_that_nobody_takes_count_as_requests, 20),
    TEST(a_message_that_was_refused_is_not_sent, 30),
    TEST(a_refusal_that_is_too_long_leaves_the_call_to_be_answered, 30),
    TEST(sessions_that_ended_and_were_never_dropped_die_with_their_client, 40),
    TEST(a_short_deadline_is_enough_for_what_ends_at_once, 20),
    TEST(taking_a_callback_away_twice_while_another_is_set_ends, 30),
    TEST(a_system_without_threads_is_an_error_value, 10),
};

MAIN(tests)
