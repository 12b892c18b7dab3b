// Every function of the library as one shape: valid arguments everywhere, but for the handles that are given.

#ifndef MOORLINE_CALLS_H
#define MOORLINE_CALLS_H

#include "scene.h"

enum {
    TAKES_NOTHING = 0,
    TAKES_NODE = 1 << MOORLINE_KIND_NODE,
    TAKES_ROOM = 1 << MOORLINE_KIND_ROOM,
    TAKES_DOWNLOAD = 1 << MOORLINE_KIND_DOWNLOAD,
    TAKES_REQUEST = 1 << MOORLINE_KIND_REQUEST,
    TAKES_CALL = 1 << MOORLINE_KIND_CALL,
    TAKES_ANY = TAKES_NODE | TAKES_ROOM | TAKES_DOWNLOAD | TAKES_REQUEST | TAKES_CALL,
};

struct function {
    const char *name;
    int32_t (*call)(uint64_t client, uint64_t subject);
    // The kinds of handles that `subject` may be of.
    unsigned takes;
    // Whether its first argument is a client.
    bool of_client;
};

static inline const uint8_t *bytes(const char *from) { return (const uint8_t *)from; }

// No memory is allocated here: these run in children of processes whose other threads may have held the heap's lock.
static inline int32_t freed(int32_t status, const moorline_event **events) {
    if (status == MOORLINE_OK) moorline_free(*events);
    return status;
}

#define IGNORE ((void)client, (void)subject)

static int32_t call_abi_version(uint64_t client, uint64_t subject) {
    uint32_t version;
    IGNORE;
    return moorline_abi_version(&version);
}
static int32_t call_version(uint64_t client, uint64_t subject) {
    moorline_span version;
    IGNORE;
    return moorline_version(&version);
}
static int32_t call_status_name(uint64_t client, uint64_t subject) {
    moorline_span name;
    IGNORE;
    return moorline_status_name(MOORLINE_E_FORKED, &name);
}
static int32_t call_init(uint64_t client, uint64_t subject) {
    uint64_t fresh = 0;
    moorline_init_options options = init_options();
    IGNORE;
    int32_t status = moorline_init(&options, &fresh, NULL);
    return status == MOORLINE_OK ? moorline_dispose(fresh, 10000, NULL, NULL, NULL) : status;
}
static int32_t call_dispose(uint64_t client, uint64_t subject) {
    (void)subject;
    return moorline_dispose(client, 10000, NULL, NULL, NULL);
}
static int32_t call_free(uint64_t client, uint64_t subject) {
    IGNORE;
    return moorline_free(NULL);
}
static int32_t call_kind(uint64_t client, uint64_t subject) {
    uint32_t kind;
    return moorline_kind(client, subject, &kind);
}
static int32_t call_events_poll(uint64_t client, uint64_t subject) {
    const moorline_event *events = NULL;
    uint32_t count;
    (void)subject;
    return freed(moorline_events_poll(client, 1, 0, &events, &count), &events);
}
static int32_t call_events_fd(uint64_t client, uint64_t subject) {
    int32_t descriptor;
    (void)subject;
    return moorline_events_fd(client, &descriptor);
}
static int32_t call_events_callback(uint64_t client, uint64_t subject) {
    (void)subject;
    return moorline_events_callback(client, NULL, NULL);
}
static int32_t call_node_start(uint64_t client, uint64_t subject) {
    uint64_t node;
    moorline_node_options options = node_options();
    (void)subject;
    int32_t status = moorline_node_start(client, &options, &node, NULL);
    return status == MOORLINE_OK ? moorline_drop(client, node) : status;
}
static int32_t call_node_share(uint64_t client, uint64_t subject) {
    uint64_t request;
    return moorline_node_share(client, subject, bytes("/"), 1, 0, &request, NULL);
}
static int32_t call_node_add_peer(uint64_t client, uint64_t subject) {
    uint64_t request;
    return moorline_node_add_peer(client, subject, bytes("127.0.0.1:9"), 11, &request, NULL);
}
static int32_t call_node_download(uint64_t client, uint64_t subject) {
    uint64_t download;
    moorline_download_options options = download_options("nothing of that name", "/nowhere");
    int32_t status = moorline_node_download(client, subject, &options, &download, NULL);
    return status == MOORLINE_OK ? moorline_drop(client, download) : status;
}
static int32_t call_room_join(uint64_t client, uint64_t subject) {
    uint64_t room;
    moorline_room_options options = room_options("ws://127.0.0.1:9", "nowhere");
    int32_t status = moorline_room_join(client, subject, &options, &room, NULL);
    return status == MOORLINE_OK ? moorline_drop(client, room) : status;
}
static int32_t call_room_send(uint64_t client, uint64_t subject) {
    uint64_t request;
    return moorline_room_send(client, subject, NULL, bytes("hello"), 5, &request, NULL);
}
static int32_t call_room_call(uint64_t client, uint64_t subject) {
    uint64_t request;
    return moorline_room_call(client, subject, 1, bytes("greet"), 5, bytes("hello"), 5, 1000, &request, NULL);
}
static int32_t call_room_update(uint64_t client, uint64_t subject) {
    uint64_t request;
    moorline_update_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.metadata = text("busy");
    return moorline_room_update(client, subject, &options, &request, NULL);
}
static int32_t call_room_hint(uint64_t client, uint64_t subject) {
    return moorline_room_hint(client, subject, MOORLINE_HINT_ONLINE);
}
static int32_t call_call_reply(uint64_t client, uint64_t subject) {
    return moorline_call_reply(client, subject, bytes("yes"), 3, NULL);
}
static int32_t call_call_reject(uint64_t client, uint64_t subject) {
    return moorline_call_reject(client, subject, MOORLINE_REJECT_FAILED, bytes("no"), 2, NULL);
}

