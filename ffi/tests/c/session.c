// Run: valgrind=another_share_shows_up_as_an_offer,calls_are_answered_and_refused asan deadline=180
// The full round, with a real room server and two clients: share, find, fetch; join, talk, call, answer; end.

#include "scene.h"

static uint64_t records(int32_t status, const moorline_event *block, uint32_t count, uint32_t kind, inbox *keep) {
    uint64_t found = 0;
    CHECK_OK(status);
    for (uint32_t at = 0; at < count; at++) {
        CHECK_EQUAL(block[at].sequence, 0);
        found += block[at].kind == kind;
    }
    inbox_put(keep, block, count);
    return found;
}

#define RECORDS(function, client, handle, kind, keep)                                                         \
    (function(client, handle, &block, &count) == MOORLINE_OK ? records(MOORLINE_OK, block, count, kind, keep) \
                                                             : (uint64_t)-1)

static void an_item_is_shared_found_and_fetched_with_progress(void) {
    char *folder = temporary_folder(), shared[600], into[600], path[700], other_path[700];
    const char *names[] = {"one.bin", "two.bin", "empty"};
    size_t sizes[] = {40000000, 300000, 0};
    snprintf(shared, sizeof shared, "%s/album", folder);
    snprintf(into, sizeof into, "%s/received", folder);
    CHECK(mkdir(shared, 0700) == 0);
    for (int at = 0; at < 3; at++) write_file(shared, names[at], sizes[at], (uint64_t)at + 1);

    inbox box = inbox_of(open_client(0)), other = inbox_of(open_client(0)), seen = inbox_of(0);
    const moorline_event *block = NULL;
    uint32_t count = 0;
    moorline_node_options options = node_options();
    moorline_span share = text(shared);
    options.name = text("giver"), options.share = &share, options.share_count = 1;
    uint64_t giver = start_node_with(box.client, &options);
    char *address = address_of(&box, giver);
    options = node_options(), options.name = text("taker");
    uint64_t taker = start_node_with(other.client, &options);
    wait_for_request(&other, add_peer(other.client, taker, address), 5000);
    const moorline_event *up = wait_for_event(&other, MOORLINE_EVENT_PEER_UP, taker, 10000);
    CHECK_EQUAL(up->spans[0].length, 52);
    CHECK(span_is(up->spans[1], "giver") && up->numbers[2] == 1);

    uint64_t download = start_download(other.client, taker, "album", into);
    CHECK_EQUAL(kind_of(other.client, download), MOORLINE_KIND_DOWNLOAD);
    const moorline_event *planned = wait_for_event(&other, MOORLINE_EVENT_DOWNLOAD_PLANNED, download, 20000);
    CHECK_EQUAL(planned->numbers[0], 40300000);
    CHECK_EQUAL(planned->numbers[1], 3);
    CHECK(span_is(planned->spans[1], "album"));
    const moorline_event *ended = wait_for_event(&other, MOORLINE_EVENT_DOWNLOAD_ENDED, download, 60000);
    CHECK_OK(ended->status);
    CHECK_EQUAL(ended->numbers[0], 40300000);
    uint64_t before = 0, steps = 0;
    for (wanted step = {MOORLINE_EVENT_DOWNLOAD_PROGRESS, download, 0};; steps++) {
        const moorline_event *progress = inbox_take(&other, step);
        if (!progress) break;
        CHECK(progress->numbers[0] >= before && progress->numbers[1] == 40300000 &&
              progress->sequence < ended->sequence);
        before = progress->numbers[0];
    }
    CHECK(steps > 0);
    for (int at = 0; at < 3; at++) {
        snprintf(path, sizeof path, "%s/%s", shared, names[at]);
        snprintf(other_path, sizeof other_path, "%s/album/%s", into, names[at]);
        CHECK(same_file(path, other_path));
    }
    wait_for_event(&box, MOORLINE_EVENT_UPLOAD_STARTED, giver, 5000);

    CHECK_EQUAL(RECORDS(moorline_node_info, other.client, taker, MOORLINE_RECORD_NODE, &seen), 1);
    CHECK_EQUAL(RECORDS(moorline_node_peers, other.client, taker, MOORLINE_RECORD_PEER, &seen), 1);
    CHECK_EQUAL(RECORDS(moorline_node_offers, other.client, taker, MOORLINE_RECORD_OFFER, &seen), 1);
    CHECK_EQUAL(RECORDS(moorline_node_offers, other.client, taker, MOORLINE_RECORD_PROVIDER, &seen), 1);
    CHECK_EQUAL(RECORDS(moorline_node_items, box.client, giver, MOORLINE_RECORD_ITEM, &seen), 1);
    CHECK_EQUAL(RECORDS(moorline_download_info, other.client, download, MOORLINE_RECORD_DOWNLOAD, &seen), 1);
    // The same once more, under another name: it is there already.
    CHECK_OK(moorline_drop(other.client, download));
    download = start_download(other.client, taker, "album", into);
    CHECK_EQUAL(wait_for_event(&other, MOORLINE_EVENT_DOWNLOAD_ENDED, download, 60000)->numbers[4], 1);

    CHECK_OK(moorline_node_stop(box.client, giver));
    CHECK_EQUAL(wait_for_event(&other, MOORLINE_EVENT_PEER_DOWN, taker, 5000)->numbers[0], 1);
    CHECK_STATUS(wait_for_event(&box, MOORLINE_EVENT_NODE_STOPPED, giver, 5000)->status, MOORLINE_OK);
    inbox_free(&seen);
    free(address);
    close_client(&box), close_client(&other);
    remove_folder(folder);
}

