// Run: asan release deadline=180
// A panic in the library, wherever it is: the host lives; what was under way is cancelled, then the panic is told, then
// the sessions
// concerned end; who asks for something in reaction gets it; nobody else notices. Run against a release build too.

#include "scene.h"

#include <pthread.h>

// A client with one of everything, and a bystander.
struct stage {
    struct server server;
    inbox box, bystander;
    uint64_t node, node_room, lone_room, download;
    uint64_t of_client, of_node, of_node_room, of_lone_room;
    uint64_t bystander_node, bystander_room, bystander_request;
};

static uint64_t joined_room(inbox *box, uint64_t node, const char *url, const char *name) {
    moorline_room_options options = room_options(url, name);
    options.flags |= MOORLINE_FLAG_NO_MEETING;
    uint64_t room = join_with(box->client, node, &options);
    wait_for_event(box, MOORLINE_EVENT_ROOM_JOINED, room, 10000);
    return room;
}

static struct stage open_stage(void) {
    struct stage stage;
    memset(&stage, 0, sizeof stage);
    stage.server = start_server();
    moorline_init_options options = init_options();
    options.log_level = 1;
    uint64_t client = 0;
    CHECK_OK(moorline_init(&options, &client, NULL));
    stage.box = inbox_of(client);
    stage.bystander = inbox_of(open_client(0));
    stage.node = start_node(client);
    stage.node_room = joined_room(&stage.box, stage.node, stage.server.url, "with a node");
    stage.lone_room = joined_room(&stage.box, 0, stage.server.url, "alone");
    stage.download = start_download(client, stage.node, "nothing", "/nowhere");
    stage.of_client = hold_request(client, client);
    stage.of_node = hold_request(client, stage.node);
    stage.of_node_room = hold_request(client, stage.node_room);
    stage.of_lone_room = hold_request(client, stage.lone_room);
    uint64_t other = stage.bystander.client;
    stage.bystander_node = start_node(other);
    stage.bystander_room = joined_room(&stage.bystander, 0, stage.server.url, "alone");
    stage.bystander_request = hold_request(other, other);
    return stage;
}

static void bystander_noticed_nothing(struct stage *stage) {
    uint64_t other = stage->bystander.client, request = 0;
    CHECK_OK(moorline_room_send(other, stage->bystander_room, NULL, (const uint8_t *)"still here", 10, &request, NULL));
    CHECK_OK(wait_for_request(&stage->bystander, request, 5000)->status);
    CHECK_OK(wait_for_request(&stage->bystander, add_peer(other, stage->bystander_node, "127.0.0.1:9"), 5000)->status);
    CHECK_EQUAL(kind_of(other, stage->bystander_request), MOORLINE_KIND_REQUEST);
    wanted none[] = {
        {MOORLINE_EVENT_PANIC, 0, 0}, {MOORLINE_EVENT_ROOM_DISCONNECTED, 0, 0}, {MOORLINE_EVENT_NODE_STOPPED, 0, 0}};
    for (size_t at = 0; at < sizeof none / sizeof *none; at++) CHECK_EQUAL(inbox_count(&stage->bystander, none[at]), 0);
}

static void close_stage(struct stage *stage) {
    close_client(&stage->box);
    close_client(&stage->bystander);
    stop_server(&stage->server);
}

// Done before the panic was told: never after, however long one waits.
static void was_cancelled_before(inbox *box, uint64_t request, const moorline_event *panic) {
    wanted what = {MOORLINE_EVENT_REQUEST_DONE, 0, request};
    const moorline_event *done = inbox_take(box, what);
    CHECK(done && done->sequence < panic->sequence);
    CHECK_STATUS(done->status, MOORLINE_E_CANCELLED);
}

static void ended_by_panic_after(inbox *box, uint32_t kind, uint64_t handle, const moorline_event *panic) {
    const moorline_event *end = wait_for_event(box, kind, handle, 5000);
    wanted what = {kind, handle, 0};
    inbox_fill(box, 0);
    CHECK_EQUAL(inbox_count(box, what), 1);
    CHECK_STATUS(end->status, MOORLINE_E_PANIC);
    CHECK(end->sequence > panic->sequence);
}

