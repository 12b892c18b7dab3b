// Run: valgrind=a_handle_of_the_wrong_kind_is_refused_and_its_thing_unharmed,a_handle_that_names_nothing_is_refused,dropping_after_dispose_from_another_thread_is_an_error_value asan deadline=150
// A handle that names nothing, or something else, is an error value, and what it does name stays unharmed.

#include "calls.h"

#include <pthread.h>

// One of each kind, all alive until something is done to them.
struct zoo {
    inbox box, caller;
    struct server server;
    struct port silent;
    uint64_t things[8];
};

static struct zoo open_zoo(void) {
    struct zoo zoo;
    memset(&zoo, 0, sizeof zoo);
    zoo.server = start_server();
    zoo.silent = silent_port();
    uint64_t client = open_client(0), other = open_client(0);
    zoo.box = inbox_of(client);
    zoo.caller = inbox_of(other);
    zoo.things[MOORLINE_KIND_CLIENT] = client;
    zoo.things[MOORLINE_KIND_NODE] = start_node(client);
    zoo.things[MOORLINE_KIND_DOWNLOAD] = start_download(client, zoo.things[MOORLINE_KIND_NODE], "nothing", "/nowhere");
    zoo.things[MOORLINE_KIND_ROOM] = join_room(client, zoo.server.url, "zoo");
    zoo.things[MOORLINE_KIND_REQUEST] = hold_request(client, client);
    uint64_t me = wait_for_event(&zoo.box, MOORLINE_EVENT_ROOM_JOINED, 0, 10000)->numbers[0], request;
    uint64_t room = join_room(other, zoo.server.url, "zoo");
    wait_for_event(&zoo.caller, MOORLINE_EVENT_ROOM_JOINED, room, 10000);
    CHECK_OK(moorline_room_call(other, room, me, bytes("wait"), 4, NULL, 0, 3600000, &request, NULL));
    zoo.things[MOORLINE_KIND_CALL] = wait_for_event(&zoo.box, MOORLINE_EVENT_ROOM_CALL, 0, 10000)->request;
    return zoo;
}

static void everybody_lives(const struct zoo *zoo, const char *after) {
    static const char *names[] = {"", "the client", "the node", "the room", "the download", "the request", "the call"};
    for (uint32_t kind = MOORLINE_KIND_NODE; kind <= MOORLINE_KIND_CALL; kind++) {
        char what[128];
        snprintf(what, sizeof what, "moorline_%s did something to %s", after, names[kind]);
        if (kind_of(zoo->box.client, zoo->things[kind]) != kind) check_failed(__FILE__, __LINE__, what);
    }
    wanted end[] = {{MOORLINE_EVENT_NODE_STOPPED, 0, 0},
                    {MOORLINE_EVENT_ROOM_DISCONNECTED, 0, 0},
                    {MOORLINE_EVENT_DOWNLOAD_ENDED, 0, 0},
                    {MOORLINE_EVENT_REQUEST_DONE, 0, 0}};
    for (size_t at = 0; at < sizeof end / sizeof *end; at++) CHECK_EQUAL(inbox_count(&zoo->box, end[at]), 0);
}

static void close_zoo(struct zoo *zoo) {
    close_client(&zoo->box);
    close_client(&zoo->caller);
    stop_server(&zoo->server);
    close(zoo->silent.socket);
}

// Of the kinds that handles have, those that a function does not take.
static void a_handle_of_the_wrong_kind_is_refused_and_its_thing_unharmed(void) {
    struct zoo zoo = open_zoo();
    uint64_t client = zoo.box.client;
    for (size_t at = 0; at < FUNCTION_COUNT; at++) {
        const struct function *function = &FUNCTIONS[at];
        for (uint32_t kind = MOORLINE_KIND_CLIENT; kind <= MOORLINE_KIND_CALL; kind++) {
            uint64_t thing = zoo.things[kind];
            if (function->takes != TAKES_NOTHING && function->takes != TAKES_ANY && !(function->takes & 1u << kind)) {
                expect(function, "a wrong kind", function->call(client, thing), MOORLINE_E_WRONG_KIND);
            }
            if (function->of_client && kind != MOORLINE_KIND_CLIENT) {
                expect(function, "a wrong kind as its client", function->call(thing, thing), MOORLINE_E_WRONG_KIND);
            }
            inbox_fill(&zoo.box, 0);
            everybody_lives(&zoo, function->name);
        }
    }
    close_zoo(&zoo);
}

