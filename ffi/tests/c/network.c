// Run: asan deadline=90
// What a network can do to a host: servers that talk nonsense, bytes that change on the way, datagrams of anything. No
// panic, no crash; what ends, ends with a reason, and leaving works all the while.

#include "scene.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

// Takes connections, one after the other. With a `server`, it passes them on, with one byte of a hundred of the answers
// changed once the connection is established; without one it answers with `says`, or with anything.
struct liar {
    struct port port;
    const char *server, *says;
    pthread_t thread;
    atomic_bool stop;
    atomic_uint connections;
};

static void talk_nonsense(struct liar *liar, int client, uint64_t *state) {
    char data[4096];
    if (recv(client, data, sizeof data, 0) <= 0) return;
    if (liar->says) {
        (void)!send(client, liar->says, strlen(liar->says), MSG_NOSIGNAL);
        return;
    }
    for (size_t at = 0; at < sizeof data; at++) data[at] = (char)next_random(state);
    (void)!send(client, data, 1 + next_random(state) % (sizeof data - 1), MSG_NOSIGNAL);
}

static void pass_on_wrongly(struct liar *liar, int client, uint64_t *state) {
    char data[65536];
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(strrchr(liar->server, ':') + 1));
    CHECK(connect(server, (struct sockaddr *)&address, sizeof address) == 0);
    struct pollfd ends[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    bool established = false, open = true;
    while (open && !atomic_load(&liar->stop)) {
        if (poll(ends, 2, 50) <= 0) continue;
        for (int from = 0; from < 2 && open; from++) {
            if (!ends[from].revents) continue;
            ssize_t length = recv(ends[from].fd, data, sizeof data, 0);
            for (ssize_t at = 0; from == 1 && established && at < length; at++) {
                if (next_random(state) % 100 == 0) data[at] ^= (char)(1 << next_random(state) % 8);
            }
            established |= from == 1;
            open = length > 0 && send(ends[1 - from].fd, data, (size_t)length, MSG_NOSIGNAL) == length;
        }
    }
    close(server);
}

static void *run_liar(void *given) {
    struct liar *liar = (struct liar *)given;
    struct pollfd wait = {liar->port.socket, POLLIN, 0};
    uint64_t state = 17;
    while (!atomic_load(&liar->stop)) {
        if (poll(&wait, 1, 20) <= 0) continue;
        int client = accept(liar->port.socket, NULL, NULL);
        if (client < 0) continue;
        atomic_fetch_add(&liar->connections, 1);
        if (liar->server)
            pass_on_wrongly(liar, client, &state);
        else
            talk_nonsense(liar, client, &state);
        close(client);
    }
    return NULL;
}

static void room_survives(struct liar *liar, unsigned connections) {
    inbox box = inbox_of(open_client(0));
    liar->port = silent_port();
    CHECK(pthread_create(&liar->thread, NULL, run_liar, liar) == 0);
    uint64_t room = join_room(box.client, liar->port.url, "lies"), request = 0;
    int64_t end = now_ms() + within_ms(5000);
    while (atomic_load(&liar->connections) < connections && now_ms() < end) {
        // It ends by itself if it is told so; then it is joined again. Sending is an ordinary value all the while.
        wanted disconnected = {MOORLINE_EVENT_ROOM_DISCONNECTED, room, 0};
        moorline_room_send(box.client, room, NULL, (const uint8_t *)"truth", 5, &request, NULL);
        inbox_fill(&box, 20);
        if (inbox_take(&box, disconnected)) room = join_room(box.client, liar->port.url, "lies");
    }
    CHECK(atomic_load(&liar->connections) > 0);
    CHECK_OK(moorline_room_leave(box.client, room));
    CHECK(wait_for_event(&box, MOORLINE_EVENT_ROOM_DISCONNECTED, room, 1500)->status != MOORLINE_OK);
    wanted panics = {MOORLINE_EVENT_PANIC, 0, 0};
    CHECK_EQUAL(inbox_count(&box, panics), 0);
    atomic_store(&liar->stop, true);
    CHECK(pthread_join(liar->thread, NULL) == 0);
    close_client(&box);
    close(liar->port.socket);
}

static void a_server_that_talks_nonsense_hurts_no_room(void) {
    const char *answers[] = {NULL, "\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 999 \r\nX:\r\n\r\n",
                             "HTTP/1.1 101 Switching Protocols\r\n\r\n"};
    for (size_t at = 0; at < sizeof answers / sizeof *answers; at++) {
        struct liar liar;
        memset(&liar, 0, sizeof liar);
        liar.says = answers[at];
        room_survives(&liar, 3);
    }
}

static void answers_that_change_on_the_way_hurt_no_room(void) {
    struct server server = start_server();
    struct liar liar;
    memset(&liar, 0, sizeof liar);
    liar.server = server.url;
    room_survives(&liar, rounds(40));
    stop_server(&server);
}

static void datagrams_of_anything_hurt_no_node(void) {
    inbox box = inbox_of(open_client(0)), other = inbox_of(open_client(0));
    uint64_t node = start_node(box.client), second = start_node(other.client), state = 23;
    char *address = address_of(&box, node);
    struct sockaddr_in to;
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    int sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (unsigned at = 0; at < rounds(20000); at++) {
        uint8_t data[1500];
        size_t length = next_random(&state) % sizeof data;
        for (size_t byte = 0; byte < length; byte++) data[byte] = (uint8_t)next_random(&state);
        // Half of them look like the beginning of a QUIC connection.
        if (length > 5 && at % 2) data[0] |= 0xc0, data[1] = data[2] = data[3] = 0, data[4] = 1;
        sendto(sender, data, length, 0, (struct sockaddr *)&to, sizeof to);
    }
    // It is there for others all the same.
    add_peer(other.client, second, address);
    wait_for_event(&other, MOORLINE_EVENT_PEER_UP, second, 20000);
    wanted panics = {MOORLINE_EVENT_PANIC, 0, 0}, ends = {MOORLINE_EVENT_NODE_STOPPED, 0, 0};
    inbox_fill(&box, 0);
    CHECK_EQUAL(inbox_count(&box, panics) + inbox_count(&box, ends), 0);
    free(address);
    close(sender);
    close_client(&box), close_client(&other);
}

static const struct test TESTS[] = {
    TEST(a_server_that_talks_nonsense_hurts_no_room, 60),
    TEST(answers_that_change_on_the_way_hurt_no_room, 40),
    TEST(datagrams_of_anything_hurt_no_node, 40),
};
MAIN(TESTS)
