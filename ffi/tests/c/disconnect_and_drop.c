// Run: asan deadline=200
// Leaving a room and letting go of its handle at once: the end still comes, once, and nothing stays behind.

#include "scene.h"

#include <pthread.h>

enum { THREADS = 8 };

struct leaver {
    pthread_t thread;
    uint64_t client;
    const char *url;
    unsigned rooms;
    bool leaves;
    // The rooms that it made.
    uint64_t *made;
};

static void *make_rooms_and_let_go(void *given) {
    struct leaver *leaver = (struct leaver *)given;
    for (unsigned at = 0; at < leaver->rooms; at++) {
        moorline_room_options options = room_options(leaver->url, "revolving door");
        options.deadline_ms = MOORLINE_FOREVER;
        uint64_t room = join_with(leaver->client, 0, &options);
        // Now and then a moment passes, so that the end meets every step of the connecting.
        if (at % 4 == 3) pause_us(at * 37 % 3000);
        if (leaver->leaves) CHECK_OK(moorline_room_leave(leaver->client, room));
        CHECK_OK(moorline_drop(leaver->client, room));
        leaver->made[at] = room;
    }
    return NULL;
}

static int by_number(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

// Takes events until every room has ended, and one moment longer. Returns their handles, sorted.
static uint64_t *collect_ends(uint64_t client, unsigned expected) {
    unsigned ended = 0;
    uint64_t *rooms = (uint64_t *)calloc(expected, sizeof *rooms);
    CHECK(rooms);
    for (;;) {
        const moorline_event *events = NULL;
        uint32_t count = 0;
        CHECK_OK(
            moorline_events_poll(client, 512, ended < expected ? (uint32_t)within_ms(10000) : 100, &events, &count));
        if (count == 0) break;
        for (uint32_t at = 0; at < count; at++) {
            if (events[at].kind != MOORLINE_EVENT_ROOM_DISCONNECTED) continue;
            CHECK_STATUS(events[at].status, MOORLINE_E_CLOSED);
            CHECK(ended < expected);
            rooms[ended++] = events[at].handle;
        }
        CHECK_OK(moorline_free(events));
    }
    CHECK_EQUAL(ended, expected);
    qsort(rooms, ended, sizeof *rooms, by_number);
    return rooms;
}

// `rooms` rooms by all threads together: each ends with one event.
static void revolve(uint64_t client, const char *url, unsigned rooms, bool leaves) {
    struct leaver leavers[THREADS];
    unsigned each = rooms / THREADS, all = each * THREADS;
    uint64_t *made = (uint64_t *)calloc(all, sizeof *made);
    CHECK(made);
    for (unsigned at = 0; at < THREADS; at++) {
        struct leaver leaver = {0, client, url, each, leaves, made + at * each};
        leavers[at] = leaver;
        CHECK(pthread_create(&leavers[at].thread, NULL, make_rooms_and_let_go, &leavers[at]) == 0);
    }
    uint64_t *ended = collect_ends(client, all);
    for (unsigned at = 0; at < THREADS; at++) CHECK(pthread_join(leavers[at].thread, NULL) == 0);
    qsort(made, all, sizeof *made, by_number);
    CHECK(memcmp(made, ended, all * sizeof *made) == 0);
    free(made);
    free(ended);
}

// The same twice: what the first time takes for itself, the second time uses again.
static void revolve_without_leak(const char *url, bool leaves) {
    unsigned rooms = rounds(10000);
    inbox box = inbox_of(open_client(0));
    revolve(box.client, url, rooms, leaves);
    long allocated = allocated_kib();
    int descriptors = count_descriptors();
    revolve(box.client, url, rooms, leaves);
    CHECK_GROWTH(allocated_kib(), allocated, 1024);
    CHECK_AT_MOST(count_descriptors(), descriptors + 4);
    close_client(&box);
}

static void ten_thousand_rooms_left_and_dropped_at_once_where_nobody_answers_all_end(void) {
    struct port port = refusing_port();
    revolve_without_leak(port.url, true);
    close(port.socket);
}

static void ten_thousand_rooms_dropped_without_leaving_all_end(void) {
    struct port port = refusing_port();
    revolve_without_leak(port.url, false);
    close(port.socket);
}

static void ten_thousand_rooms_of_a_real_server_left_and_dropped_at_once_all_end(void) {
    struct server server = start_server();
    revolve_without_leak(server.url, true);
    stop_server(&server);
}

// Joined first, so that there is something to say goodbye to; and what is in flight is called off before the end.
static void a_joined_room_that_is_dropped_leaves_properly(void) {
    struct server server = start_server();
    inbox box = inbox_of(open_client(0)), witness = inbox_of(open_client(0));
    uint64_t watching = join_room(witness.client, server.url, "door");
    wait_for_event(&witness, MOORLINE_EVENT_ROOM_JOINED, watching, 10000);
    uint64_t room = join_room(box.client, server.url, "door");
    uint64_t me = wait_for_event(&box, MOORLINE_EVENT_ROOM_JOINED, room, 10000)->numbers[0];
    CHECK_EQUAL(wait_for_event(&witness, MOORLINE_EVENT_ROOM_PARTICIPANT_JOINED, watching, 10000)->numbers[0], me);
    uint64_t request = hold_request(box.client, room);
    CHECK_OK(moorline_drop(box.client, room));
    const moorline_event *left = wait_for_event(&witness, MOORLINE_EVENT_ROOM_PARTICIPANT_LEFT, watching, 2000);
    CHECK_EQUAL(left->numbers[0], me);
    CHECK_EQUAL(left->numbers[1], 1);
    const moorline_event *end = wait_for_event(&box, MOORLINE_EVENT_ROOM_DISCONNECTED, room, 2000);
    const moorline_event *done = wait_for_request(&box, request, 0);
    CHECK_STATUS(done->status, MOORLINE_E_CLOSED);
    CHECK(done->sequence < end->sequence);
    close_client(&box);
    close_client(&witness);
    stop_server(&server);
}

static void a_dropped_node_ends_with_its_rooms_and_downloads_before_it(void) {
    struct port port = silent_port();
    inbox box = inbox_of(open_client(0));
    uint64_t node = start_node(box.client);
    moorline_room_options options = room_options(port.url, "with a node");
    uint64_t room = join_with(box.client, node, &options);
    uint64_t download = start_download(box.client, node, "nothing", "/nowhere");
    CHECK_OK(moorline_drop(box.client, node));
    const moorline_event *stopped = wait_for_event(&box, MOORLINE_EVENT_NODE_STOPPED, node, 10000);
    wanted of_room = {MOORLINE_EVENT_ROOM_DISCONNECTED, room, 0},
           of_download = {MOORLINE_EVENT_DOWNLOAD_ENDED, download, 0};
    const moorline_event *disconnected = inbox_take(&box, of_room), *ended = inbox_take(&box, of_download);
    CHECK(disconnected && disconnected->sequence < stopped->sequence);
    CHECK(ended && ended->sequence < stopped->sequence);
    CHECK_OK(moorline_drop(box.client, room));
    CHECK_OK(moorline_drop(box.client, download));
    close_client(&box);
    close(port.socket);
}

static const struct test TESTS[] = {
    TEST(ten_thousand_rooms_left_and_dropped_at_once_where_nobody_answers_all_end, 90),
    TEST(ten_thousand_rooms_dropped_without_leaving_all_end, 90),
    TEST(ten_thousand_rooms_of_a_real_server_left_and_dropped_at_once_all_end, 120),
    TEST(a_joined_room_that_is_dropped_leaves_properly, 30),
    TEST(a_dropped_node_ends_with_its_rooms_and_downloads_before_it, 30),
};
MAIN(TESTS)
