// Run: asan deadline=180
// Between making a session and listening to it nothing is lost; who never listens is told so; and whatever is being
// made can be called
// off at any moment.

#include "scene.h"

enum { MESSAGES = 200 };

// An answer must not take longer than this, in milliseconds.
enum { AT_ONCE = 1500 };

static uint64_t join_unready(uint64_t client, const char *url, uint32_t ready_timeout_ms) {
    moorline_room_options options = room_options(url, "ready");
    options.flags = 0;
    options.deadline_ms = MOORLINE_FOREVER;
    options.ready_timeout_ms = ready_timeout_ms;
    return join_with(client, 0, &options);
}

static uint64_t start_unready(uint64_t client, uint32_t ready_timeout_ms) {
    moorline_node_options options = node_options();
    options.flags = MOORLINE_FLAG_NO_MULTICAST;
    options.ready_timeout_ms = ready_timeout_ms;
    return start_node_with(client, &options);
}

// No event of this session comes, for a while.
static void is_quiet(inbox *box, uint64_t session) {
    wanted any = {0, session, 0};
    CHECK(!inbox_await(box, any, 100));
}

static void what_a_room_receives_before_it_is_ready_arrives_after(void) {
    struct server server = start_server();
    inbox box = inbox_of(open_client(0)), witness = inbox_of(open_client(0));
    uint64_t sending = join_room(witness.client, server.url, "ready"), request = 0;
    wait_for_event(&witness, MOORLINE_EVENT_ROOM_JOINED, sending, 10000);
    uint64_t room = join_unready(box.client, server.url, 0);
    wait_for_event(&witness, MOORLINE_EVENT_ROOM_PARTICIPANT_JOINED, sending, 10000);
    for (uint32_t number = 0; number < MESSAGES; number++) {
        CHECK_OK(
            moorline_room_send(witness.client, sending, NULL, (const uint8_t *)&number, sizeof number, &request, NULL));
    }
    CHECK_OK(wait_for_request(&witness, request, 10000)->status);
    is_quiet(&box, room);
    CHECK_OK(moorline_ready(box.client, room));
    CHECK_OK(moorline_ready(box.client, room));
    const moorline_event *joined = wait_for_event(&box, MOORLINE_EVENT_ROOM_JOINED, room, 5000);
    uint64_t last = joined->sequence;
    for (uint32_t number = 0; number < MESSAGES; number++) {
        const moorline_event *message = wait_for_event(&box, MOORLINE_EVENT_ROOM_MESSAGE, room, 5000);
        CHECK(message->sequence > last);
        CHECK_EQUAL(message->spans[0].length, sizeof number);
        CHECK(memcmp(message->spans[0].data, &number, sizeof number) == 0);
        last = message->sequence;
    }
    close_client(&box);
    close_client(&witness);
    stop_server(&server);
}

static void what_a_node_sees_before_it_is_ready_arrives_after(void) {
    inbox box = inbox_of(open_client(0)), other = inbox_of(open_client(0));
    uint64_t second = start_node(other.client), node = start_unready(box.client, 0);
    char *address = address_of(&other, second);
    // Requests are answered meanwhile: only what the session reports by itself waits.
    CHECK_OK(wait_for_request(&box, add_peer(box.client, node, address), 5000)->status);
    wait_for_event(&other, MOORLINE_EVENT_PEER_UP, second, 10000);
    is_quiet(&box, node);
    CHECK_OK(moorline_ready(box.client, node));
    const moorline_event *started = wait_for_event(&box, MOORLINE_EVENT_NODE_STARTED, node, 5000);
    const moorline_event *up = wait_for_event(&box, MOORLINE_EVENT_PEER_UP, node, 5000);
    CHECK(started->sequence < up->sequence);
    free(address);
    close_client(&box);
    close_client(&other);
}

