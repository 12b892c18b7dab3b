// Run: valgrind=spans_in_structs_are_checked,counts_are_checked_before_lists_are_read,sizes_of_structs_are_checked asan deadline=60
// Pointers, lengths, texts and structs that are wrong: each is an error value with a message that says so.

#include "calls.h"

#include <stddef.h>
#include <sys/mman.h>

static const uint8_t NOT_UTF8[] = {'a', 0xff, 0xfe, 'b'};

// A client with a node and a room that stay as they are.
struct target {
    inbox box;
    struct port port;
    uint64_t node, room;
};

static struct target open_target(void) {
    struct target target;
    target.port = silent_port();
    target.box = inbox_of(open_client(0));
    target.node = start_node(target.box.client);
    target.room = join_room(target.box.client, target.port.url, "target");
    return target;
}

static void close_target(struct target *target) {
    CHECK_EQUAL(kind_of(target->box.client, target->node), MOORLINE_KIND_NODE);
    CHECK_EQUAL(kind_of(target->box.client, target->room), MOORLINE_KIND_ROOM);
    close_client(&target->box);
    close(target->port.socket);
}

// The answer, and the error that goes with it.
static void is_refused(const char *what, int32_t status, int32_t expected, const moorline_error *error) {
    check_status(__FILE__, __LINE__, what, status, expected);
    if (error->status != status || error->length == 0 || strlen((const char *)error->message) != error->length) {
        check_failed(__FILE__, __LINE__, what);
    }
}

struct wrong_span {
    moorline_span span;
    int32_t text, payload;
};

static const struct wrong_span WRONG_SPANS[] = {
    {{NULL, 1}, MOORLINE_E_NULL, MOORLINE_E_NULL},
    {{NULL, 4096}, MOORLINE_E_NULL, MOORLINE_E_NULL},
    {{NULL, UINT64_MAX}, MOORLINE_E_TOO_LARGE, MOORLINE_E_TOO_LARGE},
    {{NOT_UTF8, UINT64_MAX}, MOORLINE_E_TOO_LARGE, MOORLINE_E_TOO_LARGE},
    {{NOT_UTF8, UINT64_MAX - 7}, MOORLINE_E_TOO_LARGE, MOORLINE_E_TOO_LARGE},
    {{NOT_UTF8, 1ULL << 63}, MOORLINE_E_TOO_LARGE, MOORLINE_E_TOO_LARGE},
    {{NOT_UTF8, INT64_MAX}, MOORLINE_E_TOO_LARGE, MOORLINE_E_TOO_LARGE},
    {{NOT_UTF8, 1ULL << 32}, MOORLINE_E_TOO_LARGE, MOORLINE_E_TOO_LARGE},
    {{NOT_UTF8, sizeof NOT_UTF8}, MOORLINE_E_INVALID_UTF8, MOORLINE_OK},
};

#define EACH_WRONG_SPAN(wrong)                                                                                         \
    for (const struct wrong_span *wrong = WRONG_SPANS; wrong < WRONG_SPANS + sizeof WRONG_SPANS / sizeof *WRONG_SPANS; \
         wrong++)

// Those arguments that are a pointer and a length.
static void spans_in_arguments_are_checked(void) {
    struct target target = open_target();
    uint64_t client = target.box.client, request;
    EACH_WRONG_SPAN (wrong) {
        const uint8_t *data = wrong->span.data;
        uint64_t length = wrong->span.length;
        moorline_error error = empty_error();
        is_refused("path", moorline_node_share(client, target.node, data, length, 0, &request, &error), wrong->text,
                   &error);
        error = empty_error();
        is_refused("address", moorline_node_add_peer(client, target.node, data, length, &request, &error), wrong->text,
                   &error);
        error = empty_error();
        int32_t status = moorline_room_call(client, target.room, 1, data, length, NULL, 0, 100, &request, &error);
        is_refused("method", status, wrong->text, &error);
        if (wrong->payload != MOORLINE_OK) {
            error = empty_error();
            status =
                moorline_room_call(client, target.room, 1, bytes("method"), 6, data, length, 100, &request, &error);
            is_refused("payload of a call", status, wrong->payload, &error);
            error = empty_error();
            is_refused("payload", moorline_room_send(client, target.room, NULL, data, length, &request, &error),
                       wrong->payload, &error);
            error = empty_error();
            is_refused("payload of a reply", moorline_call_reply(client, target.room, data, length, &error),
                       wrong->payload, &error);
        }
        error = empty_error();
        status = moorline_call_reject(client, target.room, MOORLINE_REJECT_FAILED, data, length, &error);
        is_refused("message", status, wrong->text, &error);
    }
    close_target(&target);
}

