// Run: valgrind=what_is_no_room_is_refused,messages_and_downloads_that_make_no_sense_are_refused asan deadline=120
// Settings that make no sense, or too much of it: an error value that says so, or an ordinary end, never worse.

#include "calls.h"

#include <stddef.h>

static void is_refused(const char *what, int32_t status, const moorline_error *error) {
    char line[300];
    snprintf(line, sizeof line, "%s is taken", what);
    if (status == MOORLINE_OK) check_failed(__FILE__, __LINE__, line);
    if (status != MOORLINE_E_TOO_LARGE) check_status(__FILE__, __LINE__, what, status, MOORLINE_E_INVALID_ARGUMENT);
    snprintf(line, sizeof line, "%s is refused without a word", what);
    if (error->length == 0 || error->message[0] == 0 || error->status != status) check_failed(__FILE__, __LINE__, line);
}

static void a_client_of_another_version_is_refused(void) {
    uint32_t versions[] = {0, 1, MOORLINE_ABI_VERSION + 0x10000, MOORLINE_ABI_VERSION - 0x10000, UINT32_MAX};
    for (size_t at = 0; at < sizeof versions / sizeof *versions; at++) {
        uint64_t client = 7;
        moorline_error error = empty_error();
        moorline_init_options options = init_options();
        options.abi_version = versions[at];
        CHECK_STATUS(moorline_init(&options, &client, &error), MOORLINE_E_ABI);
        CHECK(error.length > 0);
    }
    // One with more functions than the library, and the same ones otherwise.
    uint64_t client = 0;
    moorline_init_options options = init_options();
    options.abi_version = MOORLINE_ABI_VERSION | 0xffff;
    CHECK_OK(moorline_init(&options, &client, NULL));
    CHECK_OK(moorline_dispose(client, 0, NULL, NULL, NULL));
}

static void a_client_with_absurd_bounds_is_refused(void) {
    size_t fields[] = {offsetof(moorline_init_options, threads), offsetof(moorline_init_options, event_capacity),
                       offsetof(moorline_init_options, request_capacity), offsetof(moorline_init_options, log_level)};
    uint32_t values[] = {UINT32_MAX, 1u << 31, (1u << 20) + 1};
    for (size_t field = 0; field < 4; field++) {
        for (size_t value = 0; value < 3; value++) {
            uint64_t client = 0;
            moorline_error error = empty_error();
            moorline_init_options options = init_options();
            memcpy((char *)&options + fields[field], &values[value], sizeof *values);
            is_refused("a bound of a client", moorline_init(&options, &client, &error), &error);
            CHECK_EQUAL(client, 0);
        }
    }
    int threads = count_threads();
    CHECK_EQUAL(threads, 1);
}

// The least and the most that is allowed work.
static void a_client_with_the_least_and_the_most_works(void) {
    for (int most = 0; most < 2; most++) {
        uint64_t client = 0;
        moorline_init_options options = init_options();
        options.threads = most ? 64 : 1;
        options.event_capacity = options.request_capacity = most ? 1u << 20 : 1;
        options.log_level = most ? 5 : 1;
        CHECK_OK(moorline_init(&options, &client, NULL));
        inbox box = inbox_of(client);
        uint64_t node = start_node(client);
        wait_for_event(&box, MOORLINE_EVENT_NODE_STARTED, node, 10000);
        CHECK_OK(wait_for_request(&box, add_peer(client, node, "127.0.0.1:9"), 10000)->status);
        close_client(&box);
    }
}

static void more_requests_than_allowed_are_refused(void) {
    uint64_t client = 0, request = 0;
    moorline_init_options options = init_options();
    options.request_capacity = 3;
    CHECK_OK(moorline_init(&options, &client, NULL));
    for (int at = 0; at < 3; at++) request = hold_request(client, client);
    uint64_t refused = 0;
    CHECK_STATUS(moorline_test_request(client, client, &refused), MOORLINE_E_TOO_MANY);
    CHECK_OK(moorline_cancel(client, request));
    inbox box = inbox_of(client);
    CHECK_STATUS(wait_for_request(&box, request, 5000)->status, MOORLINE_E_CANCELLED);
    // Its place is free as soon as nothing of it is left, a moment after it is done.
    int64_t end = now_ms() + within_ms(5000);
    while (moorline_test_request(client, client, &request) == MOORLINE_E_TOO_MANY && now_ms() < end) pause_us(1000);
    CHECK_EQUAL(kind_of(client, request), MOORLINE_KIND_REQUEST);
    close_client(&box);
}

static const char *const NO_ADDRESSES[] = {
    " ",           ":",      "127.0.0.1", "localhost:1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
    "256.0.0.1:1", "::1:80", "[::1]",     "[::1",        "1:2:3",      "127.0.0.1:80 ",   "\xf0\x9f\x92\xa5:1",
};