// The session ends in time with the reason, and what waited for it is released before.
static void ends_for_want_of_a_listener(inbox *box, uint64_t session, uint32_t last_event, int64_t timeout_ms,
                                        int64_t begin) {
    uint64_t request = hold_request(box->client, session);
    const moorline_event *end = wait_for_event(box, last_event, session, timeout_ms + AT_ONCE);
    CHECK(now_ms() - begin >= timeout_ms - 5);
    CHECK_STATUS(end->status, MOORLINE_E_READY_TIMEOUT);
    CHECK(end->spans[0].length > 0);
    wanted done = {MOORLINE_EVENT_REQUEST_DONE, 0, request};
    const moorline_event *released = inbox_take(box, done);
    CHECK(released && released->sequence < end->sequence && released->status != MOORLINE_OK);
    wanted any = {0, session, 0};
    wanted ends = {last_event, session, 0};
    CHECK(!inbox_await(box, any, 100));
    CHECK_EQUAL(inbox_count(box, ends), 1);
    // It is over, and everything about it is still an ordinary value.
    CHECK_OK(moorline_ready(box->client, session));
    CHECK_OK(moorline_drop(box->client, session));
}

static void a_room_to_which_nobody_listens_ends_with_that_reason(void) {
    struct server server = start_server();
    struct port silent = silent_port(), refusing = refusing_port();
    inbox box = inbox_of(open_client(0));
    const char *urls[] = {server.url, silent.url, refusing.url};
    for (size_t at = 0; at < 3; at++) {
        int64_t begin = now_ms();
        uint64_t room = join_unready(box.client, urls[at], 300);
        ends_for_want_of_a_listener(&box, room, MOORLINE_EVENT_ROOM_DISCONNECTED, 300, begin);
    }
    close_client(&box);
    close(silent.socket), close(refusing.socket);
    stop_server(&server);
}

static void a_node_to_which_nobody_listens_ends_with_that_reason(void) {
    inbox box = inbox_of(open_client(0));
    int64_t begin = now_ms();
    uint64_t node = start_unready(box.client, 300);
    ends_for_want_of_a_listener(&box, node, MOORLINE_EVENT_NODE_STOPPED, 300, begin);
    close_client(&box);
}

static void being_ready_in_time_is_enough(void) {
    inbox box = inbox_of(open_client(0));
    uint64_t node = start_unready(box.client, 300);
    CHECK_OK(moorline_ready(box.client, node));
    wait_for_event(&box, MOORLINE_EVENT_NODE_STARTED, node, 5000);
    wanted end = {MOORLINE_EVENT_NODE_STOPPED, node, 0};
    CHECK(!inbox_await(&box, end, 600));
    close_client(&box);
}

// Whichever comes first wins, and there is one end at most.
static void being_ready_at_the_last_moment_has_one_outcome(void) {
    struct port port = silent_port();
    inbox box = inbox_of(open_client(0));
    uint64_t state = 5;
    for (unsigned at = 0; at < rounds(100); at++) {
        uint64_t room = join_unready(box.client, port.url, 20);
        pause_us(18000 + (unsigned)(next_random(&state) % 4000));
        CHECK_OK(moorline_ready(box.client, room));
        CHECK_OK(moorline_room_leave(box.client, room));
        int32_t status = wait_for_event(&box, MOORLINE_EVENT_ROOM_DISCONNECTED, room, AT_ONCE)->status;
        CHECK(status == MOORLINE_E_CLOSED || status == MOORLINE_E_READY_TIMEOUT);
        CHECK_OK(moorline_drop(box.client, room));
    }
    close_client(&box);
    close(port.socket);
}

