// The backend of the benchmarks: answers GETs with prebuilt responses of a fixed size, chosen by path, from one thread.
// It reads no more of a request than it needs: the end of the head, the path, and whether the connection goes on.
//
//   backend PORT      listens on 127.0.0.1:PORT
//   backend PORT lo   listens on that port of every address of the loopback interface, 127.0.0.0/8
//   GET /128 /64k /1m a body of that size
//   GET /healthz      what kube-proxy says of a node with one endpoint, with the present time in its Date
//   GET /seen         the request head as it arrived, so that the harness can see what a proxy told us
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kMaxHead = 16384, kEvents = 512 };

struct answer {
  const char* path;
  size_t body_bytes;
  char* octets;
  size_t length;
};
static struct answer answers[] = {{"/128 ", 128, 0, 0}, {"/64k ", 64 << 10, 0, 0}, {"/1m ", 1 << 20, 0, 0}};
static struct answer not_found = {"", 0, 0, 0};
static struct answer healthz = {"/healthz ", 0, 0, 0};

struct connection {
  int fd;
  size_t have;      // octets of requests not yet answered
  const char* out;  // what is left of the response being sent
  size_t out_left;
  char* owned;  // `out` of /seen, freed when sent
  bool close_after, waits_for_room;
  char in[kMaxHead];
};

static int epoll_fd;

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void prepare(struct answer* answer, const char* status) {
  char head[256];
  const int head_bytes = snprintf(head, sizeof head,
                                  "HTTP/1.1 %s\r\nServer: backend\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                                  "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n",
                                  status, answer->body_bytes);
  answer->length = (size_t)head_bytes + answer->body_bytes;
  answer->octets = malloc(answer->length);
  if (!answer->octets) die("malloc");
  memcpy(answer->octets, head, (size_t)head_bytes);
  memset(answer->octets + head_bytes, 'x', answer->body_bytes);
}

static const struct answer* current_healthz(void) {
  static char octets[512];
  static time_t of;
  const time_t now = time(NULL);
  if (now != of) {
    const char* body =
        "{\n\t\"service\": {\n\t\t\"namespace\": \"default\",\n\t\t\"name\": \"loadbalancer\"\n\t},\n"
        "\t\"localEndpoints\": 1,\n\t\"serviceProxyHealthy\": true\n}";
    char date[64];
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&now));
    const int length =
        snprintf(octets, sizeof octets,
                 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
                 "X-Load-Balancing-Endpoint-Weight: 1\r\nDate: %s\r\nContent-Length: %zu\r\n\r\n%s",
                 date, strlen(body), body);
    healthz.octets = octets;
    healthz.length = (size_t)length;
    of = now;
  }
  return &healthz;
}

static void answer_with_head(struct connection* c, size_t head_bytes) {
  c->owned = malloc(head_bytes + 128);
  if (!c->owned) die("malloc");
  const int n =
      sprintf(c->owned, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", head_bytes);
  memcpy(c->owned + n, c->in, head_bytes);
  c->out = c->owned;
  c->out_left = (size_t)n + head_bytes;
}

// Chooses the response to the request whose head is the first `head_bytes` of `in`.
static void choose(struct connection* c, size_t head_bytes) {
  c->in[head_bytes - 2] = 0;  // within the final CRLF: the searches below end there
  c->close_after = strcasestr(c->in, "\r\nconnection: close\r\n") || strstr(c->in, " HTTP/1.0\r\n");
  c->in[head_bytes - 2] = '\r';
  const char* path = c->in + 4;
  if (strncmp(c->in, "GET ", 4) == 0 && strncmp(path, "/seen ", 6) == 0) {
    answer_with_head(c, head_bytes);
    return;
  }
  const struct answer* chosen = &not_found;
  for (size_t i = 0; i < sizeof answers / sizeof *answers; ++i)
    if (strncmp(path, answers[i].path, strlen(answers[i].path)) == 0) chosen = &answers[i];
  if (strncmp(path, healthz.path, strlen(healthz.path)) == 0) chosen = current_healthz();
  c->out = chosen->octets;
  c->out_left = chosen->length;
}

static void end(struct connection* c) {
  close(c->fd);
  free(c->owned);
  free(c);
}

static void want(struct connection* c, bool room) {
  if (c->waits_for_room == room) return;
  c->waits_for_room = room;
  struct epoll_event event = {.events = room ? EPOLLOUT : EPOLLIN, .data.ptr = c};
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

// False: the connection is over.
static bool send_rest(struct connection* c) {
  while (c->out_left > 0) {
    const ssize_t n = send(c->fd, c->out, c->out_left, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno != EAGAIN) return false;
      want(c, true);
      return true;
    }
    c->out += n;
    c->out_left -= (size_t)n;
  }
  free(c->owned);
  c->owned = NULL;
  want(c, false);
  return !c->close_after;
}

static bool answer_all(struct connection* c) {
  while (c->out_left == 0 && c->have > 0) {
    char* last = memmem(c->in, c->have, "\r\n\r\n", 4);
    if (!last) return c->have < kMaxHead;
    const size_t head_bytes = (size_t)(last - c->in) + 4;
    choose(c, head_bytes);
    c->have -= head_bytes;
    memmove(c->in, c->in + head_bytes, c->have);
    if (!send_rest(c)) return false;
  }
  return true;
}

static void on_event(struct connection* c, unsigned events) {
  if (events & EPOLLOUT) {
    if (!send_rest(c) || !answer_all(c)) end(c);
    return;
  }
  const ssize_t n = recv(c->fd, c->in + c->have, kMaxHead - c->have, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n > 0) c->have += (size_t)n;
  if (n <= 0 || !answer_all(c)) end(c);
}

static void accept_all(int listener) {
  for (;;) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    struct connection* c = malloc(sizeof *c);
    if (!c) die("malloc");
    memset(c, 0, offsetof(struct connection, in));
    c->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
  }
}

int main(int argc, char** argv) {
  const bool everywhere = argc == 3 && strcmp(argv[2], "lo") == 0;
  if (argc != 2 && !everywhere) return fprintf(stderr, "usage: %s PORT [lo]\n", argv[0]), 64;
  for (size_t i = 0; i < sizeof answers / sizeof *answers; ++i) prepare(&answers[i], "200 OK");
  prepare(&not_found, "404 Not Found");
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)atoi(argv[1])),
                                .sin_addr = {htonl(everywhere ? INADDR_ANY : INADDR_LOOPBACK)}};
  if (everywhere && setsockopt(listener, SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof "lo")) die("SO_BINDTODEVICE");
  if (bind(listener, (struct sockaddr*)&address, sizeof address) || listen(listener, 4096)) die("listen");
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
  for (struct epoll_event events[kEvents];;) {
    const int n = epoll_wait(epoll_fd, events, kEvents, -1);
    for (int i = 0; i < n; ++i) {
      if (events[i].data.ptr)
        on_event(events[i].data.ptr, events[i].events);
      else
        accept_all(listener);
    }
  }
}
