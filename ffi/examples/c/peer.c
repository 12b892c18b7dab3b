// A peer in one file. Arguments: NAME SHARE_FOLDER PEER_ADDR_OR_- ITEM_OR_- INTO ROOM_URL ROOM
#include <moorline.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define BYTES(text) (const uint8_t *)(text), strlen(text)
#define TEXT(span) (int)(span).length, (const char *)(span).data
#define ON(kind) break; case MOORLINE_EVENT_##kind:
static uint64_t client, node, room, request, greeting;
static int has_answer, has_answered, ended;
static moorline_error error = {.struct_size = sizeof error};
static moorline_download_options what = {.struct_size = sizeof what, .wait_ms = 30000};
static moorline_room_options where = {.struct_size = sizeof where, .flags = MOORLINE_FLAG_READY};
static moorline_span text(const char *from) { return (moorline_span){BYTES(from)}; }
static void need(int fine, moorline_span why) { if (!fine) { printf("failed: %.*s\n", TEXT(why)); exit(1); } }
static void check(int32_t status) { need(status == MOORLINE_OK, text((const char *)error.message)); }
static void join(void) { check(moorline_room_join(client, node, &where, &room, &error)); }
static void greet(uint64_t other, const char *name) {
    if (!greeting) check(moorline_room_call(client, room, other, BYTES("greet"), BYTES(name), 60000, &greeting, &error));
}

static void react(const moorline_event *event, char **argv, const uint64_t *numbers, const moorline_span *spans) {
    char line[999] = "hello from ";
    switch (event->kind) {
    ON(NODE_STARTED) printf("listening %.*s\n", TEXT(spans[1]));
        if (strcmp(argv[3], "-")) check(moorline_node_add_peer(client, node, BYTES(argv[3]), &request, &error));
        if (strcmp(argv[4], "-")) check(moorline_node_download(client, node, &what, &request, &error)); else join();
    ON(DOWNLOAD_PROGRESS) if (numbers[1]) printf("progress %d\n", (int)(numbers[0] * 100 / numbers[1]));
    ON(DOWNLOAD_ENDED) need(!event->status, spans[1]); printf("fetched %.*s\n", TEXT(spans[1])); join();
    ON(ROOM_JOINED) strncat(line, argv[1], 900); check(moorline_room_send(client, room, NULL, BYTES(line), &request, &error));
    ON(ROOM_MESSAGE) printf("%llu says %.*s\n", (unsigned long long)numbers[0], TEXT(spans[0]));
    ON(ROOM_PARTICIPANT_JOINED) greet(numbers[0], argv[1]);
    ON(ROOM_CALL) snprintf(line, sizeof line, "%s greets %.*s", argv[1], TEXT(spans[0]));
        check(moorline_call_reply(client, event->request, BYTES(line), &error)); has_answered = 1; greet(numbers[0], argv[1]);
    ON(REQUEST_DONE) if (event->request == greeting) { need(!event->status, spans[0]); printf("answer %.*s\n", TEXT(spans[0])); has_answer = 1; }
    ON(ROOM_DISCONNECTED) need(event->status == MOORLINE_E_CLOSED, spans[0]); check(moorline_node_stop(client, node));
    ON(NODE_STOPPED) need(!event->status, spans[0]); ended = 1;
    }
    if (has_answer && has_answered) check(moorline_room_leave(client, room));
}

int main(int argc, char **argv) {
    need(argc == 8, text("NAME SHARE_FOLDER PEER_ADDR_OR_- ITEM_OR_- INTO ROOM_URL ROOM are needed"));
    moorline_init_options options = {.struct_size = sizeof options, .abi_version = MOORLINE_ABI_VERSION};
    moorline_node_options settings = {.struct_size = sizeof settings, .flags = MOORLINE_FLAG_READY | MOORLINE_FLAG_NO_MULTICAST,
                                      .listen = text("127.0.0.1:0"), .name = text(argv[1]), .share = &(moorline_span){BYTES(argv[2])}, .share_count = 1};
    what.item = text(argv[4]), what.into = text(argv[5]), where.url = text(argv[6]), where.room = text(argv[7]), where.name = text(argv[1]);
    check(moorline_init(&options, &client, &error));
    check(moorline_node_start(client, &settings, &node, &error));
    const moorline_event *events;
    for (uint32_t count; !ended; moorline_free(events)) {
        check(moorline_events_poll(client, 64, 60000, &events, &count));
        need(count > 0, text("nothing happened for a minute"));
        for (uint32_t at = 0; at < count; at++) react(&events[at], argv, events[at].numbers, events[at].spans);
        fflush(stdout);
    }
    check(moorline_dispose(client, 0, NULL, NULL, &error));
    puts("done");
}