static void another_share_shows_up_as_an_offer(void) {
    char *folder = temporary_folder(), path[600];
    write_file(folder, "late.bin", 1000, 4);
    snprintf(path, sizeof path, "%s/late.bin", folder);
    inbox box = inbox_of(open_client(0)), other = inbox_of(open_client(0));
    moorline_node_options options = node_options();
    options.flags |= MOORLINE_FLAG_LIBRARY;
    uint64_t giver = start_node_with(box.client, &options), taker = start_node(other.client), request = 0;
    char *address = address_of(&box, giver);
    add_peer(other.client, taker, address);
    wait_for_event(&other, MOORLINE_EVENT_PEER_UP, taker, 10000);
    CHECK_OK(moorline_node_share(box.client, giver, (const uint8_t *)path, strlen(path), 0, &request, NULL));
    CHECK_OK(wait_for_request(&box, request, 5000)->status);
    wait_for_event(&box, MOORLINE_EVENT_LIBRARY_CHANGED, giver, 10000);
    wait_for_event(&other, MOORLINE_EVENT_OFFERS_CHANGED, taker, 10000);
    // A node without a library has nowhere to put it.
    CHECK_OK(moorline_node_share(other.client, taker, (const uint8_t *)path, strlen(path), 0, &request, NULL));
    CHECK_STATUS(wait_for_request(&other, request, 5000)->status, MOORLINE_E_NO_LIBRARY);
    free(address);
    close_client(&box), close_client(&other);
    remove_folder(folder);
}

// Two participants of one room.
struct pair {
    struct server server;
    inbox ann, ben;
    uint64_t ann_room, ben_room, ann_id, ben_id;
};

static struct pair open_pair(void) {
    struct pair pair;
    pair.server = start_server();
    pair.ann = inbox_of(open_client(0));
    pair.ben = inbox_of(open_client(0));
    moorline_room_options options = room_options(pair.server.url, "lobby");
    options.name = text("Ann");
    pair.ann_room = join_with(pair.ann.client, 0, &options);
    pair.ann_id = wait_for_event(&pair.ann, MOORLINE_EVENT_ROOM_JOINED, pair.ann_room, 10000)->numbers[0];
    options.name = text("Ben");
    pair.ben_room = join_with(pair.ben.client, 0, &options);
    pair.ben_id = wait_for_event(&pair.ben, MOORLINE_EVENT_ROOM_JOINED, pair.ben_room, 10000)->numbers[0];
    const moorline_event *came = wait_for_event(&pair.ann, MOORLINE_EVENT_ROOM_PARTICIPANT_JOINED, pair.ann_room, 5000);
    CHECK(came->numbers[0] == pair.ben_id && span_is(came->spans[1], "Ben"));
    return pair;
}

static void close_pair(struct pair *pair) {
    CHECK_OK(moorline_room_leave(pair->ben.client, pair->ben_room));
    const moorline_event *left = wait_for_event(&pair->ann, MOORLINE_EVENT_ROOM_PARTICIPANT_LEFT, pair->ann_room, 5000);
    CHECK(left->numbers[0] == pair->ben_id && left->numbers[1] == 1);
    CHECK_STATUS(wait_for_event(&pair->ben, MOORLINE_EVENT_ROOM_DISCONNECTED, pair->ben_room, 5000)->status,
                 MOORLINE_E_CLOSED);
    close_client(&pair->ann), close_client(&pair->ben);
    stop_server(&pair->server);
}