// Puts every wrong span at one place in a struct, and calls.
static void spans_at(void *options, size_t size, size_t offset,
                     int32_t (*call)(struct target *, void *, moorline_error *), struct target *target) {
    char *copy = (char *)malloc(size), what[64];
    CHECK(copy);
    snprintf(what, sizeof what, "the span at offset %zu of %zu", offset, size);
    EACH_WRONG_SPAN (wrong) {
        moorline_error error = empty_error();
        memcpy(copy, options, size);
        memcpy(copy + offset, &wrong->span, sizeof wrong->span);
        is_refused(what, call(target, copy, &error), wrong->text, &error);
    }
    free(copy);
}

static int32_t try_node(struct target *target, void *options, moorline_error *error) {
    uint64_t node;
    return moorline_node_start(target->box.client, (const moorline_node_options *)options, &node, error);
}
static int32_t try_download(struct target *target, void *options, moorline_error *error) {
    uint64_t download;
    return moorline_node_download(target->box.client, target->node, (const moorline_download_options *)options,
                                  &download, error);
}
static int32_t try_room(struct target *target, void *options, moorline_error *error) {
    uint64_t room;
    return moorline_room_join(target->box.client, 0, (const moorline_room_options *)options, &room, error);
}
static int32_t try_send(struct target *target, void *options, moorline_error *error) {
    uint64_t request;
    return moorline_room_send(target->box.client, target->room, (const moorline_send_options *)options, bytes("x"), 1,
                              &request, error);
}
static int32_t try_update(struct target *target, void *options, moorline_error *error) {
    uint64_t request;
    return moorline_room_update(target->box.client, target->room, (const moorline_update_options *)options, &request,
                                error);
}
static int32_t try_init(struct target *target, void *options, moorline_error *error) {
    uint64_t client;
    (void)target;
    return moorline_init((const moorline_init_options *)options, &client, error);
}

static moorline_send_options send_options(void) {
    moorline_send_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    return options;
}

static moorline_update_options update_options(void) {
    moorline_update_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    return options;
}

static void spans_in_structs_are_checked(void) {
    struct target target = open_target();
    moorline_node_options node = node_options();
    size_t in_node[] = {offsetof(moorline_node_options, listen), offsetof(moorline_node_options, name),
                        offsetof(moorline_node_options, identity), offsetof(moorline_node_options, cache),
                        offsetof(moorline_node_options, passphrase)};
    for (size_t at = 0; at < 5; at++) spans_at(&node, sizeof node, in_node[at], try_node, &target);
    moorline_download_options download = download_options("item", "/nowhere");
    size_t in_download[] = {offsetof(moorline_download_options, item), offsetof(moorline_download_options, into),
                            offsetof(moorline_download_options, name), offsetof(moorline_download_options, from)};
    for (size_t at = 0; at < 4; at++) spans_at(&download, sizeof download, in_download[at], try_download, &target);
    moorline_room_options room = room_options(target.port.url, "room");
    size_t in_room[] = {offsetof(moorline_room_options, url),      offsetof(moorline_room_options, room),
                        offsetof(moorline_room_options, token),    offsetof(moorline_room_options, name),
                        offsetof(moorline_room_options, identity), offsetof(moorline_room_options, metadata)};
    for (size_t at = 0; at < 6; at++) spans_at(&room, sizeof room, in_room[at], try_room, &target);
    moorline_send_options send = send_options();
    spans_at(&send, sizeof send, offsetof(moorline_send_options, topic), try_send, &target);
    moorline_update_options update = update_options();
    spans_at(&update, sizeof update, offsetof(moorline_update_options, name), try_update, &target);
    spans_at(&update, sizeof update, offsetof(moorline_update_options, metadata), try_update, &target);
    close_target(&target);
}