// Those that fill in a block of records.
#define SNAPSHOT(name)                                                              \
    static int32_t call_##name(uint64_t client, uint64_t subject) {                 \
        const moorline_event *records = NULL;                                       \
        uint32_t count;                                                             \
        return freed(moorline_##name(client, subject, &records, &count), &records); \
    }
SNAPSHOT(node_info)
SNAPSHOT(node_peers)
SNAPSHOT(node_offers)
SNAPSHOT(node_items)
SNAPSHOT(download_info)
SNAPSHOT(room_info)
SNAPSHOT(room_participants)

static const struct function FUNCTIONS[] = {
    {"abi_version", call_abi_version, TAKES_NOTHING, false},
    {"version", call_version, TAKES_NOTHING, false},
    {"status_name", call_status_name, TAKES_NOTHING, false},
    {"init", call_init, TAKES_NOTHING, false},
    {"free", call_free, TAKES_NOTHING, false},
    {"kind", call_kind, TAKES_ANY, true},
    {"events_poll", call_events_poll, TAKES_NOTHING, true},
    {"events_fd", call_events_fd, TAKES_NOTHING, true},
    {"events_callback", call_events_callback, TAKES_NOTHING, true},
    {"node_start", call_node_start, TAKES_NOTHING, true},
    {"node_info", call_node_info, TAKES_NODE, true},
    {"node_peers", call_node_peers, TAKES_NODE, true},
    {"node_offers", call_node_offers, TAKES_NODE, true},
    {"node_items", call_node_items, TAKES_NODE, true},
    {"node_share", call_node_share, TAKES_NODE, true},
    {"node_add_peer", call_node_add_peer, TAKES_NODE, true},
    {"node_download", call_node_download, TAKES_NODE, true},
    {"download_info", call_download_info, TAKES_DOWNLOAD, true},
    {"room_join", call_room_join, TAKES_NODE, true},
    {"room_info", call_room_info, TAKES_ROOM, true},
    {"room_participants", call_room_participants, TAKES_ROOM, true},
    {"room_send", call_room_send, TAKES_ROOM, true},
    {"room_call", call_room_call, TAKES_ROOM, true},
    {"room_update", call_room_update, TAKES_ROOM, true},
    {"room_hint", call_room_hint, TAKES_ROOM, true},
    {"call_reply", call_call_reply, TAKES_CALL, true},
    {"call_reject", call_call_reject, TAKES_CALL, true},
    {"ready", moorline_ready, TAKES_NODE | TAKES_ROOM, true},
    {"cancel", moorline_cancel, TAKES_REQUEST | TAKES_DOWNLOAD, true},
    {"room_leave", moorline_room_leave, TAKES_ROOM, true},
    {"node_stop", moorline_node_stop, TAKES_NODE, true},
    {"drop", moorline_drop, TAKES_NODE | TAKES_ROOM | TAKES_DOWNLOAD, true},
    {"dispose", call_dispose, TAKES_NOTHING, true},
};

#define FUNCTION_COUNT (sizeof FUNCTIONS / sizeof *FUNCTIONS)
_Static_assert(FUNCTION_COUNT == 33, "a function of moorline.h is missing here");

// Fails the test, naming the function.
static inline void expect(const struct function *function, const char *given, int32_t status, int32_t expected) {
    char what[128];
    snprintf(what, sizeof what, "moorline_%s given %s", function->name, given);
    check_status(__FILE__, __LINE__, what, status, expected);
}

#endif