static void what_is_no_address_is_refused(void) {
    inbox box = inbox_of(open_client(0));
    uint64_t client = box.client, node = start_node(client), made;
    for (size_t at = 0; at < sizeof NO_ADDRESSES / sizeof *NO_ADDRESSES; at++) {
        const char *wrong = NO_ADDRESSES[at];
        moorline_error error = empty_error();
        is_refused(wrong, moorline_node_add_peer(client, node, bytes(wrong), strlen(wrong), &made, &error), &error);
        moorline_node_options options = node_options();
        options.listen = text(wrong), error = empty_error();
        is_refused(wrong, moorline_node_start(client, &options, &made, &error), &error);
        moorline_span peer = text(wrong);
        options = node_options(), options.peers = &peer, options.peer_count = 1, error = empty_error();
        is_refused(wrong, moorline_node_start(client, &options, &made, &error), &error);
    }
    moorline_error error = empty_error();
    is_refused("an empty address", moorline_node_add_peer(client, node, NULL, 0, &made, &error), &error);
    close_client(&box);
}

static void a_node_with_impossible_options_is_refused(void) {
    inbox box = inbox_of(open_client(0));
    uint64_t client = box.client, node = 0;
    uint32_t flags[] = {UINT32_MAX, 1u << 31, MOORLINE_FLAG_END_WHEN_ALONE,
                        MOORLINE_FLAG_NO_MEETING | MOORLINE_FLAG_READY};
    for (size_t at = 0; at < sizeof flags / sizeof *flags; at++) {
        moorline_error error = empty_error();
        moorline_node_options options = node_options();
        options.flags = flags[at];
        is_refused("flags of a node", moorline_node_start(client, &options, &node, &error), &error);
    }
    const char *ids[] = {"x", "not-a-peer", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t at = 0; at < 3; at++) {
        moorline_span id = text(ids[at]);
        moorline_error error = empty_error();
        moorline_node_options options = node_options();
        options.allow = &id, options.allow_count = 1;
        is_refused("an id of a peer", moorline_node_start(client, &options, &node, &error), &error);
    }
    moorline_span paths[] = {text(""), {bytes("/tmp/a\0b"), 8}};
    for (size_t at = 0; at < 2; at++) {
        moorline_error error = empty_error();
        moorline_node_options options = node_options();
        options.share = &paths[at], options.share_count = 1;
        is_refused("a path to share", moorline_node_start(client, &options, &node, &error), &error);
    }
    close_client(&box);
}

// What only the system can tell is told by the last event of the node.
static void a_node_that_the_system_does_not_want_ends_with_the_reason(void) {
    inbox box = inbox_of(open_client(0));
    uint64_t client = box.client, first = start_node(client);
    char *taken = address_of(&box, first);
    moorline_span zero = {bytes("/tmp/a\0b"), 8};
    for (int which = 0; which < 5; which++) {
        moorline_node_options options = node_options();
        if (which == 0) options.listen = text(taken);
        if (which == 1) options.listen = text("192.0.2.1:9");
        if (which == 2) options.identity = text("/proc/no/such/place/key");
        if (which == 3) options.cache = text("/proc/no/such/place"), options.flags |= MOORLINE_FLAG_LIBRARY;
        if (which == 4) options.identity = zero;
        uint64_t node = 0;
        moorline_error error = empty_error();
        int32_t status = moorline_node_start(client, &options, &node, &error);
        if (status != MOORLINE_OK) {
            CHECK(error.length > 0);
            continue;
        }
        // A cache that cannot be written is done without.
        if (which == 3) continue;
        const moorline_event *end = wait_for_event(&box, MOORLINE_EVENT_NODE_STOPPED, node, 10000);
        CHECK(end->status == MOORLINE_E_BIND || end->status == MOORLINE_E_IO ||
              end->status == MOORLINE_E_INVALID_ARGUMENT);
        CHECK(end->spans[0].length > 0);
    }
    free(taken);
    close_client(&box);
}

static void times_without_end_do_not_hold_the_end_up(void) {
    struct port port = silent_port();
    inbox box = inbox_of(open_client(0));
    moorline_node_options options = node_options();
    options.shutdown_deadline_ms = options.ready_timeout_ms = UINT32_MAX;
    uint64_t node = start_node_with(box.client, &options);
    moorline_room_options where = room_options(port.url, "for ever");
    where.deadline_ms = where.ready_timeout_ms = UINT32_MAX;
    join_with(box.client, node, &where);
    moorline_download_options what = download_options("nothing", "/nowhere");
    what.wait_ms = UINT32_MAX;
    uint64_t download = 0;
    CHECK_OK(moorline_node_download(box.client, node, &what, &download, NULL));
    wait_for_event(&box, MOORLINE_EVENT_NODE_STARTED, node, 10000);
    int64_t begin = now_ms();
    CHECK_OK(moorline_dispose(box.client, UINT32_MAX, NULL, NULL, NULL));
    CHECK_AT_MOST(now_ms() - begin, within_ms(3000));
    inbox_free(&box);
    close(port.socket);
}