static void leaving_while_it_waits_for_a_listener_is_honoured_at_once(void) {
    struct server server = start_server();
    struct port silent = silent_port(), refusing = refusing_port();
    inbox box = inbox_of(open_client(0)), witness = inbox_of(open_client(0));
    uint64_t watching = join_room(witness.client, server.url, "ready");
    wait_for_event(&witness, MOORLINE_EVENT_ROOM_JOINED, watching, 10000);
    const char *urls[] = {server.url, silent.url, refusing.url};
    for (size_t at = 0; at < 3; at++) {
        for (int dropping = 0; dropping < 2; dropping++) {
            uint64_t room = join_unready(box.client, urls[at], 60000);
            if (at == 0) wait_for_event(&witness, MOORLINE_EVENT_ROOM_PARTICIPANT_JOINED, watching, 10000);
            CHECK_OK(dropping ? moorline_drop(box.client, room) : moorline_room_leave(box.client, room));
            const moorline_event *end = wait_for_event(&box, MOORLINE_EVENT_ROOM_DISCONNECTED, room, AT_ONCE);
            CHECK_STATUS(end->status, MOORLINE_E_CLOSED);
            if (at == 0) wait_for_event(&witness, MOORLINE_EVENT_ROOM_PARTICIPANT_LEFT, watching, AT_ONCE);
        }
    }
    uint64_t node = start_unready(box.client, 60000);
    CHECK_OK(moorline_node_stop(box.client, node));
    wait_for_event(&box, MOORLINE_EVENT_NODE_STOPPED, node, AT_ONCE);
    close_client(&box);
    close_client(&witness);
    close(silent.socket), close(refusing.socket);
    stop_server(&server);
}

// At every step of it: the moment is chosen by chance.
static void connecting_can_be_called_off_at_any_moment(void) {
    struct server server = start_server();
    struct port silent = silent_port(), refusing = refusing_port();
    inbox box = inbox_of(open_client(0));
    const char *urls[] = {server.url, silent.url, refusing.url};
    uint64_t state = 11;
    for (unsigned at = 0; at < rounds(600); at++) {
        uint64_t room = join_room(box.client, urls[at % 3], "called off");
        pause_us((unsigned)(next_random(&state) % (at % 2 ? 500 : 6000)));
        CHECK_OK(at % 4 < 2 ? moorline_room_leave(box.client, room) : moorline_drop(box.client, room));
        int32_t status = wait_for_event(&box, MOORLINE_EVENT_ROOM_DISCONNECTED, room, AT_ONCE)->status;
        CHECK_STATUS(status, MOORLINE_E_CLOSED);
        if (at % 4 < 2) CHECK_OK(moorline_drop(box.client, room));
        inbox_free(&box);
    }
    close_client(&box);
    close(silent.socket), close(refusing.socket);
    stop_server(&server);
}

static void what_a_node_begins_can_be_called_off_at_any_moment(void) {
    inbox box = inbox_of(open_client(0));
    uint64_t state = 13;
    for (unsigned at = 0; at < rounds(100); at++) {
        uint64_t node = start_node(box.client);
        uint64_t download = start_download(box.client, node, "nothing", "/nowhere");
        pause_us((unsigned)(next_random(&state) % 5000));
        if (at % 2) CHECK_OK(moorline_cancel(box.client, download));
        CHECK_OK(at % 4 < 2 ? moorline_node_stop(box.client, node) : moorline_drop(box.client, node));
        CHECK(wait_for_event(&box, MOORLINE_EVENT_DOWNLOAD_ENDED, download, AT_ONCE)->status != MOORLINE_OK);
        wait_for_event(&box, MOORLINE_EVENT_NODE_STOPPED, node, AT_ONCE);
        CHECK_OK(moorline_drop(box.client, download));
        if (at % 4 < 2) CHECK_OK(moorline_drop(box.client, node));
        inbox_free(&box);
    }
    close_client(&box);
}

static const struct test TESTS[] = {
    TEST(what_a_room_receives_before_it_is_ready_arrives_after, 40),
    TEST(what_a_node_sees_before_it_is_ready_arrives_after, 40),
    TEST(a_room_to_which_nobody_listens_ends_with_that_reason, 40),
    TEST(a_node_to_which_nobody_listens_ends_with_that_reason, 40),
    TEST(being_ready_in_time_is_enough, 30),
    TEST(being_ready_at_the_last_moment_has_one_outcome, 60),
    TEST(leaving_while_it_waits_for_a_listener_is_honoured_at_once, 60),
    TEST(connecting_can_be_called_off_at_any_moment, 120),
    TEST(what_a_node_begins_can_be_called_off_at_any_moment, 60),
};
MAIN(TESTS)
