// What tests happen in: nodes and rooms on this machine, ports where nobody answers, folders, and a real room server.

#ifndef MOORLINE_SCENE_H
#define MOORLINE_SCENE_H

#include "inbox.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

extern char **environ;

// Options for a node that talks to nobody but this machine.
static inline moorline_node_options node_options(void) {
    moorline_node_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.flags = MOORLINE_FLAG_READY | MOORLINE_FLAG_NO_MULTICAST;
    options.listen = text("127.0.0.1:0");
    return options;
}

static inline uint64_t start_node_with(uint64_t client, const moorline_node_options *options) {
    uint64_t node = 0;
    moorline_error error = empty_error();
    if (moorline_node_start(client, options, &node, &error) != MOORLINE_OK) {
        check_failed(__FILE__, __LINE__, (const char *)error.message);
    }
    return node;
}

static inline uint64_t start_node(uint64_t client) {
    moorline_node_options options = node_options();
    return start_node_with(client, &options);
}

// A node that shares one file or folder.
static inline uint64_t start_sharing_node(uint64_t client, const char *path) {
    moorline_span share = text(path);
    moorline_node_options options = node_options();
    options.share = &share;
    options.share_count = 1;
    return start_node_with(client, &options);
}

// Waits until the node runs. The address is to be freed.
static inline char *address_of(inbox *box, uint64_t node) {
    return copy_of(wait_for_event(box, MOORLINE_EVENT_NODE_STARTED, node, 10000)->spans[1]);
}

static inline moorline_room_options room_options(const char *url, const char *room) {
    moorline_room_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.flags = MOORLINE_FLAG_READY;
    options.url = text(url);
    options.room = text(room);
    return options;
}

static inline uint64_t join_with(uint64_t client, uint64_t node, const moorline_room_options *options) {
    uint64_t room = 0;
    moorline_error error = empty_error();
    if (moorline_room_join(client, node, options, &room, &error) != MOORLINE_OK) {
        check_failed(__FILE__, __LINE__, (const char *)error.message);
    }
    return room;
}

// Joins a room without a node.
static inline uint64_t join_room(uint64_t client, const char *url, const char *room) {
    moorline_room_options options = room_options(url, room);
    options.deadline_ms = MOORLINE_FOREVER;
    return join_with(client, 0, &options);
}

static inline uint64_t add_peer(uint64_t client, uint64_t node, const char *address) {
    uint64_t request = 0;
    moorline_error error = empty_error();
    int32_t status = moorline_node_add_peer(client, node, (const uint8_t *)address, strlen(address), &request, &error);
    if (status != MOORLINE_OK) check_failed(__FILE__, __LINE__, (const char *)error.message);
    return request;
}

static inline uint64_t hold_request(uint64_t client, uint64_t handle) {
    uint64_t request = 0;
    CHECK_OK(moorline_test_request(client, handle, &request));
    return request;
}

static inline moorline_download_options download_options(const char *item, const char *into) {
    moorline_download_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.item = text(item);
    options.into = text(into);
    options.wait_ms = 60000;
    return options;
}

static inline uint64_t start_download(uint64_t client, uint64_t node, const char *item, const char *into) {
    uint64_t download = 0;
    moorline_error error = empty_error();
    moorline_download_options options = download_options(item, into);
    if (moorline_node_download(client, node, &options, &download, &error) != MOORLINE_OK) {
        check_failed(__FILE__, __LINE__, (const char *)error.message);
    }
    return download;
}

static inline uint32_t kind_of(uint64_t client, uint64_t handle) {
    uint32_t kind = 0;
    return moorline_kind(client, handle, &kind) == MOORLINE_OK ? kind : 0;
}

// A port of this machine, for as long as its socket is open.
struct port {
    int socket;
    char url[64];
};

static inline struct port open_port(bool listens) {
    struct port port;
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    port.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(port.socket >= 0);
    CHECK(bind(port.socket, (struct sockaddr *)&address, length) == 0);
    if (listens) CHECK(listen(port.socket, 1024) == 0);
    CHECK(getsockname(port.socket, (struct sockaddr *)&address, &length) == 0);
    snprintf(port.url, sizeof port.url, "ws://127.0.0.1:%d", ntohs(address.sin_port));
    return port;
}

// Refuses every connection, and nobody else can have it meanwhile.
static inline struct port refusing_port(void) { return open_port(false); }
// Takes connections and never says a word.
static inline struct port silent_port(void) { return open_port(true); }

static inline char *temporary_folder(void) {
    const char *base = getenv("TMPDIR");
    char path[512];
    snprintf(path, sizeof path, "%s/moorline-c-XXXXXX", base ? base : "/tmp");
    CHECK(mkdtemp(path));
    return strdup(path);
}

static inline int remove_entry(const char *path, const struct stat *about, int flag, struct FTW *where) {
    (void)about, (void)flag, (void)where;
    return remove(path);
}

// Removes a folder with what is in it, and frees its name.
static inline void remove_folder(char *path) {
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}

// Writes a file whose bytes follow from `seed`.
static inline void write_file(const char *folder, const char *name, size_t bytes, uint64_t seed) {
    char path[1000];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    CHECK(file);
    for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
        uint64_t word = next_random(&seed);
        size_t part = bytes - at < sizeof word ? bytes - at : sizeof word;
        CHECK(fwrite(&word, 1, part, file) == part);
    }
    CHECK(fclose(file) == 0);
}

static inline bool same_file(const char *one, const char *other) {
    bool same;
    int left, right;
    FILE *a = fopen(one, "rb"), *b = fopen(other, "rb");
    CHECK(a && b);
    do {
        left = getc(a), right = getc(b);
        same = left == right;
    } while (same && left != EOF);
    fclose(a), fclose(b);
    return same;
}

// A room server: `moorline signal`, the program that MOORLINE_PROGRAM names.
struct server {
    pid_t process;
    char *home;
    char url[64];
};

static inline struct server start_server(void) {
    struct server server;
    char line[512] = "", setting[600];
    int ends[2];
    char *program = getenv("MOORLINE_PROGRAM");
    if (!program) check_failed(__FILE__, __LINE__, "MOORLINE_PROGRAM has to name the program `moorline`");
    server.home = temporary_folder();
    snprintf(setting, sizeof setting, "MOORLINE_HOME=%s", server.home);
    CHECK(pipe(ends) == 0);
    server.process = fork();
    CHECK(server.process >= 0);
    if (server.process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        // It warns that anybody may come in, every time.
        if (!freopen("/dev/null", "w", stderr)) _exit(126);
        close(ends[0]), close(ends[1]);
        putenv(setting);
        execl(program, program, "--quiet", "--json", "signal", "--listen", "127.0.0.1:0", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *output = fdopen(ends[0], "r");
    CHECK(output && fgets(line, sizeof line, output));
    fclose(output);
    const char *address = strstr(line, "\"listen\":\"");
    CHECK(address);
    snprintf(server.url, sizeof server.url, "ws://%.*s", (int)strcspn(address + 10, "\""), address + 10);
    return server;
}

static inline void stop_server(struct server *server) {
    int state;
    kill(server->process, SIGKILL);
    CHECK(waitpid(server->process, &state, 0) == server->process);
    remove_folder(server->home);
}

#endif
