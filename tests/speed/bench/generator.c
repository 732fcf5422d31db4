/* Loads one room and checks what comes back, for a small part of the CPU time that the load tool takes.
 *
 * Each text has a token that says who sent it, as which of his, and when it was due. Readers look for tokens in
 * what they read and for nothing else, so that all dialects are read alike: every message at every reader, once,
 * in the order of its sender. Connects to 127.0.0.1 only. Prints the figures of the load tool that the benchmark
 * reads (measure.py), as JSON.
 *
 *     generator DIALECT PORT[,PORT...] [-c clients] [-s senders] [-w in flight | -r messages/s] [-t seconds]
 *               [-b bytes] [-o at once] [-m most messages] [-p] [-a] [-h messages]
 *
 * -p: private messages, each client to the next one. -a: acknowledge what is read. -h: so many messages are said
 * before the others come, and each of them has to read these.
 */
#define _GNU_SOURCE /* memmem, epoll_pwait2 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_CLIENTS 50000
#define MOST_EVENTS 1024
#define MOST_PORTS 16
#define MOST_BYTES 4000
#define MOST_SECONDS 600.0
#define MOST_REFUSALS 20
#define JOIN_SECONDS 200.0
#define QUIET_SECONDS 0.1
#define MARK '|' /* in no word of any dialect that is read, and escaped in none */
#define TOKEN 33 /* the mark, and 32 letters from A to P, four bits each */
#define SPEAKER 0xffffffffu
#define STEPS 64 /* of the histogram, in each power of two */

enum state { CONNECTING, UPGRADING, ENTERING, IN, GONE };

struct buffer {
    char *bytes;
    size_t length, capacity;
};

struct sequence {
    uint32_t next;  /* number of the sender's next message */
    uint32_t holes; /* messages before it that did not come */
};

struct client {
    uint32_t id;
    int file;
    enum state state;
    int is_watched; /* until the kernel takes what is in out */
    int past;       /* messages from before that it has read */
    int in_flight;
    uint32_t number; /* of its next message */
    struct sequence *seen;
    struct buffer in, out;
};

struct dialect {
    const char *name;
    const char *path; /* of the WebSocket, if it is one */
    int echoes;       /* whether a sender reads what it said */
    const char *acknowledgement;
    const char *joined; /* what a notice of who came has in it */
    int reads_own_join; /* whether one also comes to who it is of; others' may come before it is in, then */
    void (*begin)(struct client *);
    void (*take)(struct client *, char *line, size_t length); /* a line or frame, until the client is in */
    void (*say)(struct client *, const char *text);
    void (*whisper)(struct client *, uint32_t to, const char *text);
};

static const struct dialect *dialect;
static uint32_t count = 100, senders = 10;
static int ports[MOST_PORTS], port_count, window = 1, bytes = 64, at_once = 200, is_private, acknowledges, past;
static double rate, seconds = 2, patience = 3;
static uint64_t most = 100000000;

static int polling;
static struct client *clients;
static uint32_t entered, refused, gone;
static uint64_t sent, delivered, lost, duplicated, disordered, notices, last_delivery, last_notice, last_read;
static uint64_t histogram[64 * STEPS], longest;
static int is_begun; /* whether what is read is counted */
static uint32_t *ready, ready_count; /* senders that may send */
static char trouble[200];

static uint64_t now(void)
{
    struct timespec it;
    clock_gettime(CLOCK_MONOTONIC, &it);
    return (uint64_t)it.tv_sec * 1000000000u + (uint64_t)it.tv_nsec;
}

static double of_clock(clockid_t clock)
{
    struct timespec it;
    clock_gettime(clock, &it);
    return (double)it.tv_sec + (double)it.tv_nsec / 1e9;
}

/* --- Latencies ---------------------------------------------------------------------------------------------- */

static void record(uint64_t nanoseconds)
{
    uint64_t micros = nanoseconds / 1000;
    if (nanoseconds > longest)
        longest = nanoseconds;
    if (micros < STEPS) {
        histogram[micros]++;
        return;
    }
    int power = 63 - __builtin_clzll(micros) - 6; /* 2^6 is STEPS */
    histogram[(power + 1) * STEPS + (int)(micros >> power) - STEPS]++;
}

