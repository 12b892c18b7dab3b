// Run: deadline=180
// What others see of a process that forked: its connections close when it closes them, although a child still holds the
// descriptors. And a child that starts afresh can do everything.

#include "scene.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

// A child that does nothing, and keeps every descriptor of its parent open.
static pid_t holding_child(void) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) pause();
    }
    return child;
}

static void let_go(pid_t child) {
    CHECK_EQUAL(kill(child, 0), 0);
    kill(child, SIGKILL);
    CHECK(waitpid(child, NULL, 0) == child);
}

static void a_connection_that_is_being_made_closes_although_a_child_holds_it(void) {
    struct port port = silent_port();
    char request[512];
    inbox box = inbox_of(open_client(0));
    uint64_t room = join_room(box.client, port.url, "held");
    int connection = accept(port.socket, NULL, NULL);
    CHECK(connection >= 0);
    CHECK(recv(connection, request, sizeof request, 0) > 0);
    pid_t child = holding_child();
    CHECK_OK(moorline_room_leave(box.client, room));
    wait_for_event(&box, MOORLINE_EVENT_ROOM_DISCONNECTED, room, 1500);
    struct pollfd wait = {connection, POLLIN, 0};
    ssize_t length;
    do {
        CHECK(poll(&wait, 1, (int)within_ms(2000)) == 1);
        length = recv(connection, request, sizeof request, 0);
    } while (length > 0);
    let_go(child);
    close(connection);
    close(port.socket);
    close_client(&box);
}

// Between a room and its server. It never closes the room's side, so that only the room can.
struct proxy {
    struct port port;
    const char *server;
    pthread_t thread;
    atomic_bool room_closed;
};

static int connect_to(const char *url) {
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(connection, (struct sockaddr *)&address, sizeof address) == 0);
    return connection;
}

static void *run_proxy(void *given) {
    struct proxy *proxy = (struct proxy *)given;
    char data[65536];
    int room = accept(proxy->port.socket, NULL, NULL), server = connect_to(proxy->server);
    struct pollfd ends[] = {{room, POLLIN, 0}, {server, POLLIN, 0}};
    while (poll(ends, 2, -1) > 0) {
        for (int from = 0; from < 2; from++) {
            if (!ends[from].revents) continue;
            ssize_t length = recv(ends[from].fd, data, sizeof data, 0);
            if (length > 0) {
                if (ends[1 - from].fd >= 0) (void)!send(ends[1 - from].fd, data, (size_t)length, MSG_NOSIGNAL);
            } else if (from == 0) {
                atomic_store(&proxy->room_closed, true);
                close(room), close(server);
                return NULL;
            } else {
                ends[1].fd = -1;
            }
        }
    }
    return NULL;
}

static void a_room_is_left_and_its_connection_closed_although_a_child_holds_it(void) {
    struct server server = start_server();
    struct proxy proxy = {silent_port(), server.url, 0, false};
    CHECK(pthread_create(&proxy.thread, NULL, run_proxy, &proxy) == 0);
    inbox box = inbox_of(open_client(0)), witness = inbox_of(open_client(0));
    uint64_t watching = join_room(witness.client, server.url, "held");
    wait_for_event(&witness, MOORLINE_EVENT_ROOM_JOINED, watching, 10000);
    uint64_t room = join_room(box.client, proxy.port.url, "held");
    wait_for_event(&box, MOORLINE_EVENT_ROOM_JOINED, room, 10000);
    pid_t child = holding_child();
    CHECK_OK(moorline_room_leave(box.client, room));
    const moorline_event *left = wait_for_event(&witness, MOORLINE_EVENT_ROOM_PARTICIPANT_LEFT, watching, 2000);
    CHECK_EQUAL(left->numbers[1], 1);
    int64_t end = now_ms() + within_ms(3000);
    while (!atomic_load(&proxy.room_closed) && now_ms() < end) pause_us(1000);
    CHECK(atomic_load(&proxy.room_closed));
    let_go(child);
    CHECK(pthread_join(proxy.thread, NULL) == 0);
    close_client(&box);
    close_client(&witness);
    close(proxy.port.socket);
    stop_server(&server);
}

// Two nodes that know each other. The addresses are to be freed by nobody: they live as long as the test.
static uint64_t connected_nodes(inbox *box, inbox *other, uint64_t *second) {
    uint64_t first = start_node(box->client);
    *second = start_node(other->client);
    char *address = address_of(other, *second);
    add_peer(box->client, first, address);
    wait_for_event(box, MOORLINE_EVENT_PEER_UP, first, 10000);
    wait_for_event(other, MOORLINE_EVENT_PEER_UP, *second, 10000);
    free(address);
    return first;
}