static void a_handle_of_another_client_is_refused_and_its_thing_unharmed(void) {
    struct zoo zoo = open_zoo();
    inbox stranger = inbox_of(open_client(0));
    for (size_t at = 0; at < FUNCTION_COUNT; at++) {
        const struct function *function = &FUNCTIONS[at];
        for (uint32_t kind = MOORLINE_KIND_NODE; kind <= MOORLINE_KIND_CALL; kind++) {
            if (!(function->takes & 1u << kind)) continue;
            int32_t status = function->call(stranger.client, zoo.things[kind]);
            expect(function, "a handle of another client", status, MOORLINE_E_WRONG_CLIENT);
            inbox_fill(&zoo.box, 0);
            everybody_lives(&zoo, function->name);
        }
    }
    close_client(&stranger);
    close_zoo(&zoo);
}

// `stale`: of every kind, dropped, answered or done.
static void a_handle_that_names_nothing_is_refused(void) {
    struct zoo zoo = open_zoo();
    uint64_t client = zoo.box.client, stale[16], state = 42;
    size_t count = 0;
    stale[count++] = 0;
    stale[count++] = 1;
    stale[count++] = UINT64_MAX;
    for (int more = 0; more < 4; more++) stale[count++] = next_random(&state);
    inbox gone = inbox_of(open_client(0));
    stale[count++] = gone.client;
    close_client(&gone);
    stale[count++] = start_node(client);
    stale[count++] = join_room(client, zoo.silent.url, "stale");
    stale[count++] = start_download(client, zoo.things[MOORLINE_KIND_NODE], "stale", "/nowhere");
    for (size_t at = count - 3; at < count; at++) CHECK_OK(moorline_drop(client, stale[at]));
    stale[count] = hold_request(client, client);
    CHECK_OK(moorline_cancel(client, stale[count]));
    CHECK_EQUAL(wait_for_request(&zoo.box, stale[count++], 5000)->status, MOORLINE_E_CANCELLED);
    for (size_t at = 0; at < FUNCTION_COUNT; at++) {
        const struct function *function = &FUNCTIONS[at];
        for (size_t which = 0; which < count; which++) {
            // A room may be joined without a node.
            bool may = function->call == call_room_join && stale[which] == 0;
            if (function->takes != TAKES_NOTHING && !may) {
                expect(function, "a handle of nothing", function->call(client, stale[which]), MOORLINE_E_BAD_HANDLE);
            }
            if (function->of_client) {
                int32_t status = function->call(stale[which], zoo.things[MOORLINE_KIND_NODE]);
                expect(function, "a client that is none", status, MOORLINE_E_BAD_HANDLE);
            }
        }
    }
    close_zoo(&zoo);
}

static void dropping_twice_is_an_error_value(void) {
    inbox box = inbox_of(open_client(0));
    uint64_t node = start_node(box.client);
    CHECK_OK(moorline_drop(box.client, node));
    CHECK_STATUS(moorline_drop(box.client, node), MOORLINE_E_BAD_HANDLE);
    CHECK_STATUS(moorline_node_stop(box.client, node), MOORLINE_E_BAD_HANDLE);
    wait_for_event(&box, MOORLINE_EVENT_NODE_STOPPED, node, 10000);
    CHECK_STATUS(moorline_drop(box.client, node), MOORLINE_E_BAD_HANDLE);
    close_client(&box);
}