static double percentile(double share)
{
    uint64_t total = 0, so_far = 0;
    for (int i = 0; i < 64 * STEPS; i++)
        total += histogram[i];
    for (int i = 0; i < 64 * STEPS; i++) {
        so_far += histogram[i];
        if (so_far > 0 && (double)so_far >= share * (double)total)
            return i < STEPS ? i / 1e3 : (double)((uint64_t)(i % STEPS + STEPS) << (i / STEPS - 1)) / 1e3;
    }
    return 0;
}

/* --- Connections -------------------------------------------------------------------------------------------- */

static void append(struct buffer *to, const void *data, size_t length)
{
    if (to->length + length > to->capacity) {
        to->capacity = 2 * (to->length + length);
        to->bytes = realloc(to->bytes, to->capacity);
        if (to->bytes == NULL)
            exit(1);
    }
    if (length > 0)
        memcpy(to->bytes + to->length, data, length);
    to->length += length;
}

static void watch(struct client *client, int operation, int writing)
{
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = client};
    client->is_watched = writing;
    epoll_ctl(polling, operation, client->file, &event);
}

static void leave(struct client *client, const char *why)
{
    if (client->state == GONE)
        return;
    if (client->state == IN)
        gone++;
    else
        refused++;
    if (trouble[0] == 0) {
        snprintf(trouble, sizeof trouble, "%s", why);
        for (char *at = trouble; *at; at++) /* it goes into JSON as it is */
            if (*at < ' ' || *at == '"' || *at == '\\' || *at > '~')
                *at = ' ';
    }
    client->state = GONE;
    close(client->file);
}

static void flush(struct client *client)
{
    struct buffer *out = &client->out;
    if (client->state == GONE || out->length == 0)
        return;
    ssize_t written = send(client->file, out->bytes, out->length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written < 0) {
        if (errno != EAGAIN) {
            leave(client, strerror(errno));
            return;
        }
        written = 0;
    }
    out->length -= (size_t)written;
    if (written > 0 && out->length > 0)
        memmove(out->bytes, out->bytes + written, out->length);
    if (client->is_watched != (out->length > 0))
        watch(client, EPOLL_CTL_MOD, out->length > 0);
}