// `scope`: the client, its node, or the room that was joined with the node.
static void panic_at(uint32_t where, uint32_t scope_kind) {
    struct stage stage = open_stage();
    inbox *box = &stage.box;
    uint64_t client = box->client;
    bool in_client = scope_kind == MOORLINE_KIND_CLIENT, in_node = scope_kind == MOORLINE_KIND_NODE;
    uint64_t scope = in_client ? client : in_node ? stage.node : stage.node_room;
    CHECK_STATUS(moorline_test_panic(client, scope, where),
                 where == MOORLINE_TEST_PANIC_CALL ? MOORLINE_E_PANIC : MOORLINE_OK);
    if (where == MOORLINE_TEST_PANIC_DROP) CHECK_STATUS(moorline_drop(client, scope), MOORLINE_E_PANIC);

    const moorline_event *panic = wait_for_event(box, MOORLINE_EVENT_PANIC, scope, 5000);
    CHECK(panic->spans[0].length > 0 && panic->spans[1].length > 0);
    // At once, in reaction. A node outlives a panic, unless it was being dropped, or can say nothing any more.
    bool dies = in_node && (where == MOORLINE_TEST_PANIC_DROP || where == MOORLINE_TEST_PANIC_PUMP);
    uint64_t survivor = dies ? start_node(client) : stage.node;
    uint64_t reaction = add_peer(client, survivor, "127.0.0.1:9");
    uint64_t kept = hold_request(client, client);

    was_cancelled_before(box, stage.of_node_room, panic);
    if (in_node || in_client) was_cancelled_before(box, stage.of_node, panic);
    if (in_client) was_cancelled_before(box, stage.of_client, panic);
    if (in_client) was_cancelled_before(box, stage.of_lone_room, panic);
    ended_by_panic_after(box, MOORLINE_EVENT_ROOM_DISCONNECTED, stage.node_room, panic);
    if (in_node || in_client) ended_by_panic_after(box, MOORLINE_EVENT_DOWNLOAD_ENDED, stage.download, panic);
    if (in_client) ended_by_panic_after(box, MOORLINE_EVENT_ROOM_DISCONNECTED, stage.lone_room, panic);
    if (dies) wait_for_event(box, MOORLINE_EVENT_NODE_STOPPED, stage.node, 5000);
    CHECK_OK(wait_for_request(box, reaction, 5000)->status);
    CHECK_EQUAL(kind_of(client, kept), MOORLINE_KIND_REQUEST);

    if (!in_client) {
        uint64_t request = 0;
        CHECK_EQUAL(kind_of(client, stage.of_client), MOORLINE_KIND_REQUEST);
        CHECK_EQUAL(kind_of(client, stage.of_lone_room), MOORLINE_KIND_REQUEST);
        CHECK_OK(moorline_room_send(client, stage.lone_room, NULL, (const uint8_t *)"still here", 10, &request, NULL));
        CHECK_OK(wait_for_request(box, request, 5000)->status);
        if (!in_node) CHECK_EQUAL(kind_of(client, stage.of_node), MOORLINE_KIND_REQUEST);
    }
    // Rooms can be joined again.
    joined_room(box, survivor, stage.server.url, "afterwards");
    wanted panics = {MOORLINE_EVENT_PANIC, 0, 0};
    CHECK_EQUAL(inbox_count(box, panics), 1);
    wanted log = {MOORLINE_EVENT_LOG, 0, 0};
    const moorline_event *line = inbox_take(box, log);
    CHECK(line && line->numbers[0] == 1 && line->spans[1].length > 0);
    bystander_noticed_nothing(&stage);
    close_stage(&stage);
}

static void a_panic_in_a_function_is_contained(void) {
    panic_at(MOORLINE_TEST_PANIC_CALL, MOORLINE_KIND_CLIENT);
    panic_at(MOORLINE_TEST_PANIC_CALL, MOORLINE_KIND_NODE);
    panic_at(MOORLINE_TEST_PANIC_CALL, MOORLINE_KIND_ROOM);
}

static void a_panic_in_a_spawned_task_is_contained(void) {
    panic_at(MOORLINE_TEST_PANIC_TASK, MOORLINE_KIND_CLIENT);
    panic_at(MOORLINE_TEST_PANIC_TASK, MOORLINE_KIND_NODE);
    panic_at(MOORLINE_TEST_PANIC_TASK, MOORLINE_KIND_ROOM);
}

static void a_panic_where_events_are_made_is_contained(void) {
    panic_at(MOORLINE_TEST_PANIC_PUMP, MOORLINE_KIND_NODE);
    panic_at(MOORLINE_TEST_PANIC_PUMP, MOORLINE_KIND_ROOM);
}

static void a_panic_while_a_handle_is_dropped_is_contained(void) {
    panic_at(MOORLINE_TEST_PANIC_DROP, MOORLINE_KIND_NODE);
    panic_at(MOORLINE_TEST_PANIC_DROP, MOORLINE_KIND_ROOM);
}

// What a callback saw, and what it did about it.
struct record {
    pthread_mutex_t lock;
    pthread_cond_t more;
    moorline_event events[512];
    unsigned count;
    uint64_t client, node, reaction;
};

