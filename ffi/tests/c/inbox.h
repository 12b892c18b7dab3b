// Clients of the library, and an inbox for their events: whoever waits for one leaves the others for later waits. One
// thread an inbox.

#ifndef MOORLINE_INBOX_H
#define MOORLINE_INBOX_H

#include "check.h"
#include "moorline.h"
#include "moorline_test.h"

#define CHECK_STATUS(call, expected) check_status(__FILE__, __LINE__, #call, call, expected)
#define CHECK_OK(call) CHECK_STATUS(call, MOORLINE_OK)

static inline moorline_span text(const char *from) {
    moorline_span span = {(const uint8_t *)from, from ? strlen(from) : 0};
    return span;
}

static inline int span_width(moorline_span span) { return (int)(span.length < 400 ? span.length : 400); }

static inline void check_status(const char *file, int line, const char *what, int32_t status, int32_t expected) {
    char line_text[512];
    if (status == expected) return;
    moorline_span name = {NULL, 0}, wanted = {NULL, 0};
    moorline_status_name(status, &name);
    moorline_status_name(expected, &wanted);
    snprintf(line_text, sizeof line_text, "%s answers %d %.*s, not %d %.*s", what, status, span_width(name),
             (const char *)name.data, expected, span_width(wanted), (const char *)wanted.data);
    check_failed(file, line, line_text);
}

static inline bool span_is(moorline_span span, const char *expected) {
    return span.length == strlen(expected) && (span.length == 0 || memcmp(span.data, expected, span.length) == 0);
}

// A copy that ends with a zero. The caller frees it.
static inline char *copy_of(moorline_span span) {
    char *copy = (char *)malloc(span.length + 1);
    CHECK(copy);
    memcpy(copy, span.length ? (const void *)span.data : "", span.length);
    copy[span.length] = 0;
    return copy;
}

static inline moorline_error empty_error(void) {
    moorline_error error;
    memset(&error, 0, sizeof error);
    error.struct_size = sizeof error;
    return error;
}

static inline moorline_init_options init_options(void) {
    moorline_init_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.abi_version = MOORLINE_ABI_VERSION;
    return options;
}

// A client with this many events in its queue (0: the default).
static inline uint64_t open_client(uint32_t event_capacity) {
    uint64_t client = 0;
    moorline_error error = empty_error();
    moorline_init_options options = init_options();
    options.event_capacity = event_capacity;
    if (moorline_init(&options, &client, &error) != MOORLINE_OK)
        check_failed(__FILE__, __LINE__, (char *)error.message);
    CHECK(client != 0);
    return client;
}

struct letter {
    const moorline_event *event;
    // What to free, if this is the first event of a block.
    const moorline_event *block;
    bool taken;
};

typedef struct inbox {
    uint64_t client;
    struct letter *letters;
    size_t count, capacity;
} inbox;

static inline inbox inbox_of(uint64_t client) {
    inbox box = {client, NULL, 0, 0};
    return box;
}

static inline void inbox_put(inbox *box, const moorline_event *block, uint32_t count) {
    for (uint32_t at = 0; at < count; at++) {
        if (box->count == box->capacity) {
            box->capacity = box->capacity ? box->capacity * 2 : 64;
            box->letters = (struct letter *)realloc(box->letters, box->capacity * sizeof *box->letters);
            CHECK(box->letters);
        }
        struct letter letter = {&block[at], at == 0 ? block : NULL, false};
        box->letters[box->count++] = letter;
    }
}

// Waits up to `ms` for more events. False if none came.
static inline bool inbox_fill(inbox *box, int64_t ms) {
    const moorline_event *block = NULL;
    uint32_t count = 0;
    CHECK_OK(moorline_events_poll(box->client, 256, ms < 0 ? 0 : (uint32_t)ms, &block, &count));
    CHECK((block == NULL) == (count == 0));
    inbox_put(box, block, count);
    return count > 0;
}

// Which events are meant: 0 means any.
typedef struct wanted {
    uint32_t kind;
    uint64_t handle, request;
} wanted;

static inline bool is_wanted(const moorline_event *event, wanted what) {
    return (what.kind == 0 || event->kind == what.kind) && (what.handle == 0 || event->handle == what.handle) &&
           (what.request == 0 || event->request == what.request);
}

// The first such event that came and was not taken yet.
static inline const moorline_event *inbox_take(inbox *box, wanted what) {
    for (size_t at = 0; at < box->count; at++) {
        struct letter *letter = &box->letters[at];
        if (letter->taken || !is_wanted(letter->event, what)) continue;
        letter->taken = true;
        return letter->event;
    }
    return NULL;
}

// How many such events came so far, taken or not.
static inline unsigned inbox_count(const inbox *box, wanted what) {
    unsigned count = 0;
    for (size_t at = 0; at < box->count; at++) count += is_wanted(box->letters[at].event, what);
    return count;
}

// Waits for such an event. NULL if none comes within `ms`.
static inline const moorline_event *inbox_await(inbox *box, wanted what, int64_t ms) {
    int64_t end = now_ms() + within_ms(ms);
    for (;;) {
        const moorline_event *event = inbox_take(box, what);
        if (event || (!inbox_fill(box, end - now_ms()) && now_ms() >= end)) return event;
    }
}

static inline const moorline_event *wait_for_event(inbox *box, uint32_t kind, uint64_t handle, int64_t ms) {
    wanted what = {kind, handle, 0};
    const moorline_event *event = inbox_await(box, what, ms);
    if (event) return event;
    fprintf(stderr, "    no event %u of handle %#llx within %lld ms; instead:", kind, (unsigned long long)handle,
            (long long)ms);
    for (size_t at = 0; at < box->count; at++) {
        const moorline_event *other = box->letters[at].event;
        fprintf(stderr, " %u", other->kind);
        if (other->status)
            fprintf(stderr, " (%d: %.*s)", other->status, span_width(other->spans[0]),
                    (const char *)other->spans[0].data);
    }
    fprintf(stderr, "\n");
    check_failed(__FILE__, __LINE__, "an event did not come in time");
}

// Waits until a request is done, and returns how.
static inline const moorline_event *wait_for_request(inbox *box, uint64_t request, int64_t ms) {
    wanted what = {MOORLINE_EVENT_REQUEST_DONE, 0, request};
    const moorline_event *event = inbox_await(box, what, ms);
    if (!event) check_failed(__FILE__, __LINE__, "a request was not done in time");
    return event;
}

static inline void inbox_free(inbox *box) {
    for (size_t at = 0; at < box->count; at++) {
        if (box->letters[at].block) CHECK_OK(moorline_free(box->letters[at].block));
    }
    free(box->letters);
    box->letters = NULL;
    box->count = box->capacity = 0;
}

// Disposes of the client in time, and puts the rest of its events into the box.
static inline void dispose_into(inbox *box) {
    const moorline_event *rest = NULL;
    uint32_t count = 0;
    moorline_error error = empty_error();
    int32_t status = moorline_dispose(box->client, (uint32_t)within_ms(10000), &rest, &count, &error);
    if (status != MOORLINE_OK) check_failed(__FILE__, __LINE__, (const char *)error.message);
    CHECK(count > 0);
    CHECK_EQUAL(rest[count - 1].kind, MOORLINE_EVENT_CLIENT_CLOSED);
    CHECK_EQUAL(rest[count - 1].status, MOORLINE_OK);
    inbox_put(box, rest, count);
}

static inline void close_client(inbox *box) {
    dispose_into(box);
    inbox_free(box);
}

#endif