static void what_is_no_room_is_refused(void) {
    static const char *const urls[] = {"",
                                       " ",
                                       "http://127.0.0.1:1",
                                       "127.0.0.1:1",
                                       "ws://",
                                       "ws://:80",
                                       "ws://[",
                                       "ws://127.0.0.1:99999",
                                       "ws://127.0.0.1:x",
                                       "file:///etc/passwd",
                                       "ws://127.0.0.1:1 nonsense",
                                       "ws://exa\x01mple:1"};
    inbox box = inbox_of(open_client(0));
    uint64_t room = 0;
    for (size_t at = 0; at < sizeof urls / sizeof *urls; at++) {
        moorline_error error = empty_error();
        moorline_room_options options = room_options(urls[at], "room");
        is_refused(urls[at], moorline_room_join(box.client, 0, &options, &room, &error), &error);
    }
    char *long_text = (char *)calloc(1, 1 << 20);
    memset(long_text, 'x', (1 << 20) - 1);
    const char *what[] = {"a long room",   "a long name",  "a long identity",
                          "long metadata", "a long token", "a long URL"};
    for (int which = 0; which < 6; which++) {
        moorline_room_options options = room_options("ws://127.0.0.1:9", "room");
        moorline_span *spans[] = {&options.room,     &options.name,  &options.identity,
                                  &options.metadata, &options.token, &options.url};
        *spans[which] = text(long_text);
        moorline_error error = empty_error();
        is_refused(what[which], moorline_room_join(box.client, 0, &options, &room, &error), &error);
    }
    free(long_text);
    moorline_error error = empty_error();
    moorline_room_options options = room_options("ws://127.0.0.1:9", "");
    is_refused("a room without a name", moorline_room_join(box.client, 0, &options, &room, &error), &error);
    options = room_options("ws://127.0.0.1:9", "room"), options.flags = MOORLINE_FLAG_CHILDREN, error = empty_error();
    is_refused("flags of a room", moorline_room_join(box.client, 0, &options, &room, &error), &error);
    close_client(&box);
}

static void messages_and_downloads_that_make_no_sense_are_refused(void) {
    struct port port = silent_port();
    inbox box = inbox_of(open_client(0));
    uint64_t client = box.client, node = start_node(client), room = join_room(client, port.url, "room"), made = 0;
    moorline_send_options send;
    memset(&send, 0, sizeof send);
    send.struct_size = sizeof send;
    moorline_error error = empty_error();
    send.delivery = 77;
    is_refused("a class of messages", moorline_room_send(client, room, &send, bytes("x"), 1, &made, &error), &error);
    send.delivery = MOORLINE_SEND_LATEST, error = empty_error();
    is_refused("a value without a key", moorline_room_send(client, room, &send, bytes("x"), 1, &made, &error), &error);
    uint8_t *megabytes = (uint8_t *)calloc(1, 8 << 20);
    error = empty_error();
    is_refused("a payload", moorline_room_send(client, room, NULL, megabytes, 8 << 20, &made, &error), &error);
    error = empty_error();
    is_refused("a call", moorline_room_call(client, room, 1, bytes("m"), 1, megabytes, 8 << 20, 0, &made, &error),
               &error);
    free(megabytes);
    CHECK_STATUS(moorline_room_hint(client, room, 77), MOORLINE_E_INVALID_ARGUMENT);
    const char *wrong[][2] = {{"", "/nowhere"}, {"item", ""}};
    for (int at = 0; at < 2; at++) {
        moorline_download_options options = download_options(wrong[at][0], wrong[at][1]);
        error = empty_error();
        is_refused("a download of or into nothing", moorline_node_download(client, node, &options, &made, &error),
                   &error);
    }
    moorline_download_options options = download_options("item", "/nowhere");
    options.flags = MOORLINE_FLAG_READY, error = empty_error();
    is_refused("flags of a download", moorline_node_download(client, node, &options, &made, &error), &error);
    options = download_options("item", "/nowhere"), options.from = text("nobody"), error = empty_error();
    is_refused("a peer to fetch from", moorline_node_download(client, node, &options, &made, &error), &error);
    error = empty_error();
    is_refused("flags of a share",
               moorline_node_share(client, node, bytes("/tmp"), 4, MOORLINE_FLAG_READY, &made, &error), &error);
    close_client(&box);
    close(port.socket);
}

static const struct test TESTS[] = {
    TEST(a_client_of_another_version_is_refused, 20),
    TEST(a_client_with_absurd_bounds_is_refused, 20),
    TEST(a_client_with_the_least_and_the_most_works, 30),
    TEST(more_requests_than_allowed_are_refused, 20),
    TEST(what_is_no_address_is_refused, 20),
    TEST(a_node_with_impossible_options_is_refused, 20),
    TEST(a_node_that_the_system_does_not_want_ends_with_the_reason, 40),
    TEST(times_without_end_do_not_hold_the_end_up, 30),
    TEST(what_is_no_room_is_refused, 20),
    TEST(messages_and_downloads_that_make_no_sense_are_refused, 30),
};
MAIN(TESTS)