static void participants_talk_in_order_and_to_whom_they_mean(void) {
    struct pair pair = open_pair();
    uint64_t request = 0;
    moorline_send_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.topic = text("numbers"), options.to = &pair.ben_id, options.to_count = 1;
    for (uint8_t number = 0; number < 100; number++) {
        CHECK_OK(moorline_room_send(pair.ann.client, pair.ann_room, number % 2 ? &options : NULL, &number, 1, &request,
                                    NULL));
    }
    CHECK_OK(wait_for_request(&pair.ann, request, 5000)->status);
    for (uint8_t number = 0; number < 100; number++) {
        const moorline_event *message = wait_for_event(&pair.ben, MOORLINE_EVENT_ROOM_MESSAGE, pair.ben_room, 5000);
        CHECK(message->numbers[0] == pair.ann_id && message->numbers[1] == 1);
        CHECK(message->spans[0].length == 1 && message->spans[0].data[0] == number);
        CHECK(span_is(message->spans[1], number % 2 ? "numbers" : ""));
    }
    close_pair(&pair);
}

static void calls_are_answered_and_refused(void) {
    struct pair pair = open_pair();
    uint64_t ann = pair.ann.client, ben = pair.ben.client, request = 0;
    const uint8_t *method = (const uint8_t *)"add", *payload = (const uint8_t *)"2+2";
    int32_t outcomes[] = {MOORLINE_OK, MOORLINE_E_CALL_FAILED, MOORLINE_E_NO_SUCH_METHOD, MOORLINE_E_PEER_BUSY};
    for (uint32_t way = 0; way < 4; way++) {
        CHECK_OK(moorline_room_call(ann, pair.ann_room, pair.ben_id, method, 3, payload, 3, 5000, &request, NULL));
        const moorline_event *call = wait_for_event(&pair.ben, MOORLINE_EVENT_ROOM_CALL, pair.ben_room, 5000);
        CHECK(call->numbers[0] == pair.ann_id && span_is(call->spans[0], "2+2") && span_is(call->spans[1], "add"));
        CHECK_EQUAL(kind_of(ben, call->request), MOORLINE_KIND_CALL);
        if (way == 0)
            CHECK_OK(moorline_call_reply(ben, call->request, (const uint8_t *)"4", 1, NULL));
        else
            CHECK_OK(moorline_call_reject(ben, call->request, way - 1, (const uint8_t *)"why", 3, NULL));
        CHECK_EQUAL(kind_of(ben, call->request), 0);
        const moorline_event *done = wait_for_request(&pair.ann, request, 5000);
        CHECK_STATUS(done->status, outcomes[way]);
        if (way == 0) CHECK(span_is(done->spans[0], "4"));
    }
    // Nobody answers: the handle dies with the caller's patience.
    CHECK_OK(moorline_room_call(ann, pair.ann_room, pair.ben_id, method, 3, NULL, 0, 300, &request, NULL));
    uint64_t call = wait_for_event(&pair.ben, MOORLINE_EVENT_ROOM_CALL, pair.ben_room, 5000)->request;
    CHECK_STATUS(wait_for_request(&pair.ann, request, 5000)->status, MOORLINE_E_TIMEOUT);
    int64_t end = now_ms() + within_ms(3000);
    while (kind_of(ben, call) && now_ms() < end) pause_us(5000);
    CHECK_STATUS(moorline_call_reply(ben, call, NULL, 0, NULL), MOORLINE_E_BAD_HANDLE);
    CHECK_OK(moorline_room_call(ann, pair.ann_room, 999999, method, 3, NULL, 0, 5000, &request, NULL));
    CHECK_STATUS(wait_for_request(&pair.ann, request, 5000)->status, MOORLINE_E_NO_SUCH_PARTICIPANT);
    // One that is called off, and one that its room takes along.
    CHECK_OK(moorline_room_call(ann, pair.ann_room, pair.ben_id, method, 3, NULL, 0, 60000, &request, NULL));
    CHECK_OK(moorline_cancel(ann, request));
    CHECK_STATUS(wait_for_request(&pair.ann, request, 5000)->status, MOORLINE_E_CANCELLED);
    close_pair(&pair);
}