static void spans_in_lists_are_checked(void) {
    struct target target = open_target();
    EACH_WRONG_SPAN (wrong) {
        moorline_span good[] = {text("key"), text("value")}, bad[] = {text("key"), wrong->span};
        moorline_span *lists[] = {bad, good, bad};
        for (int at = 0; at < 3; at++) {
            moorline_error error = empty_error();
            moorline_node_options node = node_options();
            if (at == 0) node.share = bad, node.share_count = 2;
            if (at == 1) node.allow = bad, node.allow_count = 2;
            if (at == 2) node.peers = bad, node.peer_count = 2;
            is_refused("a list of a node", try_node(&target, &node, &error), wrong->text, &error);
            if (at == 2) break;
            error = empty_error();
            moorline_update_options update = update_options();
            update.keys = lists[at], update.values = lists[at + 1], update.attribute_count = 2;
            is_refused("attributes", try_update(&target, &update, &error), wrong->text, &error);
        }
    }
    close_target(&target);
}

// The list ends where memory ends: a count that is too large must be refused before anything is read.
static void counts_are_checked_before_lists_are_read(void) {
    struct target target = open_target();
    long page = sysconf(_SC_PAGESIZE);
    char *memory = (char *)mmap(NULL, 2 * (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED && mprotect(memory + page, (size_t)page, PROT_NONE) == 0);
    moorline_span *last = (moorline_span *)(memory + page) - 1;
    *last = text("127.0.0.1:9");
    uint32_t counts[] = {UINT32_MAX, UINT32_MAX - 1, 1u << 31, 1000000};
    for (size_t at = 0; at < sizeof counts / sizeof *counts; at++) {
        for (int null = 0; null < 2; null++) {
            const moorline_span *list = null ? NULL : last;
            moorline_node_options node = node_options();
            moorline_error error = empty_error();
            node.peers = list, node.peer_count = counts[at];
            is_refused("too many peers", try_node(&target, &node, &error), MOORLINE_E_TOO_LARGE, &error);
            node = node_options(), error = empty_error();
            node.share = list, node.share_count = counts[at];
            is_refused("too many shares", try_node(&target, &node, &error), MOORLINE_E_TOO_LARGE, &error);
            moorline_update_options update = update_options();
            error = empty_error();
            update.keys = update.values = list, update.attribute_count = counts[at];
            is_refused("too many attributes", try_update(&target, &update, &error), MOORLINE_E_TOO_LARGE, &error);
            moorline_send_options send = send_options();
            error = empty_error();
            send.to = (const uint64_t *)list, send.to_count = counts[at];
            is_refused("too many receivers", try_send(&target, &send, &error), MOORLINE_E_TOO_LARGE, &error);
        }
    }
    moorline_node_options node = node_options();
    moorline_error error = empty_error();
    node.allow_count = 1;
    is_refused("a list that is null", try_node(&target, &node, &error), MOORLINE_E_NULL, &error);
    munmap(memory, 2 * (size_t)page);
    close_target(&target);
}

struct sized {
    const char *name;
    void *options;
    size_t size;
    int32_t (*call)(struct target *, void *, moorline_error *);
};

static void sizes_of_structs_are_checked(void) {
    struct target target = open_target();
    moorline_init_options init = init_options();
    moorline_node_options node = node_options();
    moorline_download_options download = download_options("item", "/nowhere");
    moorline_room_options room = room_options(target.port.url, "room");
    moorline_send_options send = send_options();
    moorline_update_options update = update_options();
    struct sized structs[] = {
        {"init", &init, sizeof init, try_init},
        {"node", &node, sizeof node, try_node},
        {"download", &download, sizeof download, try_download},
        {"room", &room, sizeof room, try_room},
        {"send", &send, sizeof send, try_send},
        {"update", &update, sizeof update, try_update},
    };
    for (size_t at = 0; at < sizeof structs / sizeof *structs; at++) {
        const struct sized *given = &structs[at];
        uint32_t exact = (uint32_t)given->size,
                 wrong[] = {0, 1, 4, exact - 1, exact + 1, exact + 8, UINT32_MAX, 1u << 31, 1u << 20};
        // A newer struct, with something in a field that this library cannot know.
        uint8_t *longer = (uint8_t *)malloc(given->size + 64);
        CHECK(longer);
        memset(longer, 0xaa, given->size + 64);
        memcpy(longer, given->options, given->size);
        for (size_t which = 0; which < sizeof wrong / sizeof *wrong; which++) {
            moorline_error error = empty_error();
            memcpy(longer, &wrong[which], sizeof(uint32_t));
            is_refused(given->name, given->call(&target, longer, &error), MOORLINE_E_STRUCT_SIZE, &error);
        }
        moorline_error error = empty_error();
        if (given->call != try_send)
            is_refused(given->name, given->call(&target, NULL, &error), MOORLINE_E_NULL, &error);
        error = empty_error();
        is_refused(given->name, given->call(&target, longer + 1, &error), MOORLINE_E_INVALID_ARGUMENT, &error);
        free(longer);
    }
    close_target(&target);
}

// A newer struct whose new fields are not used is as good as one of this version.
static void a_longer_struct_with_nothing_new_in_it_is_taken(void) {
    struct target target = open_target();
    struct {
        moorline_node_options options;
        uint64_t later[4];
    } newer;
    memset(&newer, 0, sizeof newer);
    newer.options = node_options();
    newer.options.struct_size = sizeof newer;
    moorline_error error = empty_error();
    CHECK_OK(try_node(&target, &newer, &error));
    close_target(&target);
}

static void an_error_of_any_size_is_filled_as_far_as_it_goes(void) {
    uint64_t client = open_client(0), request;
    uint32_t sizes[] = {0, 1, 4, 15, 16, 17, 20, 100, sizeof(moorline_error), UINT32_MAX};
    for (size_t at = 0; at < sizeof sizes / sizeof *sizes; at++) {
        uint8_t raw[sizeof(moorline_error) + 16], *end = raw + sizeof raw;
        moorline_error *error = (moorline_error *)(void *)(raw + (-(uintptr_t)raw & 7));
        memset(raw, 0xaa, sizeof raw);
        error->struct_size = sizes[at];
        CHECK_STATUS(moorline_node_add_peer(client, 0, NULL, 0, &request, error), MOORLINE_E_BAD_HANDLE);
        uint8_t *first_untouched =
            (uint8_t *)error + (sizes[at] < sizeof *error ? (sizes[at] < 4 ? 4 : sizes[at]) : sizeof *error);
        while (first_untouched < end) CHECK_EQUAL(*first_untouched++, 0xaa);
        if (sizes[at] < 100) continue;
        CHECK_EQUAL(error->status, MOORLINE_E_BAD_HANDLE);
        CHECK(error->length > 0 && error->message[error->length] == 0);
    }
    CHECK_STATUS(moorline_node_add_peer(client, 0, NULL, 0, &request, NULL), MOORLINE_E_BAD_HANDLE);
    CHECK_OK(moorline_dispose(client, 0, NULL, NULL, NULL));
}

static const struct test TESTS[] = {
    TEST(spans_in_arguments_are_checked, 20),
    TEST(spans_in_structs_are_checked, 20),
    TEST(spans_in_lists_are_checked, 20),
    TEST(counts_are_checked_before_lists_are_read, 20),
    TEST(sizes_of_structs_are_checked, 20),
    TEST(a_longer_struct_with_nothing_new_in_it_is_taken, 20),
    TEST(an_error_of_any_size_is_filled_as_far_as_it_goes, 20),
};
MAIN(TESTS)