static void a_node_says_goodbye_although_a_child_holds_its_socket(void) {
    inbox box = inbox_of(open_client(0)), other = inbox_of(open_client(0));
    uint64_t second, first = connected_nodes(&box, &other, &second);
    pid_t child = holding_child();
    CHECK_OK(moorline_node_stop(box.client, first));
    CHECK_EQUAL(wait_for_event(&other, MOORLINE_EVENT_PEER_DOWN, second, 2000)->numbers[0], 1);
    wait_for_event(&box, MOORLINE_EVENT_NODE_STOPPED, first, 5000);
    let_go(child);
    close_client(&box);
    close_client(&other);
}

// Nothing that a child does, or that becomes of it, reaches the peers of its parent.
static void peers_of_the_parent_do_not_notice_a_child_that_ends(void) {
    struct server server = start_server();
    inbox box = inbox_of(open_client(0)), other = inbox_of(open_client(0));
    uint64_t second, first = connected_nodes(&box, &other, &second), request = 0;
    uint64_t room = join_room(box.client, server.url, "calm"), watching = join_room(other.client, server.url, "calm");
    wait_for_event(&box, MOORLINE_EVENT_ROOM_JOINED, room, 10000);
    wait_for_event(&other, MOORLINE_EVENT_ROOM_JOINED, watching, 10000);
    for (int way = 0; way < 3; way++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20 * slowness());
            moorline_room_leave(box.client, room);
            moorline_node_stop(box.client, first);
            moorline_dispose(box.client, 1000, NULL, NULL, NULL);
            if (way == 0) exit(0);
            if (way == 1) _exit(0);
            inbox fresh = inbox_of(open_client(0));
            close_client(&fresh);
            exit(0);
        }
        CHECK_EQUAL(exit_code_of(child, within_ms(20000)), 0);
    }
    CHECK_OK(moorline_room_send(box.client, room, NULL, (const uint8_t *)"calm", 4, &request, NULL));
    CHECK(span_is(wait_for_event(&other, MOORLINE_EVENT_ROOM_MESSAGE, watching, 5000)->spans[0], "calm"));
    wanted none[] = {{MOORLINE_EVENT_PEER_DOWN, 0, 0},
                     {MOORLINE_EVENT_ROOM_PARTICIPANT_LEFT, 0, 0},
                     {MOORLINE_EVENT_ROOM_CONNECTION_LOST, 0, 0}};
    for (size_t at = 0; at < 3; at++) CHECK_EQUAL(inbox_count(&box, none[at]) + inbox_count(&other, none[at]), 0);
    const moorline_event *peers = NULL;
    uint32_t count = 0;
    CHECK_OK(moorline_node_peers(other.client, second, &peers, &count));
    CHECK_EQUAL(count, 1);
    CHECK_OK(moorline_free(peers));
    close_client(&box);
    close_client(&other);
    stop_server(&server);
}

static void share_and_fetch(void) {
    char *folder = temporary_folder(), original[600], copy[600];
    write_file(folder, "item.bin", 3000000, 99);
    snprintf(original, sizeof original, "%s/item.bin", folder);
    snprintf(copy, sizeof copy, "%s/got/item.bin", folder);
    inbox box = inbox_of(open_client(0)), other = inbox_of(open_client(0));
    uint64_t sharing = start_sharing_node(box.client, original), fetching = start_node(other.client);
    char *address = address_of(&box, sharing), *into = strdup(copy);
    *strrchr(into, '/') = 0;
    add_peer(other.client, fetching, address);
    uint64_t download = start_download(other.client, fetching, "item.bin", into);
    CHECK_OK(wait_for_event(&other, MOORLINE_EVENT_DOWNLOAD_ENDED, download, 20000)->status);
    CHECK(same_file(original, copy));
    close_client(&box);
    close_client(&other);
    free(address), free(into);
    remove_folder(folder);
}

static void a_child_that_initialises_does_the_full_round(void) {
    inbox box = inbox_of(open_client(0)), other = inbox_of(open_client(0));
    uint64_t second;
    connected_nodes(&box, &other, &second);
    pid_t child = fork();
    if (child == 0) {
        alarm(40 * slowness());
        share_and_fetch();
        exit(0);
    }
    CHECK_EQUAL(exit_code_of(child, within_ms(45000)), 0);
    share_and_fetch();
    close_client(&box);
    close_client(&other);
}

static const struct test TESTS[] = {
    TEST(a_connection_that_is_being_made_closes_although_a_child_holds_it, 30),
    TEST(a_room_is_left_and_its_connection_closed_although_a_child_holds_it, 40),
    TEST(a_node_says_goodbye_although_a_child_holds_its_socket, 40),
    TEST(peers_of_the_parent_do_not_notice_a_child_that_ends, 60),
    TEST(a_child_that_initialises_does_the_full_round, 90),
};
MAIN(TESTS)
