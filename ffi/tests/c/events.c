// Run: valgrind=a_consumer_that_stops_is_told_how_much_it_missed_and_misses_nothing_that_matters,a_callback_gets_all_events_in_order asan deadline=120
// A consumer that stops taking events costs no memory and loses nothing that matters; and the three ways to take them.

#include "scene.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

enum { CAPACITY = 1000 };

static void a_consumer_that_stops_is_told_how_much_it_missed_and_misses_nothing_that_matters(void) {
    struct port port = refusing_port();
    inbox box = inbox_of(open_client(CAPACITY));
    uint64_t client = box.client;
    unsigned emitted = rounds(1000000), taken = 0;
    uint64_t room = join_room(client, port.url, "silent"), request = hold_request(client, client);
    CHECK_OK(moorline_test_emit(client, MOORLINE_EVENT_LOG, CAPACITY, 200));
    CHECK_OK(moorline_test_emit(client, MOORLINE_EVENT_OFFERS_CHANGED, 1, 200));
    long allocated = allocated_kib();
    for (unsigned part = 0; part < 10; part++) {
        CHECK_OK(moorline_test_emit(client, MOORLINE_EVENT_LOG, emitted / 10, 200));
        CHECK_OK(moorline_test_emit(client, MOORLINE_EVENT_OFFERS_CHANGED, 1000, 200));
    }
    CHECK_GROWTH(allocated_kib(), allocated, 256);
    // What has to be told is let in all the same.
    CHECK_OK(moorline_cancel(client, request));
    CHECK_OK(moorline_room_leave(client, room));
    CHECK_STATUS(wait_for_request(&box, request, 5000)->status, MOORLINE_E_CANCELLED);
    CHECK_STATUS(wait_for_event(&box, MOORLINE_EVENT_ROOM_DISCONNECTED, room, 5000)->status, MOORLINE_E_CLOSED);
    inbox_fill(&box, 0);

    uint64_t missed = 0, last = 0;
    unsigned offers = 0;
    for (size_t at = 0; at < box.count; at++) {
        const moorline_event *event = box.letters[at].event;
        CHECK_EQUAL(event->sequence, last + 1);
        last = event->sequence;
        if (event->kind == MOORLINE_EVENT_LAGGED && event->handle == client) missed += event->numbers[0];
        if (event->kind == MOORLINE_EVENT_LOG && event->handle == client) taken++;
        // The newest one took the place of those before it.
        if (event->kind == MOORLINE_EVENT_OFFERS_CHANGED) offers++, CHECK_EQUAL(event->numbers[0], 999);
    }
    CHECK_EQUAL(offers, 1);
    CHECK_AT_MOST(taken, CAPACITY);
    CHECK_EQUAL(missed + taken, CAPACITY + emitted / 10 * 10);
    // From here on nothing is missed any more.
    CHECK_OK(moorline_test_emit(client, MOORLINE_EVENT_LOG, 10, 10));
    for (uint64_t number = 0; number < 10; number++) {
        CHECK_EQUAL(wait_for_event(&box, MOORLINE_EVENT_LOG, client, 1000)->numbers[0], number);
    }
    close_client(&box);
    close(port.socket);
}

// What is large counts by its bytes too.
static void large_events_are_bounded_by_their_bytes(void) {
    uint64_t client = open_client(0);
    long allocated = allocated_kib();
    for (int part = 0; part < 300; part++) CHECK_OK(moorline_test_emit(client, MOORLINE_EVENT_LOG, 1, 1 << 20));
    CHECK_GROWTH(allocated_kib(), allocated, 100 * 1024);
    CHECK_OK(moorline_dispose(client, 0, NULL, NULL, NULL));
}

static bool is_readable(int descriptor, int timeout_ms) {
    struct pollfd wait = {descriptor, POLLIN, 0};
    return poll(&wait, 1, timeout_ms) == 1 && (wait.revents & POLLIN);
}