static void connect_one(struct client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)ports[client->id % (uint32_t)port_count]),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    client->file = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(client->file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (client->file < 0 ||
        (connect(client->file, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS)) {
        leave(client, strerror(errno));
        return;
    }
    watch(client, EPOLL_CTL_ADD, 1);
}

static void write_text(struct client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void write_text(struct client *client, const char *format, ...)
{
    char text[MOST_BYTES + 512];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(text, sizeof text, format, values);
    va_end(values);
    if (dialect->path != NULL && client->state > UPGRADING) {
        /* RFC 6455, 5.2: a text of a client is masked, here with zeros, which leave it as it is. */
        unsigned char head[8] = {0x81, (unsigned char)(0x80 | (length < 126 ? length : 126)),
                                 (unsigned char)(length >> 8), (unsigned char)length};
        append(&client->out, head, length < 126 ? 2 : 4);
        append(&client->out, "\0\0\0\0", 4);
    }
    append(&client->out, text, (size_t)length);
}

/* --- Dialects ----------------------------------------------------------------------------------------------- */

static void is_in(struct client *client)
{
    client->state = IN;
    entered++;
}

static void begin_nothing(struct client *client) { (void)client; }

static void take_chatte(struct client *client, char *line, size_t length)
{
    (void)length;
    if (strncmp(line, "0 ", 2) == 0)
        write_text(client, "load-%u\n", client->id);
    else if (strncmp(line, "200 ", 4) == 0)
        is_in(client);
    else
        leave(client, line);
}

static void say_chatte(struct client *client, const char *text) { write_text(client, "100 %s\n", text); }

static void whisper_chatte(struct client *client, uint32_t to, const char *text)
{
    write_text(client, "102 load-%u %s\n", to, text);
}

static void begin_irc(struct client *client)
{
    write_text(client, "NICK load-%u\r\nUSER load 0 * :load\r\n", client->id);
}

static void take_irc(struct client *client, char *line, size_t length)
{
    (void)length;
    char *command = line[0] == ':' ? strchr(line, ' ') : line;
    if (command == NULL)
        return;
    command += command != line;
    if (strncmp(command, "PING", 4) == 0)
        write_text(client, "PONG%s\r\n", command + 4);
    else if (strncmp(command, "001", 3) == 0)
        write_text(client, "JOIN #lobby\r\n");
    else if (strncmp(command, "366", 3) == 0)
        is_in(client);
    else if (strncmp(command, "433", 3) == 0 || strncmp(command, "465", 3) == 0 || strncmp(command, "ERROR", 5) == 0)
        leave(client, line);
}

static void say_irc(struct client *client, const char *text) { write_text(client, "PRIVMSG #lobby :%s\r\n", text); }

static void whisper_irc(struct client *client, uint32_t to, const char *text)
{
    write_text(client, "PRIVMSG load-%u :%s\r\n", to, text);
}

static void take_nats(struct client *client, char *line, size_t length)
{
    (void)length;
    if (strncmp(line, "INFO ", 5) == 0)
        write_text(client,
                   "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":true}\r\nSUB load.room 1\r\n"
                   "SUB load.to.%u 2\r\nSUB stored.%u 3\r\nPING\r\n",
                   client->id, client->id);
    else if (strncmp(line, "PONG", 4) == 0)
        is_in(client);
    else if (strncmp(line, "PING", 4) == 0)
        write_text(client, "PONG\r\n");
    else if (strncmp(line, "-ERR", 4) == 0)
        leave(client, line);
}

static void say_nats(struct client *client, const char *text)
{
    write_text(client, "PUB load.room %zu\r\n%s\r\n", strlen(text), text);
}

static void whisper_nats(struct client *client, uint32_t to, const char *text)
{
    write_text(client, "PUB load.to.%u %zu\r\n%s\r\n", to, strlen(text), text);
}

static void say_jetstream(struct client *client, const char *text)
{
    write_text(client, "PUB load.room stored.%u %zu\r\n%s\r\n", client->id, strlen(text), text);
}

static void whisper_jetstream(struct client *client, uint32_t to, const char *text)
{
    write_text(client, "PUB load.to.%u stored.%u %zu\r\n%s\r\n", to, client->id, strlen(text), text);
}

static void begin_centrifugo(struct client *client) { write_text(client, "{\"id\":1,\"connect\":{}}"); }

static void take_centrifugo(struct client *client, char *frame, size_t length)
{
    (void)length;
    char *rest = frame;
    for (char *line; client->state == ENTERING && (line = strsep(&rest, "\n")) != NULL;) {
        if (strcmp(line, "{}") == 0)
            write_text(client, "{}");
        else if (strstr(line, "\"error\":") != NULL)
            leave(client, line);
        else if (strstr(line, "\"connect\":") != NULL)
            write_text(client,
                       "{\"id\":2,\"subscribe\":{\"channel\":\"to.%u\"}}\n"
                       "{\"id\":3,\"subscribe\":{\"channel\":\"load\"}}",
                       client->id);
        else if (strncmp(line, "{\"id\":3,", 8) == 0) {
            is_in(client);
            if (past > 0)
                write_text(client, "{\"id\":4,\"history\":{\"channel\":\"load\",\"limit\":%d,\"reverse\":true}}", past);
        }
    }
}

static void say_centrifugo(struct client *client, const char *text)
{
    write_text(client, "{\"id\":%u,\"publish\":{\"channel\":\"load\",\"data\":\"%s\"}}", client->number + 9, text);
}

static void whisper_centrifugo(struct client *client, uint32_t to, const char *text)
{
    write_text(client, "{\"id\":%u,\"publish\":{\"channel\":\"to.%u\",\"data\":\"%s\"}}", client->number + 9, to, text);
}

static void begin_browser(struct client *client)
{
    write_text(client, "{\"type\":\"enter\",\"nickname\":\"load-%u\"}", client->id);
}

static void take_browser(struct client *client, char *frame, size_t length)
{
    (void)length;
    if (strncmp(frame, "{\"type\":\"welcome\"", 17) == 0)
        is_in(client);
    else if (strncmp(frame, "{\"type\":\"failed\"", 16) == 0 || strncmp(frame, "{\"type\":\"error\"", 15) == 0)
        leave(client, frame);
}

static void say_browser(struct client *client, const char *text)
{
    write_text(client, "{\"type\":\"say\",\"id\":%u,\"text\":\"%s\"}", client->number + 9, text);
}

static void whisper_browser(struct client *client, uint32_t to, const char *text)
{
    write_text(client, "{\"type\":\"whisper\",\"id\":%u,\"to\":\"load-%u\",\"text\":\"%s\"}", client->number + 9, to, text);
}

static const struct dialect dialects[] = {
    {"chatte", NULL, 1, "101 Message received.\n", "150 ", 0, begin_nothing, take_chatte, say_chatte, whisper_chatte},
    {"irc", NULL, 0, "", " JOIN ", 1, begin_irc, take_irc, say_irc, whisper_irc},
    {"nats", NULL, 1, "", NULL, 0, begin_nothing, take_nats, say_nats, whisper_nats},
    {"jetstream", NULL, 1, "", NULL, 0, begin_nothing, take_nats, say_jetstream, whisper_jetstream},
    {"centrifugo", "/connection/websocket", 1, "", NULL, 0, begin_centrifugo, take_centrifugo, say_centrifugo,
     whisper_centrifugo},
    {"browser", "/ws", 1, "", "{\"type\":\"joined\",", 0, begin_browser, take_browser, say_browser, whisper_browser},
};

/* --- Messages ----------------------------------------------------------------------------------------------- */

static void letters(char *to, uint64_t value, int how_many)
{
    for (int i = how_many - 1; i >= 0; i--, value >>= 4)
        to[i] = (char)('A' + (value & 15));
}

static uint64_t value_of(const char *from, int how_many)
{
    uint64_t value = 0;
    for (int i = 0; i < how_many; i++)
        value = value << 4 | (uint64_t)(from[i] - 'A');
    return value;
}

static void send_one(struct client *client, uint32_t sender, uint64_t due)
{
    char text[MOST_BYTES + 1];
    memset(text, 'x', (size_t)bytes);
    text[0] = MARK;
    letters(text + 1, sender, 8);
    letters(text + 9, client->number, 8);
    letters(text + 17, due, 16);
    text[bytes] = 0;
    if (is_private && sender != SPEAKER)
        dialect->whisper(client, (client->id + 1) % count, text);
    else
        dialect->say(client, text);
    client->number++;
    client->in_flight++;
    sent++;
}

/* Take the messages of a sender as arrived: at who watches it, they are no longer under way. */
static void land(uint32_t sender, uint32_t how_many)
{
    struct client *client = &clients[sender];
    if (client->in_flight == window)
        ready[ready_count++] = sender;
    client->in_flight -= (int)how_many;
}

static void take_token(struct client *client, const char *token, uint64_t at)
{
    uint32_t sender = (uint32_t)value_of(token, 8), number = (uint32_t)value_of(token + 8, 8);
    if (sender == SPEAKER) {
        client->past++;
        delivered += past > 0 && client->id > 0;
        last_delivery = at;
        return;
    }
    if (sender >= senders || !is_begun)
        return;
    struct sequence *it = &client->seen[is_private ? 0 : sender];
    last_delivery = at;
    delivered++;
    if (is_private && client->id != (sender + 1) % count) {
        disordered++; /* it is for somebody else */
        return;
    }
    record(at - value_of(token + 16, 16));
    if (number < it->next) {
        if (it->holes > 0) {
            it->holes--;
            disordered++;
        } else {
            duplicated++;
        }
        return;
    }
    it->holes += number - it->next;
    if (client->id == (sender + 1) % count && rate == 0)
        land(sender, number + 1 - it->next);
    it->next = number + 1;
}

/* Find the tokens in what was read, and keep the beginning of one at its end. Return how many there are. */
static int take_tokens(struct client *client, const char *data, size_t length, uint64_t at)
{
    const char *end = data + length, *mark;
    int found = 0;
    while ((mark = memchr(data, MARK, (size_t)(end - data))) != NULL) {
        if (end - mark < TOKEN) {
            client->in.length = 0;
            append(&client->in, mark, (size_t)(end - mark));
            return found + 1;
        }
        take_token(client, mark + 1, at);
        data = mark + TOKEN;
        found++;
    }
    client->in.length = 0;
    return found;
}

/* --- Reading ------------------------------------------------------------------------------------------------ */

static void take_early(struct client *client, char *text, size_t length, uint64_t at)
{
    if ((client->state == IN || dialect->reads_own_join) && dialect->joined != NULL) {
        size_t size = strlen(dialect->joined);
        if (dialect->path == NULL) {
            /* One line has one notice: at its beginning, or behind who it is of. */
            const char *space = dialect->joined[0] == ' ' ? memchr(text, ' ', length) : text;
            if (space != NULL && (size_t)(text + length - space) >= size && memcmp(space, dialect->joined, size) == 0) {
                notices++;
                last_notice = at;
            }
        } else {
            for (char *it = text; (it = memmem(it, (size_t)(text + length - it), dialect->joined, size)); it += size) {
                notices++;
                last_notice = at;
            }
        }
    }
    if (client->state == IN && dialect->path == NULL && strncmp(text, "PING", 4) == 0)
        write_text(client, "PONG%s\r\n", text + 4);
    if (past > 0)
        for (char *it = text; (it = memchr(it, MARK, (size_t)(text + length - it))); it += TOKEN) {
            if (text + length - it < TOKEN)
                break;
            take_token(client, it + 1, at);
        }
    if (client->state == ENTERING)
        dialect->take(client, text, length);
}

/* Take whole lines, and return where the rest begins. */
static size_t take_lines(struct client *client, char *data, size_t length, uint64_t at)
{
    char *line = data, *end = data + length, *newline;
    while (client->state != GONE && (newline = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        size_t size = (size_t)(newline - line);
        *newline = 0;
        if (size > 0 && line[size - 1] == '\r')
            line[--size] = 0;
        take_early(client, line, size, at);
        line = newline + 1;
    }
    return (size_t)(line - data);
}

/* The same of WebSocket frames (RFC 6455, 5.2), those of a server: without mask. */
static size_t take_frames(struct client *client, char *data, size_t length, uint64_t at)
{
    size_t start = 0;
    if (client->state == UPGRADING) {
        char *blank = memmem(data, length, "\r\n\r\n", 4);
        if (blank == NULL)
            return 0;
        if (strncmp(data, "HTTP/1.1 101", 12) != 0) {
            leave(client, "no WebSocket");
            return 0;
        }
        client->state = ENTERING;
        dialect->begin(client);
        start = (size_t)(blank + 4 - data);
    }
    while (client->state != GONE && length - start >= 2) {
        unsigned char *head = (unsigned char *)data + start;
        size_t size = head[1] & 127, before = size < 126 ? 2 : size == 126 ? 4 : 10;
        if (length - start < before)
            break;
        if (size >= 126) {
            size = 0;
            for (size_t i = 2; i < before; i++)
                size = size << 8 | head[i];
        }
        if (length - start - before < size)
            break;
        char *payload = data + start + before, kept = payload[size];
        payload[size] = 0; /* there is room for one more byte */
        if ((head[0] & 15) == 1)
            take_early(client, payload, size, at);
        else if ((head[0] & 15) == 8)
            leave(client, "closed by the server");
        payload[size] = kept;
        start += before + size;
    }
    return start;
}

/* Before anything is counted, read line by line, for who is not in, and for who came. */
static void read_early(struct client *client, const char *data, size_t length, uint64_t at)
{
    struct buffer *in = &client->in;
    append(in, data, length);
    append(in, "", 1); /* a frame is read with a zero behind it */
    in->length--;
    size_t taken = (dialect->path != NULL ? take_frames : take_lines)(client, in->bytes, in->length, at);
    in->length -= taken;
    memmove(in->bytes, in->bytes + taken, in->length);
}

static void read_some(struct client *client)
{
    static char data[TOKEN + 262144];
    size_t held = is_begun ? client->in.length : 0;
    if (held > 0)
        memcpy(data, client->in.bytes, held);
    ssize_t received = recv(client->file, data + held, sizeof data - TOKEN, MSG_DONTWAIT);
    uint64_t at = now();
    if (received <= 0) {
        if (received == 0 || errno != EAGAIN)
            leave(client, received == 0 ? "closed by the server" : strerror(errno));
        return;
    }
    last_read = at;
    if (!is_begun) {
        read_early(client, data, (size_t)received, at);
    } else {
        int found = take_tokens(client, data, held + (size_t)received, at);
        if (found == 0 && memmem(data, (size_t)received, "PING", 4) != NULL)
            write_text(client, "PONG\r\n");
        if (found > 0 && acknowledges)
            for (; found > 0; found--)
                append(&client->out, dialect->acknowledgement, strlen(dialect->acknowledgement));
    }
    flush(client);
}

static void turn(uint64_t wait)
{
    static struct epoll_event events[MOST_EVENTS];
    struct timespec timeout = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
    int number = epoll_pwait2(polling, events, MOST_EVENTS, &timeout, NULL);
    for (int i = 0; i < number; i++) {
        struct client *client = events[i].data.ptr;
        if (client->state == CONNECTING && events[i].events & EPOLLOUT) {
            client->state = dialect->path != NULL ? UPGRADING : ENTERING;
            watch(client, EPOLL_CTL_MOD, 0);
            if (dialect->path == NULL)
                dialect->begin(client);
            else
                write_text(client,
                           "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                           dialect->path);
            flush(client);
        } else if (client->state != GONE && events[i].events & EPOLLOUT) {
            flush(client);
        }
        if (client->state != GONE && events[i].events & ~(unsigned)EPOLLOUT)
            read_some(client);
    }
}

/* How many notices all should read together, of those who came after them. */
static uint64_t announced(void)
{
    if (dialect->joined == NULL)
        return 0;
    return (uint64_t)entered * (entered - 1) / 2 + (dialect->reads_own_join ? entered : 0);
}

/* --- A run -------------------------------------------------------------------------------------------------- */

static uint32_t opened;

static void join_all(uint32_t until, uint64_t deadline)
{
    while (entered + refused < until && refused < MOST_REFUSALS && now() < deadline) {
        while (opened < until && opened < entered + refused + (uint32_t)at_once)
            connect_one(&clients[opened++]);
        turn(10000000);
    }
}

static int has_all_past(void)
{
    for (uint32_t i = 1; i < count; i++)
        if (clients[i].state == IN && clients[i].past < past)
            return 0;
    return 1;
}

/* Say what the others will have to read, one after the other. */
static void say_past(uint64_t deadline)
{
    for (int i = 0; i < past && now() < deadline; i++) {
        send_one(&clients[0], SPEAKER, now());
        flush(&clients[0]);
        while (dialect->echoes && clients[0].past <= i && now() < deadline)
            turn(1000000);
    }
    uint64_t until = now() + 300000000u; /* who does not read its own does not know when it is kept */
    while (!dialect->echoes && now() < until)
        turn(1000000);
    clients[0].number = 0;
    clients[0].in_flight = 0;
    sent = 0;
}

static void send_all(uint64_t begun)
{
    uint64_t end = begun + (uint64_t)(seconds * 1e9), at, due_count = 0;
    for (uint32_t i = 0; rate == 0 && i < senders; i++)
        ready[ready_count++] = i;
    while (sent < most) {
        uint64_t due = end;
        at = now();
        /* What is due before the end is sent, however late this process is woken. */
        while (rate > 0 && senders > 0 && sent < most) {
            due = begun + (uint64_t)((double)due_count * 1e9 / rate);
            if (due > at || due >= end)
                break;
            struct client *client = &clients[due_count++ % senders];
            if (client->state == IN) {
                send_one(client, client->id, due);
                flush(client);
            }
        }
        at = now();
        if (at >= end && due >= end)
            break;
        uint32_t number = ready_count;
        ready_count = 0;
        for (uint32_t i = 0; i < number; i++) {
            struct client *client = &clients[ready[i]];
            uint64_t begins = now();
            while (client->state == IN && client->in_flight < window && sent < most)
                send_one(client, client->id, begins);
            flush(client);
        }
        uint64_t next = due < end ? due : end;
        uint64_t wait = next > at ? next - at : 0;
        turn(wait < 50000000 ? wait : 50000000);
    }
}

/* How many messages all readers should have together, by who is still there. */
static uint64_t expected(void)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (clients[i].state == IN && is_private) {
            uint32_t from = (i + count - 1) % count;
            total += from < senders ? clients[from].number : 0;
        } else if (clients[i].state == IN) {
            total += sent - (!dialect->echoes && i < senders ? clients[i].number : 0);
        }
    }
    return total;
}

/* Wait a moment for something to read. Whether nothing has come for so long that nothing more will: however late
 * this process is woken, it reads what is there before it says so. */
static int is_over(const uint64_t *last, uint64_t since)
{
    uint64_t asked = now();
    turn(5000000);
    if (*last > since)
        since = *last;
    return asked > since && (double)(asked - since) / 1e9 > patience;
}

static void settle(void)
{
    uint64_t since = now();
    while (delivered < expected() + duplicated && !is_over(&last_delivery, since))
        ;
    since = now(); /* what comes twice comes soon */
    while (now() - since < 50000000)
        turn(5000000);
}

static void options(int number, char **words)
{
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects && number > 2; i++)
        if (strcmp(words[1], dialects[i].name) == 0)
            dialect = &dialects[i];
    for (char *rest = number > 2 ? words[2] : NULL, *it; (it = strsep(&rest, ",")) != NULL && port_count < MOST_PORTS;)
        ports[port_count++] = atoi(it);
    optind = 3;
    for (int option; dialect != NULL && (option = getopt(number, words, "c:s:w:r:t:b:o:m:q:pah:")) != -1;) {
        switch (option) {
        case 'c': count = (uint32_t)atoi(optarg); break;
        case 's': senders = (uint32_t)atoi(optarg); break;
        case 'w': window = atoi(optarg); break;
        case 'r': rate = atof(optarg); break;
        case 't': seconds = atof(optarg); break;
        case 'b': bytes = atoi(optarg); break;
        case 'o': at_once = atoi(optarg); break;
        case 'm': most = strtoull(optarg, NULL, 10); break;
        case 'q': patience = atof(optarg); break;
        case 'p': is_private = 1; break;
        case 'a': acknowledges = 1; break;
        case 'h': past = atoi(optarg); break;
        default: dialect = NULL;
        }
    }
    if (dialect == NULL || port_count == 0 || count < 2 || count > MOST_CLIENTS || senders > count || window < 1 ||
        rate < 0 || seconds < 0 || seconds > MOST_SECONDS || bytes < TOKEN || bytes > MOST_BYTES || at_once < 1) {
        fprintf(stderr, "generator DIALECT PORT[,PORT...] [-c clients] [-s senders] [-w in flight | -r messages/s]\n"
                        "    [-t seconds] [-b bytes] [-o at once] [-m most messages] [-q seconds] [-p] [-a] [-h messages]\n");
        exit(2);
    }
}

