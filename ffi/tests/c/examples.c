// Run: deadline=120
// The example in C, as two processes and a room server. MOORLINE_EXAMPLES_BUILT names the folder of the built examples.

#include "scene.h"

struct process {
    pid_t id;
    FILE *output;
};

static struct process start_peer(const char *name, const char *share, const char *peer, const char *item,
                                 const char *into, const char *url) {
    struct process process;
    char program[1000];
    int ends[2];
    const char *folder = getenv("MOORLINE_EXAMPLES_BUILT");
    if (!folder)
        check_failed(__FILE__, __LINE__, "MOORLINE_EXAMPLES_BUILT has to name the folder of the built examples");
    snprintf(program, sizeof program, "%s/peer", folder);
    CHECK(pipe(ends) == 0);
    process.id = fork();
    CHECK(process.id >= 0);
    if (process.id == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]), close(ends[1]);
        execl(program, "peer", name, share, peer, item, into, url, "lobby", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    process.output = fdopen(ends[0], "r");
    CHECK(process.output);
    return process;
}

// Reads lines until one begins so, and returns what follows. To be freed.
static char *read_until(struct process *process, const char *beginning) {
    char line[2000];
    size_t length = strlen(beginning);
    while (fgets(line, sizeof line, process->output)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "failed", 6) == 0 && strcmp(beginning, "failed: ") != 0)
            check_failed(__FILE__, __LINE__, line);
        if (strncmp(line, beginning, length) == 0) return strdup(line + length);
    }
    check_failed(__FILE__, __LINE__, beginning);
}

static void says(struct process *process, const char *beginning, const char *rest) {
    char *found = read_until(process, beginning);
    if (rest && strcmp(found, rest) != 0) check_failed(__FILE__, __LINE__, found);
    free(found);
}

static int end_of(struct process *process) {
    fclose(process->output);
    return exit_code_of(process->id, within_ms(20000));
}

static void two_peers_share_fetch_greet_and_end(void) {
    struct server server = start_server();
    char *folder = temporary_folder(), shared[600], into[600], one[1000], other[1000];
    snprintf(shared, sizeof shared, "%s/album", folder);
    snprintf(into, sizeof into, "%s/into", folder);
    CHECK(mkdir(shared, 0700) == 0);
    write_file(shared, "track", 20000000, 5);
    struct process ann = start_peer("ann", shared, "-", "-", "-", server.url);
    char *address = read_until(&ann, "listening ");
    struct process ben = start_peer("ben", shared, address, "album", into, server.url);
    says(&ben, "listening ", NULL);
    says(&ben, "progress ", NULL);
    snprintf(other, sizeof other, "%s/album", into);
    says(&ben, "fetched ", other);
    says(&ben, "answer ", "ann greets ben");
    says(&ben, "done", "");
    says(&ann, "answer ", "ben greets ann");
    says(&ann, "done", "");
    CHECK_EQUAL(end_of(&ann), 0);
    CHECK_EQUAL(end_of(&ben), 0);
    snprintf(one, sizeof one, "%s/track", shared);
    snprintf(other, sizeof other, "%s/album/track", into);
    CHECK(same_file(one, other));
    free(address);
    remove_folder(folder);
    stop_server(&server);
}

static void a_peer_that_cannot_go_on_says_why_and_fails(void) {
    struct process lost = start_peer("ann", "/tmp", "nowhere", "-", "-", "ws://127.0.0.1:9");
    says(&lost, "failed: ", NULL);
    CHECK_EQUAL(end_of(&lost), 1);
    lost = start_peer("ann", "/tmp", "-", "-", "-", "http://127.0.0.1:9");
    says(&lost, "failed: ", NULL);
    CHECK_EQUAL(end_of(&lost), 1);
}

static const struct test TESTS[] = {
    TEST(two_peers_share_fetch_greet_and_end, 90),
    TEST(a_peer_that_cannot_go_on_says_why_and_fails, 30),
};
MAIN(TESTS)
