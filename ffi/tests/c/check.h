// A small harness: test functions, each in a process of its own with a deadline; checks that say where and what.
//
// `PROGRAM` runs every test and exits with 1 if one failed; `PROGRAM NAME...` runs those, in this process if it is one.
// MOORLINE_TEST_SLOW=N, for valgrind and sanitizers: deadlines are N times as long, and what is repeated is repeated N
// times less often.

#ifndef MOORLINE_CHECK_H
#define MOORLINE_CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Ends the test, unless the condition holds.
#define CHECK(condition)                                                \
    do {                                                                \
        if (!(condition)) check_failed(__FILE__, __LINE__, #condition); \
    } while (0)

// The same for numbers, which it shows.
#define CHECK_EQUAL(value, expected) check_equal(__FILE__, __LINE__, #value, (long long)(value), (long long)(expected))
#define CHECK_AT_MOST(value, bound) check_at_most(__FILE__, __LINE__, #value, (long long)(value), (long long)(bound))

__attribute__((noreturn)) static inline void check_failed(const char *file, int line, const char *what) {
    fprintf(stderr, "    %s:%d: %s\n", file, line, what);
    fflush(NULL);
    _exit(1);
}

static inline void check_equal(const char *file, int line, const char *what, long long value, long long expected) {
    char text[512];
    if (value == expected) return;
    snprintf(text, sizeof text, "%s is %lld, not %lld", what, value, expected);
    check_failed(file, line, text);
}

static inline void check_at_most(const char *file, int line, const char *what, long long value, long long bound) {
    char text[512];
    if (value <= bound) return;
    snprintf(text, sizeof text, "%s is %lld, above %lld", what, value, bound);
    check_failed(file, line, text);
}

// How much slower than usual this run is.
static inline unsigned slowness(void) {
    const char *given = getenv("MOORLINE_TEST_SLOW");
    int times = given ? atoi(given) : 1;
    return times < 1 ? 1 : (unsigned)times;
}

// `count`, or fewer where everything is slow.
static inline unsigned rounds(unsigned count) {
    unsigned fewer = count / slowness();
    return fewer < 2 ? 2 : fewer;
}

static inline int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t now_ms(void) { return now_us() / 1000; }

// A bound on a time in milliseconds, for this run.
static inline int64_t within_ms(int64_t ms) { return ms * slowness(); }

static inline void pause_us(unsigned us) {
    struct timespec time = {us / 1000000, (long)(us % 1000000) * 1000};
    while (nanosleep(&time, &time) && errno == EINTR) {
    }
}

// Numbers that look random, the same in every run.
static inline uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1dULL;
}

// Memory that is allocated and was not freed, in KiB: what a leak adds to, whatever was freed elsewhere.
static inline long allocated_kib(void) {
    struct mallinfo2 heap = mallinfo2();
    return (long)((heap.uordblks + heap.hblkhd) / 1024);
}

// Memory of this process that is in use, in KiB, with everything that is not from the heap. What the heap keeps for
// later is given back first: how much that is depends on which thread came first.
static inline long resident_kib(void) {
    char line[256];
    long kib = -1;
    malloc_trim(0);
    FILE *status = fopen("/proc/self/status", "r");
    CHECK(status);
    while (fgets(line, sizeof line, status))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
    fclose(status);
    return kib;
}

// What is `now` has not grown by more than this since it was `before`. Valgrind and sanitizers keep what was freed, and
// count otherwise.
#define CHECK_GROWTH(now, before, allowed)                             \
    do {                                                               \
        if (slowness() == 1) CHECK_AT_MOST((now) - (before), allowed); \
    } while (0)

static inline int count_entries(const char *folder) {
    int count = 0;
    DIR *directory = opendir(folder);
    CHECK(directory);
    while (readdir(directory)) count++;
    closedir(directory);
    return count - 2;
}

static inline int count_threads(void) { return count_entries("/proc/self/task"); }
static inline int count_descriptors(void) { return count_entries("/proc/self/fd") - 1; }

// Waits for a child that has to exit by itself, and returns its code.
static inline int exit_code_of(pid_t child, int64_t deadline_ms) {
    int state = 0;
    int64_t end = now_ms() + deadline_ms;
    for (;;) {
        pid_t ended = waitpid(child, &state, WNOHANG);
        if (ended < 0 && errno == EINTR) continue;
        CHECK(ended >= 0);
        if (ended == child) break;
        if (now_ms() > end) {
            kill(child, SIGKILL);
            waitpid(child, &state, 0);
            check_failed(__FILE__, __LINE__, "a child did not end in time");
        }
        pause_us(1000);
    }
    if (WIFSIGNALED(state)) {
        fprintf(stderr, "    a child died by signal %d\n", WTERMSIG(state));
        fflush(NULL);
        _exit(1);
    }
    return WEXITSTATUS(state);
}

struct test {
    const char *name;
    void (*run)(void);
    unsigned deadline_s;
};

#define TEST(name, deadline_s) {#name, name, deadline_s}

static inline void run_here(const struct test *test) {
    alarm(test->deadline_s * slowness());
    test->run();
    alarm(0);
}

// A fresh process for each test: none sees what another one left, and a crash fails one test only.
static inline bool run_apart(const struct test *test) {
    int state = 0;
    int64_t begin = now_ms();
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        run_here(test);
        exit(0);
    }
    while (waitpid(child, &state, 0) < 0 && errno == EINTR) {
    }
    long took = (long)(now_ms() - begin);
    if (WIFSIGNALED(state) && WTERMSIG(state) == SIGALRM) {
        printf("FAILED  %s: not done after %u s\n", test->name, test->deadline_s * slowness());
    } else if (WIFSIGNALED(state)) {
        printf("FAILED  %s: killed by signal %d (%s)\n", test->name, WTERMSIG(state), strsignal(WTERMSIG(state)));
    } else if (WEXITSTATUS(state) != 0) {
        printf("FAILED  %s: exit code %d\n", test->name, WEXITSTATUS(state));
    } else {
        printf("ok      %s (%ld ms)\n", test->name, took);
    }
    fflush(stdout);
    return state == 0;
}

static inline int run_tests(const struct test *tests, size_t count, int argc, char **argv) {
    int failed = 0, matched = 0;
    // Panics that a test makes are told without the stack: there are many.
    setenv("RUST_BACKTRACE", "0", 1);
    for (size_t at = 0; at < count; at++) {
        bool wanted = argc < 2;
        for (int name = 1; name < argc; name++) wanted |= strcmp(argv[name], tests[at].name) == 0;
        if (!wanted) continue;
        matched++;
        if (argc == 2) {
            run_here(&tests[at]);
            printf("ok      %s\n", tests[at].name);
        } else {
            failed += !run_apart(&tests[at]);
        }
    }
    if (matched == 0) fprintf(stderr, "no test of that name\n");
    return matched == 0 || failed > 0;
}

#define MAIN(tests) \
    int main(int argc, char **argv) { return run_tests(tests, sizeof(tests) / sizeof *(tests), argc, argv); }

#endif