static void the_descriptor_is_readable_exactly_while_events_wait(void) {
    inbox box = inbox_of(open_client(0));
    int32_t descriptor = -1, again = -1;
    CHECK_OK(moorline_events_fd(box.client, &descriptor));
    CHECK_OK(moorline_events_fd(box.client, &again));
    CHECK(descriptor >= 0 && descriptor == again);
    const moorline_event *events = NULL;
    uint32_t count = 0;
    for (int round = 0; round < 200; round++) {
        CHECK(!is_readable(descriptor, 0));
        CHECK_OK(moorline_test_emit(box.client, MOORLINE_EVENT_LOG, 3, 10));
        CHECK(is_readable(descriptor, 1000));
        CHECK(is_readable(descriptor, 0));
        CHECK_OK(moorline_events_poll(box.client, 2, 0, &events, &count));
        CHECK_EQUAL(count, 2);
        CHECK_OK(moorline_free(events));
        CHECK(is_readable(descriptor, 0));
        CHECK_OK(moorline_events_poll(box.client, 2, 0, &events, &count));
        CHECK_EQUAL(count, 1);
        CHECK_OK(moorline_free(events));
    }
    // Nothing is there: an empty answer, at once or after the time-out.
    CHECK_OK(moorline_events_poll(box.client, 2, 0, &events, &count));
    CHECK(events == NULL && count == 0);
    int64_t begin = now_ms();
    CHECK_OK(moorline_events_poll(box.client, 2, 50, &events, &count));
    CHECK(events == NULL && count == 0 && now_ms() - begin >= 49);
    CHECK_STATUS(moorline_events_poll(box.client, 0, 0, &events, &count), MOORLINE_E_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_events_poll(box.client, 1, 0, NULL, &count), MOORLINE_E_NULL);
    CHECK_STATUS(moorline_events_poll(box.client, 1, 0, &events, NULL), MOORLINE_E_NULL);
    close_client(&box);
}

// A real event, from a thread of the library, while somebody waits by the descriptor.
static void an_event_loop_is_woken_by_the_descriptor(void) {
    inbox box = inbox_of(open_client(0));
    int32_t descriptor = -1;
    CHECK_OK(moorline_events_fd(box.client, &descriptor));
    uint64_t node = start_node(box.client);
    wanted started = {MOORLINE_EVENT_NODE_STARTED, node, 0};
    int64_t end = now_ms() + within_ms(10000);
    while (!inbox_take(&box, started)) {
        CHECK(is_readable(descriptor, (int)(end - now_ms())));
        CHECK(inbox_fill(&box, 0));
    }
    close_client(&box);
}

struct line {
    atomic_uint count;
    unsigned errors;
    atomic_ulong next, last_sequence;
};

static void note_order(void *user_data, const moorline_event *events, uint32_t count) {
    struct line *line = (struct line *)user_data;
    for (uint32_t at = 0; at < count; at++) {
        uint64_t expected = atomic_fetch_add(&line->next, 1);
        uint64_t before = atomic_exchange(&line->last_sequence, events[at].sequence);
        if (events[at].numbers[0] != expected || events[at].sequence != before + 1 || events[at].spans[0].length != 20)
            line->errors++;
    }
    atomic_fetch_add(&line->count, count);
}

static void a_callback_gets_all_events_in_order(void) {
    enum { EVENTS = 100000 };
    uint64_t client = open_client(1 << 20);
    struct line line = {0, 0, 0, 0};
    CHECK_OK(moorline_events_callback(client, note_order, &line));
    CHECK_OK(moorline_test_emit(client, MOORLINE_EVENT_LOG, EVENTS, 20));
    int64_t end = now_ms() + within_ms(10000);
    while (atomic_load(&line.count) < EVENTS && now_ms() < end) pause_us(1000);
    CHECK_OK(moorline_events_callback(client, NULL, NULL));
    CHECK_EQUAL(atomic_load(&line.count), EVENTS);
    CHECK_EQUAL(line.errors, 0);
    CHECK_OK(moorline_dispose(client, 0, NULL, NULL, NULL));
}

static void while_a_callback_is_set_others_find_it_busy(void) {
    inbox box = inbox_of(open_client(0));
    struct line line = {0, 0, 0, 0};
    const moorline_event *events = NULL;
    uint32_t count = 0;
    for (int round = 0; round < 20; round++) {
        CHECK_OK(moorline_events_callback(box.client, note_order, &line));
        CHECK_STATUS(moorline_events_poll(box.client, 1, 1000, &events, &count), MOORLINE_E_BUSY);
        CHECK_STATUS(moorline_events_callback(box.client, note_order, &line), MOORLINE_E_BUSY);
        CHECK_OK(moorline_events_callback(box.client, NULL, NULL));
        CHECK_OK(moorline_events_callback(box.client, NULL, NULL));
        CHECK_OK(moorline_test_emit(box.client, MOORLINE_EVENT_LOG, 1, 20));
        wait_for_event(&box, MOORLINE_EVENT_LOG, box.client, 1000);
    }
    CHECK_EQUAL(atomic_load(&line.count), 0);
    close_client(&box);
}

