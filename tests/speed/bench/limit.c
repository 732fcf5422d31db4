/* What a chatte room costs at least on this machine, in C: one thread, no store, no checks.
 *
 * All that was said in a turn of the loop goes to each reader with one send(). Whoever does the same work can be
 * better than this only by doing it with fewer system calls, so it is what CPU time per delivery is compared with.
 *
 *     limit PORT
 */
#define _GNU_SOURCE /* accept4 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_CLIENTS 100000
#define MOST_EVENTS 1024
#define LONGEST_LINE 8192

static const char greeting[] = "0 Hello, nickname please.\n";
static const char welcome[] = "200 Welcome to the chatte.\n";
static const char answer[] = "101 Message sent.\n";

struct buffer {
    char *bytes;
    size_t length, capacity;
};

struct client {
    int file;
    int entered;
    int is_watched; /* until the kernel takes what is in out */
    int answers;    /* messages of this turn that are to be answered */
    size_t from;    /* where in this turn's words those begin that this client has to read */
    char nickname[64];
    struct buffer in; /* the beginning of a line */
    struct buffer out;
};

static int polling;
static int highest;
static struct client *clients[MOST_CLIENTS];
static struct buffer room; /* what was said in this turn */

static void append(struct buffer *to, const void *bytes, size_t length)
{
    if (to->length + length > to->capacity) {
        to->capacity = 2 * (to->length + length);
        to->bytes = realloc(to->bytes, to->capacity);
        if (to->bytes == NULL)
            exit(1);
    }
    memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
}

static void watch(struct client *client, int operation, int writing)
{
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.fd = client->file};
    client->is_watched = writing;
    epoll_ctl(polling, operation, client->file, &event);
}

/* Write, and keep what the kernel does not take. */
static void put(struct client *client, const char *bytes, size_t length)
{
    ssize_t count = send(client->file, bytes, length, MSG_NOSIGNAL);
    if (count < 0)
        count = errno == EAGAIN ? 0 : (ssize_t)length; /* a broken connection is seen when it is read */
    if ((size_t)count < length)
        append(&client->out, bytes + count, length - (size_t)count);
}

static void flush(struct client *client)
{
    struct buffer waiting = client->out;
    client->out = (struct buffer){0};
    put(client, waiting.bytes, waiting.length);
    if (client->out.length == 0) {
        free(client->out.bytes);
        waiting.length = 0;
        client->out = waiting; /* to be used again */
    } else {
        free(waiting.bytes);
    }
    if (client->is_watched != (client->out.length > 0))
        watch(client, EPOLL_CTL_MOD, client->out.length > 0);
}

static void fan_out(void)
{
    for (int file = 0; file <= highest; file++) {
        struct client *client = clients[file];
        if (client == NULL || !client->entered)
            continue;
        size_t length = room.length - client->from;
        const char *words = room.bytes + client->from;
        client->from = 0;
        if (client->out.length == 0 && client->answers == 0) {
            if (length > 0)
                put(client, words, length);
            if (client->out.length > 0)
                watch(client, EPOLL_CTL_MOD, 1);
            continue;
        }
        append(&client->out, words, length);
        for (; client->answers > 0; client->answers--)
            append(&client->out, answer, sizeof answer - 1);
        flush(client);
    }
    room.length = 0;
}

static void take_line(struct client *client, const char *line, size_t length)
{
    if (!client->entered) {
        size_t most = sizeof client->nickname - 1;
        memcpy(client->nickname, line, length < most ? length : most);
        client->entered = 1;
        append(&client->out, welcome, sizeof welcome - 1);
        append(&room, "150 ", 4);
        append(&room, client->nickname, strlen(client->nickname));
        append(&room, " just join to the chat\n", 23);
        client->from = room.length;
    } else if (length >= 4 && memcmp(line, "100 ", 4) == 0) {
        append(&room, "100 ", 4);
        append(&room, client->nickname, strlen(client->nickname));
        append(&room, line + 3, length - 3 + 1); /* from the space to the end of the line */
        client->answers++;
    } /* all else is an acknowledgement, and nothing is to be done */
}

static void end(struct client *client)
{
    clients[client->file] = NULL;
    close(client->file);
    free(client->in.bytes);
    free(client->out.bytes);
    free(client);
}

static void take(struct client *client)
{
    static char bytes[LONGEST_LINE + 262144];
    size_t held = client->in.length;
    if (held > 0)
        memcpy(bytes, client->in.bytes, held);
    client->in.length = 0;
    ssize_t count = recv(client->file, bytes + held, sizeof bytes - LONGEST_LINE, 0);
    if (count < 0 && errno == EAGAIN)
        return;
    if (count <= 0) {
        end(client);
        return;
    }
    const char *line = bytes, *last = bytes + held + count, *newline;
    while (line < last && (newline = memchr(line, '\n', (size_t)(last - line))) != NULL) {
        take_line(client, line, (size_t)(newline - line));
        line = newline + 1;
    }
    if (last - line > LONGEST_LINE)
        end(client);
    else if (last > line)
        append(&client->in, line, (size_t)(last - line));
}

static void accept_all(int listening)
{
    int file, on = 1;
    while ((file = accept4(listening, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct client *client = file < MOST_CLIENTS ? calloc(1, sizeof *client) : NULL;
        if (client == NULL) {
            close(file);
            continue;
        }
        setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        client->file = file;
        clients[file] = client;
        if (file > highest)
            highest = file;
        watch(client, EPOLL_CTL_ADD, 0);
        put(client, greeting, sizeof greeting - 1);
    }
}

static int listen_on(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listening, (struct sockaddr *)&address, sizeof address) < 0 || listen(listening, 4096) < 0) {
        perror("limit");
        exit(1);
    }
    return listening;
}

int main(int count, char **arguments)
{
    static struct epoll_event events[MOST_EVENTS];
    struct rlimit files;
    if (count != 2) {
        fprintf(stderr, "limit PORT\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int listening = listen_on(atoi(arguments[1]));
    polling = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listening};
    epoll_ctl(polling, EPOLL_CTL_ADD, listening, &event);
    for (;;) {
        int ready = epoll_wait(polling, events, MOST_EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            int file = events[i].data.fd;
            if (file == listening) {
                accept_all(listening);
                continue;
            }
            if (events[i].events & EPOLLOUT && clients[file]->out.length > 0)
                flush(clients[file]);
            if (events[i].events & ~(unsigned)EPOLLOUT)
                take(clients[file]);
        }
        if (room.length > 0)
            fan_out();
    }
}