// Whoever comes later finds the newest value, and what was said of oneself.
static void what_participants_say_of_themselves_is_in_the_snapshot(void) {
    struct pair pair = open_pair();
    uint64_t request = 0, ann = pair.ann.client;
    moorline_span keys[] = {text("colour"), text("team")}, values[] = {text("green"), text("north")};
    moorline_update_options update;
    memset(&update, 0, sizeof update);
    update.struct_size = sizeof update;
    update.name = text("Anna"), update.metadata = text("here"), update.keys = keys, update.values = values,
    update.attribute_count = 2;
    CHECK_OK(moorline_room_update(ann, pair.ann_room, &update, &request, NULL));
    CHECK_OK(wait_for_request(&pair.ann, request, 5000)->status);
    const moorline_event *updated =
        wait_for_event(&pair.ben, MOORLINE_EVENT_ROOM_PARTICIPANT_UPDATED, pair.ben_room, 5000);
    CHECK(updated->numbers[0] == pair.ann_id && span_is(updated->spans[1], "Anna") &&
          span_is(updated->spans[2], "here"));
    moorline_send_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.delivery = MOORLINE_SEND_LATEST, options.topic = text("position");
    for (uint8_t step = '0'; step <= '9'; step++) {
        CHECK_OK(moorline_room_send(ann, pair.ann_room, &options, &step, 1, &request, NULL));
    }
    int32_t status = wait_for_request(&pair.ann, request, 5000)->status;
    CHECK_STATUS(status, MOORLINE_OK);
    inbox late = inbox_of(open_client(0)), seen = inbox_of(0);
    uint64_t room = join_room(late.client, pair.server.url, "lobby");
    CHECK_EQUAL(wait_for_event(&late, MOORLINE_EVENT_ROOM_JOINED, room, 10000)->numbers[1], 3);
    const moorline_event *block = NULL;
    uint32_t count = 0;
    CHECK_EQUAL(RECORDS(moorline_room_participants, late.client, room, MOORLINE_RECORD_PARTICIPANT, &seen), 3);
    wanted participant = {MOORLINE_RECORD_PARTICIPANT, 0, 0}, attribute = {MOORLINE_RECORD_ATTRIBUTE, 0, 0},
           value = {MOORLINE_RECORD_VALUE, 0, 0};
    const moorline_event *found = inbox_take(&seen, participant);
    while (found && found->numbers[0] != pair.ann_id) found = inbox_take(&seen, participant);
    CHECK(found && span_is(found->spans[1], "Anna") && span_is(found->spans[2], "here"));
    const moorline_event *colour = inbox_take(&seen, attribute), *team = inbox_take(&seen, attribute),
                         *position = inbox_take(&seen, value);
    CHECK(colour && span_is(colour->spans[1], "colour") && span_is(colour->spans[0], "green"));
    CHECK(team && span_is(team->spans[1], "team") && span_is(team->spans[0], "north"));
    CHECK(position && position->numbers[0] == pair.ann_id && span_is(position->spans[1], "position") &&
          span_is(position->spans[0], "9"));
    CHECK_EQUAL(RECORDS(moorline_room_info, late.client, room, MOORLINE_RECORD_ROOM, &seen), 1);
    inbox_free(&seen);
    close_client(&late);
    CHECK_OK(moorline_room_hint(ann, pair.ann_room, MOORLINE_HINT_RETRY_NOW));
    wait_for_event(&pair.ann, MOORLINE_EVENT_ROOM_PARTICIPANT_LEFT, pair.ann_room, 5000);
    close_pair(&pair);
}

static void nodes_in_one_room_meet(void) {
    struct server server = start_server();
    inbox box = inbox_of(open_client(0)), other = inbox_of(open_client(0));
    uint64_t first = start_node(box.client), second = start_node(other.client);
    moorline_room_options options = room_options(server.url, "meeting");
    join_with(box.client, first, &options);
    join_with(other.client, second, &options);
    wait_for_event(&box, MOORLINE_EVENT_PEER_UP, first, 20000);
    wait_for_event(&other, MOORLINE_EVENT_PEER_UP, second, 20000);
    close_client(&box), close_client(&other);
    stop_server(&server);
}

static void a_server_that_goes_away_is_an_event_and_an_end(void) {
    struct server server = start_server();
    inbox box = inbox_of(open_client(0));
    moorline_room_options options = room_options(server.url, "short");
    options.deadline_ms = 500;
    uint64_t room = join_with(box.client, 0, &options), request = 0;
    wait_for_event(&box, MOORLINE_EVENT_ROOM_JOINED, room, 10000);
    stop_server(&server);
    wait_for_event(&box, MOORLINE_EVENT_ROOM_CONNECTION_LOST, room, 5000);
    CHECK_STATUS(wait_for_event(&box, MOORLINE_EVENT_ROOM_DISCONNECTED, room, 5000)->status, MOORLINE_E_UNREACHABLE);
    CHECK_STATUS(moorline_room_send(box.client, room, NULL, NULL, 0, &request, NULL), MOORLINE_E_CLOSED);
    close_client(&box);
}

static const struct test TESTS[] = {
    TEST(an_item_is_shared_found_and_fetched_with_progress, 120),
    TEST(another_share_shows_up_as_an_offer, 40),
    TEST(participants_talk_in_order_and_to_whom_they_mean, 30),
    TEST(calls_are_answered_and_refused, 40),
    TEST(what_participants_say_of_themselves_is_in_the_snapshot, 40),
    TEST(nodes_in_one_room_meet, 60),
    TEST(a_server_that_goes_away_is_an_event_and_an_end, 40),
};
MAIN(TESTS)