static void *wait_and_answer(void *given) {
    const moorline_event *events = NULL;
    uint32_t count = 0;
    return (void *)(intptr_t)moorline_events_poll(*(uint64_t *)given, 1, MOORLINE_FOREVER, &events, &count);
}

static void who_waits_for_events_is_told_when_a_callback_takes_over(void) {
    uint64_t client = open_client(0);
    struct line line = {0, 0, 0, 0};
    for (int round = 0; round < 20; round++) {
        pthread_t thread;
        void *status;
        CHECK(pthread_create(&thread, NULL, wait_and_answer, &client) == 0);
        pause_us((unsigned)round * 200);
        CHECK_OK(moorline_events_callback(client, note_order, &line));
        CHECK(pthread_join(thread, &status) == 0);
        int32_t answer = (int32_t)(intptr_t)status;
        CHECK(answer == MOORLINE_E_BUSY || answer == MOORLINE_OK);
        CHECK_OK(moorline_events_callback(client, NULL, NULL));
    }
    CHECK_OK(moorline_dispose(client, 0, NULL, NULL, NULL));
}

struct sharer {
    pthread_t thread;
    uint64_t client;
    uint8_t *seen;
    atomic_uint *total;
    unsigned expected;
    bool in_order;
};

static void *share_events(void *given) {
    struct sharer *sharer = (struct sharer *)given;
    uint64_t last = 0;
    sharer->in_order = true;
    while (atomic_load(sharer->total) < sharer->expected) {
        const moorline_event *events = NULL;
        uint32_t count = 0;
        CHECK_OK(moorline_events_poll(sharer->client, 64, 20, &events, &count));
        for (uint32_t at = 0; at < count; at++) {
            sharer->in_order &= events[at].sequence > last;
            last = events[at].sequence;
            sharer->seen[events[at].numbers[0]]++;
        }
        CHECK_OK(moorline_free(events));
        atomic_fetch_add(sharer->total, count);
    }
    return NULL;
}

static void several_who_take_events_share_them_without_loss_or_duplicate(void) {
    uint64_t client = open_client(1 << 20);
    struct sharer sharers[4];
    unsigned expected = rounds(200000);
    atomic_uint total = 0;
    uint8_t *seen = (uint8_t *)calloc(4, expected);
    CHECK(seen);
    for (int at = 0; at < 4; at++) {
        // Each has its own row: who takes an event is nobody else's business.
        struct sharer sharer = {0, client, seen + (size_t)at * expected, &total, expected, false};
        sharers[at] = sharer;
        CHECK(pthread_create(&sharers[at].thread, NULL, share_events, &sharers[at]) == 0);
    }
    CHECK_OK(moorline_test_emit(client, MOORLINE_EVENT_LOG, expected, 16));
    for (int at = 0; at < 4; at++) {
        CHECK(pthread_join(sharers[at].thread, NULL) == 0);
        CHECK(sharers[at].in_order);
    }
    CHECK_EQUAL(atomic_load(&total), expected);
    for (size_t at = 0; at < expected; at++) {
        CHECK_EQUAL(seen[at] + seen[expected + at] + seen[2 * expected + at] + seen[3 * expected + at], 1);
    }
    free(seen);
    CHECK_OK(moorline_dispose(client, 0, NULL, NULL, NULL));
}

static const struct test TESTS[] = {
    TEST(a_consumer_that_stops_is_told_how_much_it_missed_and_misses_nothing_that_matters, 60),
    TEST(large_events_are_bounded_by_their_bytes, 30),
    TEST(the_descriptor_is_readable_exactly_while_events_wait, 20),
    TEST(an_event_loop_is_woken_by_the_descriptor, 20),
    TEST(a_callback_gets_all_events_in_order, 30),
    TEST(while_a_callback_is_set_others_find_it_busy, 20),
    TEST(who_waits_for_events_is_told_when_a_callback_takes_over, 20),
    TEST(several_who_take_events_share_them_without_loss_or_duplicate, 40),
};
MAIN(TESTS)