static void answering_a_call_twice_is_an_error_value(void) {
    struct zoo zoo = open_zoo();
    uint64_t client = zoo.box.client, call = zoo.things[MOORLINE_KIND_CALL];
    CHECK_OK(moorline_call_reply(client, call, bytes("yes"), 3, NULL));
    CHECK_STATUS(moorline_call_reply(client, call, bytes("yes"), 3, NULL), MOORLINE_E_BAD_HANDLE);
    CHECK_STATUS(moorline_call_reject(client, call, MOORLINE_REJECT_BUSY, NULL, 0, NULL), MOORLINE_E_BAD_HANDLE);
    CHECK(span_is(wait_for_event(&zoo.caller, MOORLINE_EVENT_REQUEST_DONE, 0, 10000)->spans[0], "yes"));
    close_zoo(&zoo);
}

static void a_handle_lives_on_after_its_last_event(void) {
    inbox box = inbox_of(open_client(0));
    struct port port = refusing_port();
    uint64_t room = join_room(box.client, port.url, "late");
    CHECK_OK(moorline_room_leave(box.client, room));
    wait_for_event(&box, MOORLINE_EVENT_ROOM_DISCONNECTED, room, 5000);
    CHECK_EQUAL(kind_of(box.client, room), MOORLINE_KIND_ROOM);
    CHECK_OK(moorline_room_leave(box.client, room));
    CHECK_OK(moorline_drop(box.client, room));
    CHECK_EQUAL(kind_of(box.client, room), 0);
    close_client(&box);
    close(port.socket);
}

// As a garbage collector's finalizer thread does it.
static void *drop_late(void *given) {
    const uint64_t *handles = (const uint64_t *)given;
    for (int round = 0; round < 100; round++)
        for (size_t at = 1; at < 4; at++) CHECK_STATUS(moorline_drop(handles[0], handles[at]), MOORLINE_E_BAD_HANDLE);
    return NULL;
}

static void dropping_after_dispose_from_another_thread_is_an_error_value(void) {
    pthread_t threads[4];
    inbox box = inbox_of(open_client(0));
    struct port port = refusing_port();
    uint64_t node = start_node(box.client);
    uint64_t handles[] = {box.client, node, join_room(box.client, port.url, "late"),
                          start_download(box.client, node, "late", "/nowhere")};
    close_client(&box);
    for (int at = 0; at < 4; at++) CHECK(pthread_create(&threads[at], NULL, drop_late, handles) == 0);
    for (int at = 0; at < 4; at++) CHECK(pthread_join(threads[at], NULL) == 0);
    close(port.socket);
}

static void a_million_made_up_handles_name_nothing(void) {
    inbox box = inbox_of(open_client(0));
    uint64_t node = start_node(box.client), state = 7;
    for (unsigned at = 0; at < rounds(1000000); at++) {
        uint64_t made_up = next_random(&state);
        // Half of them are near misses: one bit of a real handle is turned.
        if (at % 2) made_up = node ^ (1ULL << made_up % 64);
        if (made_up == node || made_up == box.client) continue;
        const struct function *function = &FUNCTIONS[at % FUNCTION_COUNT];
        if (function->takes == TAKES_NOTHING || made_up == 0) continue;
        int32_t status = function->call(box.client, made_up);
        if (status != MOORLINE_E_WRONG_KIND) expect(function, "a made-up handle", status, MOORLINE_E_BAD_HANDLE);
        status = function->call(made_up, node);
        if (status != MOORLINE_E_WRONG_KIND) expect(function, "a made-up client", status, MOORLINE_E_BAD_HANDLE);
    }
    CHECK_EQUAL(kind_of(box.client, node), MOORLINE_KIND_NODE);
    close_client(&box);
}

static const struct test TESTS[] = {
    TEST(a_handle_of_the_wrong_kind_is_refused_and_its_thing_unharmed, 30),
    TEST(a_handle_of_another_client_is_refused_and_its_thing_unharmed, 30),
    TEST(a_handle_that_names_nothing_is_refused, 30),
    TEST(dropping_twice_is_an_error_value, 20),
    TEST(answering_a_call_twice_is_an_error_value, 30),
    TEST(a_handle_lives_on_after_its_last_event, 20),
    TEST(dropping_after_dispose_from_another_thread_is_an_error_value, 20),
    TEST(a_million_made_up_handles_name_nothing, 60),
};
MAIN(TESTS)