static void write_down(void *user_data, const moorline_event *events, uint32_t count) {
    struct record *record = (struct record *)user_data;
    pthread_mutex_lock(&record->lock);
    for (uint32_t at = 0; at < count && record->count < 512; at++) {
        record->events[record->count++] = events[at];
        if (events[at].kind == MOORLINE_EVENT_PANIC)
            record->reaction = add_peer(record->client, record->node, "127.0.0.1:9");
    }
    pthread_cond_broadcast(&record->more);
    pthread_mutex_unlock(&record->lock);
}

// The place of such an event, once it has come.
static unsigned await_record(struct record *record, uint32_t kind, uint64_t handle, uint64_t request) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += within_ms(10000) / 1000;
    wanted what = {kind, handle, request};
    pthread_mutex_lock(&record->lock);
    for (unsigned at = 0;; at++) {
        while (at == record->count)
            if (pthread_cond_timedwait(&record->more, &record->lock, &end))
                check_failed(__FILE__, __LINE__, "the callback got no such event");
        if (!is_wanted(&record->events[at], what)) continue;
        pthread_mutex_unlock(&record->lock);
        return at;
    }
}

// For every place of the panic, with events taken by a callback that reacts from within.
static void a_callback_goes_on_after_a_panic_and_can_react_to_it(void) {
    uint32_t places[] = {MOORLINE_TEST_PANIC_CALLBACK, MOORLINE_TEST_PANIC_TASK, MOORLINE_TEST_PANIC_CALL};
    for (size_t place = 0; place < sizeof places / sizeof *places; place++) {
        struct stage stage = open_stage();
        uint64_t client = stage.box.client;
        struct record *record = (struct record *)calloc(1, sizeof *record);
        CHECK(record);
        pthread_mutex_init(&record->lock, NULL);
        pthread_cond_init(&record->more, NULL);
        record->client = client;
        record->node = stage.node;
        CHECK_OK(moorline_events_callback(client, write_down, record));
        moorline_test_panic(client, client, places[place]);
        // Something to call the callback for.
        CHECK_OK(moorline_test_emit(client, MOORLINE_EVENT_LOG, 1, 0));

        unsigned panic = await_record(record, MOORLINE_EVENT_PANIC, client, 0);
        uint64_t cancelled[] = {stage.of_client, stage.of_node, stage.of_node_room, stage.of_lone_room};
        for (size_t at = 0; at < 4; at++) {
            unsigned done = await_record(record, MOORLINE_EVENT_REQUEST_DONE, 0, cancelled[at]);
            CHECK_STATUS(record->events[done].status, MOORLINE_E_CANCELLED);
            CHECK(done < panic);
        }
        uint64_t rooms[] = {stage.node_room, stage.lone_room};
        for (size_t at = 0; at < 2; at++) {
            unsigned end = await_record(record, MOORLINE_EVENT_ROOM_DISCONNECTED, rooms[at], 0);
            CHECK_STATUS(record->events[end].status, MOORLINE_E_PANIC);
            CHECK(end > panic);
        }
        CHECK(record->reaction != 0);
        CHECK_OK(record->events[await_record(record, MOORLINE_EVENT_REQUEST_DONE, 0, record->reaction)].status);
        bystander_noticed_nothing(&stage);
        CHECK_OK(moorline_events_callback(client, NULL, NULL));
        close_stage(&stage);
        free(record);
    }
}

static void a_hundred_panics_cost_no_memory(void) {
    inbox box = inbox_of(open_client(0));
    long allocated = 0;
    for (unsigned at = 0; at < rounds(100); at++) {
        uint64_t request = hold_request(box.client, box.client);
        CHECK_OK(moorline_test_panic(box.client, box.client, MOORLINE_TEST_PANIC_TASK));
        CHECK_STATUS(wait_for_request(&box, request, 5000)->status, MOORLINE_E_CANCELLED);
        wait_for_event(&box, MOORLINE_EVENT_PANIC, box.client, 5000);
        inbox_free(&box);
        if (at == rounds(100) / 2) allocated = allocated_kib();
    }
    CHECK_GROWTH(allocated_kib(), allocated, 256);
    close_client(&box);
}

static const struct test TESTS[] = {
    TEST(a_panic_in_a_function_is_contained, 60),
    TEST(a_panic_in_a_spawned_task_is_contained, 60),
    TEST(a_panic_where_events_are_made_is_contained, 40),
    TEST(a_panic_while_a_handle_is_dropped_is_contained, 40),
    TEST(a_callback_goes_on_after_a_panic_and_can_react_to_it, 60),
    TEST(a_hundred_panics_cost_no_memory, 40),
};
MAIN(TESTS)
