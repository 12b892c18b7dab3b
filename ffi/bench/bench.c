// What crossing the boundary costs. `bench MEASUREMENT` prints lines `figure NAME VALUE`; `cargo xtask bench ffi` runs it and judges.
//
// Linked with a release build that has test hooks: events need a source.

#include "moorline.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int32_t moorline_test_emit(uint64_t client, uint32_t kind, uint32_t count, uint32_t bytes);

enum {
    MOST_THREADS = 4,
    // How long each figure is measured.
    WINDOW_MS = 400,
    // Calls between two looks at the clock.
    BATCH = 1000,
    // A queue that holds what all threads emit at once.
    EVENTS = 1024,
    EVENT_BYTES = 32,
    // Requests that are under way at once, where there are several.
    UNDER_WAY = 64,
    MOST_SAMPLES = 100000,
};

static void must(int32_t status, const char *what)
{
    if (status == MOORLINE_OK) return;
    moorline_span name = {0};
    moorline_status_name(status, &name);
    fprintf(stderr, "%s: %.*s\n", what, (int)name.length, (const char *)name.data);
    exit(1);
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int by_value(const void *one, const void *other)
{
    double difference = *(const double *)one - *(const double *)other;
    return difference < 0 ? -1 : difference > 0;
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return values[count / 2];
}

static uint64_t open_client(uint32_t threads)
{
    moorline_init_options options = {
        .struct_size = sizeof options,
        .abi_version = MOORLINE_ABI_VERSION,
        .threads = threads,
        .event_capacity = 1 << 16,
    };
    uint64_t client = 0;
    must(moorline_init(&options, &client, NULL), "moorline_init");
    return client;
}

static uint64_t start_node(uint64_t client)
{
    moorline_node_options options = {
        .struct_size = sizeof options,
        .flags = MOORLINE_FLAG_READY | MOORLINE_FLAG_NO_MULTICAST,
        .listen = moorline_text("127.0.0.1:0"),
    };
    uint64_t node = 0;
    must(moorline_node_start(client, &options, &node, NULL), "moorline_node_start");
    return node;
}

static void close_client(uint64_t client)
{
    must(moorline_dispose(client, 0, NULL, NULL, NULL), "moorline_dispose");
}

// One thread of a measurement: calls `work`, which does `size` things, until the time is over.
struct worker {
    pthread_t thread;
    void (*work)(struct worker *);
    uint64_t client, handle;
    double size;
    // What one thing took, a sample for each call of `work`.
    double *samples;
    size_t count;
    double things;
};

static pthread_barrier_t start;

static void *run_worker(void *given)
{
    struct worker *worker = given;
    worker->work(worker);
    pthread_barrier_wait(&start);
    double begin = now_ns(), end = begin + WINDOW_MS * 1e6;
    for (double before = begin; before < end;) {
        worker->work(worker);
        double after = now_ns();
        worker->samples[worker->count++ % MOST_SAMPLES] = (after - before) / worker->size;
        worker->things += worker->size;
        before = after;
    }
    return NULL;
}

// Runs as many workers as there are threads; answers things a second, all together. `*each` is the median time of one thing in nanoseconds.
static double measure(struct worker *workers, int threads, double *each)
{
    double things = 0, *all = malloc(sizeof *all * MOST_SAMPLES * (size_t)threads);
    size_t count = 0;
    pthread_barrier_init(&start, NULL, (unsigned)threads);
    double begin = now_ns();
    for (int at = 0; at < threads; at++) {
        workers[at].samples = malloc(sizeof(double) * MOST_SAMPLES);
        pthread_create(&workers[at].thread, NULL, run_worker, &workers[at]);
    }
    for (int at = 0; at < threads; at++) {
        pthread_join(workers[at].thread, NULL);
        size_t kept = workers[at].count < MOST_SAMPLES ? workers[at].count : MOST_SAMPLES;
        memcpy(all + count, workers[at].samples, sizeof *all * kept);
        free(workers[at].samples);
        count += kept;
        things += workers[at].things;
    }
    double took = now_ns() - begin;
    pthread_barrier_destroy(&start);
    *each = median(all, count);
    free(all);
    return things / took * 1e9;
}

static void fail_on_stale_handle(struct worker *worker)
{
    for (int call = 0; call < BATCH; call++) {
        if (moorline_node_stop(worker->client, worker->handle) != MOORLINE_E_BAD_HANDLE) must(MOORLINE_E_INTERNAL, "stale handle");
    }
}

static void ask_for_kind(struct worker *worker)
{
    uint32_t kind = 0;
    for (int call = 0; call < BATCH; call++) must(moorline_kind(worker->client, worker->handle, &kind), "moorline_kind");
}

static void pass_events(struct worker *worker)
{
    must(moorline_test_emit(worker->client, MOORLINE_EVENT_LOG, EVENTS, EVENT_BYTES), "moorline_test_emit");
    // Another thread may take some of this one's events, and this one some of others'.
    for (uint32_t taken = 0; taken < EVENTS;) {
        const moorline_event *events = NULL;
        uint32_t count = 0;
        must(moorline_events_poll(worker->client, EVENTS - taken, MOORLINE_FOREVER, &events, &count), "moorline_events_poll");
        moorline_free(events);
        taken += count;
    }
}

// As many requests as the worker's size says, and then all of their completions.
static void request_and_wait(struct worker *worker)
{
    static const char address[] = "127.0.0.1:9";
    uint64_t request = 0;
    for (int at = 0; at < (int)worker->size; at++) {
        must(moorline_node_add_peer(worker->client, worker->handle, (const uint8_t *)address, strlen(address), &request, NULL),
             "moorline_node_add_peer");
    }
    for (int done = 0; done < (int)worker->size;) {
        const moorline_event *events = NULL;
        uint32_t count = 0;
        must(moorline_events_poll(worker->client, UNDER_WAY, MOORLINE_FOREVER, &events, &count), "moorline_events_poll");
        for (uint32_t at = 0; at < count; at++) {
            if (events[at].kind != MOORLINE_EVENT_REQUEST_DONE) continue;
            must(events[at].status, "the request");
            done++;
        }
        moorline_free(events);
    }
}

// With 1, 2 and 4 threads on one client: what one call takes, and how much more two threads do than one.
static void calls(const char *name, void (*work)(struct worker *))
{
    uint64_t client = open_client(1), node = start_node(client);
    if (work == fail_on_stale_handle) must(moorline_drop(client, node), "moorline_drop");
    double rates[MOST_THREADS + 1] = {0};
    for (int threads = 1; threads <= MOST_THREADS; threads *= 2) {
        struct worker workers[MOST_THREADS] = {0};
        for (int at = 0; at < threads; at++) {
            workers[at] = (struct worker){.work = work, .client = client, .handle = node, .size = BATCH};
        }
        double each = 0;
        rates[threads] = measure(workers, threads, &each);
        printf("figure %s.%d %.2f\n", name, threads, each);
    }
    printf("figure %s.scaling %.3f\n", name, rates[2] / rates[1]);
    close_client(client);
}

static void events(void)
{
    for (int threads = 1; threads <= MOST_THREADS; threads *= 2) {
        uint64_t client = open_client(1);
        struct worker workers[MOST_THREADS] = {0};
        for (int at = 0; at < threads; at++) {
            workers[at] = (struct worker){.work = pass_events, .client = client, .size = EVENTS};
        }
        double each = 0;
        printf("figure events.%d %.3f\n", threads, measure(workers, threads, &each) / 1e6);
        close_client(client);
    }
}

// Each thread has a client of its own: it waits for its own events only.
static void requests_under_way(const char *name, double size, int threads)
{
    struct worker workers[MOST_THREADS] = {0};
    for (int at = 0; at < threads; at++) {
        uint64_t client = open_client(1);
        workers[at] = (struct worker){.work = request_and_wait, .client = client, .handle = start_node(client), .size = size};
    }
    double each = 0;
    measure(workers, threads, &each);
    printf("figure %s.%d %.2f\n", name, threads, each / 1e3);
    for (int at = 0; at < threads; at++) close_client(workers[at].client);
}

static void requests(void)
{
    for (int threads = 1; threads <= MOST_THREADS; threads *= 2) requests_under_way("request", 1, threads);
    requests_under_way("request.many", UNDER_WAY, 1);
}

static void beginnings(void)
{
    enum { TIMES = 21 };
    double init[TIMES], dispose[TIMES];
    for (int at = 0; at < TIMES; at++) {
        double begin = now_ns();
        uint64_t client = open_client(0);
        double made = now_ns();
        close_client(client);
        init[at] = (made - begin) / 1e6;
        dispose[at] = (now_ns() - made) / 1e6;
    }
    // The first one also sets up what the process keeps.
    printf("figure init.first %.3f\n", init[0]);
    printf("figure init %.3f\n", median(init, TIMES));
    printf("figure dispose %.3f\n", median(dispose, TIMES));
}

int main(int count, char **arguments)
{
    const char *name = count > 1 ? arguments[1] : "";
    if (!strcmp(name, "stale")) {
        calls(name, fail_on_stale_handle);
    } else if (!strcmp(name, "kind")) {
        calls(name, ask_for_kind);
    } else if (!strcmp(name, "events")) {
        events();
    } else if (!strcmp(name, "requests")) {
        requests();
    } else if (!strcmp(name, "init")) {
        beginnings();
    } else {
        fprintf(stderr, "stale, kind, events, requests or init\n");
        return 2;
    }
    return 0;
}