static void print(double began, double ended, double joined, double noticed, double sending, double reading, double cpu)
{
    uint64_t right = announced();
    printf("{\"began\":%.6f,\"ended\":%.6f,\"joins\":[{\"clients\":%u,\"seats\":0,\"seconds\":%.6f,", began, ended, entered,
           joined);
    printf("\"notices\":%lu,\"notices_expected\":%lu,\"notices_seconds\":%.6f,\"seats_per_second\":0.0,\"busiest\":%.4f}],",
           notices, right, noticed, senders == 0 || past > 0 ? cpu : 0.0);
    printf("\"sent\":{\"public\":%lu,\"private\":%lu,\"per_second\":%.3f,\"answered\":0},", is_private ? 0 : sent,
           is_private ? sent : 0, (double)sent / sending);
    printf("\"delivered\":{\"public\":%lu,\"private\":%lu,\"seconds\":%.6f,\"per_second\":%.3f,", is_private ? 0 : delivered,
           is_private ? delivered : 0, reading, (double)delivered / reading);
    printf("\"lost\":%lu,\"duplicated\":%lu,\"out_of_order\":%lu,\"disconnected\":%u},", lost, duplicated, disordered, gone);
    if (longest > 0)
        printf("\"latency\":{\"p50\":%.4f,\"p99\":%.4f,\"p99.9\":%.4f,\"max\":%.4f},", percentile(0.5), percentile(0.99),
               percentile(0.999), (double)longest / 1e6);
    else
        printf("\"latency\":{\"p50\":null,\"p99\":null,\"p99.9\":null,\"max\":null},");
    printf("\"tool\":{\"busiest\":%.4f},\"trouble\":[", cpu);
    const char *comma = "";
    struct {
        uint64_t number;
        const char *what;
    } wrong[] = {
        {lost, "messages were lost"},
        {duplicated, "messages came twice"},
        {disordered, "messages came out of order"},
        {gone, "clients were disconnected"},
        {notices < right ? right - notices : 0, "notices of who came were lost"},
        {notices > right ? notices - right : 0, "notices of who came came twice"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (wrong[i].number > 0) {
            printf("%s\"%lu %s\"", comma, wrong[i].number, wrong[i].what);
            comma = ",";
        }
    if (trouble[0])
        printf("%s\"%s\"", comma, trouble);
    printf("]}\n");
}

int main(int number, char **words)
{
    struct rlimit files;
    options(number, words);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    polling = epoll_create1(0);
    clients = calloc(count, sizeof *clients);
    ready = calloc(senders + 1, sizeof *ready);
    for (uint32_t i = 0; i < count; i++) {
        clients[i].id = i;
        clients[i].seen = calloc(is_private || senders == 0 ? 1 : senders, sizeof *clients[i].seen);
    }
    uint64_t deadline = now() + (uint64_t)(JOIN_SECONDS * 1e9);
    if (past > 0) {
        join_all(1, deadline);
        say_past(deadline);
    }
    uint64_t started = now(), before = entered;
    double began = of_clock(CLOCK_REALTIME), cpu = of_clock(CLOCK_PROCESS_CPUTIME_ID);
    join_all(count, deadline);
    double joined = (double)(now() - started) / 1e9;
    if (entered < count) {
        fprintf(stderr, "%u of %u clients could not enter within %.0f s: %s\n", count - entered, count, joined,
                trouble[0] ? trouble : "no answer");
        return 1;
    }
    uint64_t all_in = now();
    while (entered > before && (notices < announced() || (past > 0 && !has_all_past())) && !is_over(&last_read, all_in))
        ;
    uint64_t last = last_notice > last_delivery ? last_notice : last_delivery;
    double noticed = last > started ? (double)(last - started) / 1e9 : 0;
    if (senders == 0 || past > 0) { /* coming is all that is measured */
        double took = noticed > joined ? noticed : joined;
        for (uint32_t i = 1; past > 0 && i < count; i++)
            if (clients[i].past != past)
                *(clients[i].past < past ? &lost : &duplicated) += (uint64_t)abs(past - clients[i].past);
        print(began, began + took, joined, noticed, took, took,
              (of_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)(now() - started) * 1e9);
        return 0;
    }
    while ((double)(now() - last_read) / 1e9 < QUIET_SECONDS)
        turn(10000000);
    for (uint32_t i = 0; i < count; i++)
        clients[i].in.length = 0;
    is_begun = 1;
    began = of_clock(CLOCK_REALTIME);
    cpu = of_clock(CLOCK_PROCESS_CPUTIME_ID);
    started = now();
    send_all(started);
    double sending = (double)(now() - started) / 1e9;
    cpu = (of_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu) / sending;
    double ended = of_clock(CLOCK_REALTIME);
    settle();
    uint64_t right = expected(), arrived = delivered - duplicated;
    lost = right > arrived ? right - arrived : 0;
    double reading = last_delivery > started ? (double)(last_delivery - started) / 1e9 : sending;
    print(began, ended, joined, noticed, sending, reading, cpu);
    return 0;
}
