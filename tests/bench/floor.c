// The floor: what it costs to move a request and its response through a process that looks at neither. Every readable
// descriptor costs one recv and one send, and a share of one epoll_wait; nothing is parsed, logged, timed or pooled.
// Each client connection has one backend connection of its own.
//
//   floor LISTEN_PORT BACKEND_PORT      both on 127.0.0.1
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kBuffer = 1 << 16, kEvents = 512 };

struct side {
  int fd;
  bool over;
  struct side* peer;
  char* rest;  // of what the peer read and this side could not yet send
  size_t rest_at, rest_end;
  struct side* next_dead;
};

static int epoll_fd;
static struct side* dead;
static char buffer[kBuffer];

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void watch(struct side* side, int operation, unsigned events) {
  struct epoll_event event = {.events = events, .data.ptr = side};
  epoll_ctl(epoll_fd, operation, side->fd, &event);
}

// Both sides stay in memory until the pass is over: later events of it may name them.
static void end(struct side* side) {
  struct side* both[] = {side, side->peer};
  for (int i = 0; i < 2; ++i) {
    if (both[i]->over) continue;
    both[i]->over = true;
    close(both[i]->fd);
    both[i]->next_dead = dead;
    dead = both[i];
  }
}

static void bury(void) {
  while (dead) {
    struct side* side = dead;
    dead = side->next_dead;
    free(side->rest);
    free(side);
  }
}

static void flush(struct side* to) {
  const ssize_t n = send(to->fd, to->rest + to->rest_at, to->rest_end - to->rest_at, MSG_NOSIGNAL);
  if (n < 0) {
    if (errno != EAGAIN) end(to);
    return;
  }
  to->rest_at += (size_t)n;
  if (to->rest_at < to->rest_end) return;
  to->rest_end = 0;
  watch(to, EPOLL_CTL_MOD, EPOLLIN);
  watch(to->peer, EPOLL_CTL_MOD, EPOLLIN);
}

static void relay(struct side* from) {
  struct side* to = from->peer;
  const ssize_t n = recv(from->fd, buffer, sizeof buffer, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    end(from);
    return;
  }
  ssize_t sent = send(to->fd, buffer, (size_t)n, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) {
    end(from);
    return;
  }
  if (sent < 0) sent = 0;
  if (sent == n) return;
  if (!to->rest) to->rest = malloc(kBuffer);
  if (!to->rest) die("malloc");
  memcpy(to->rest, buffer + sent, (size_t)(n - sent));
  to->rest_at = 0;
  to->rest_end = (size_t)(n - sent);
  watch(to, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  watch(from, EPOLL_CTL_MOD, 0);  // no more until that is gone
}

static struct side* new_side(int fd) {
  struct side* side = calloc(1, sizeof *side);
  if (!side) die("calloc");
  side->fd = fd;
  return side;
}

static void accept_all(int listener, const struct sockaddr_in* backend) {
  const int on = 1;
  for (;;) {
    const int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;
    // A loopback connect ends at once, so it may block.
    const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server < 0 || connect(server, (const struct sockaddr*)backend, sizeof *backend)) die("connect");
    fcntl(server, F_SETFL, O_NONBLOCK);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct side* left = new_side(client);
    struct side* right = new_side(server);
    left->peer = right;
    right->peer = left;
    watch(left, EPOLL_CTL_ADD, EPOLLIN);
    watch(right, EPOLL_CTL_ADD, EPOLLIN);
  }
}

int main(int argc, char** argv) {
  if (argc != 3) return fprintf(stderr, "usage: %s LISTEN_PORT BACKEND_PORT\n", argv[0]), 64;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct sockaddr_in backend = address;
  address.sin_port = htons((unsigned short)atoi(argv[1]));
  backend.sin_port = htons((unsigned short)atoi(argv[2]));
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) || listen(listener, 4096)) die("listen");
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
  for (struct epoll_event events[kEvents];;) {
    const int n = epoll_wait(epoll_fd, events, kEvents, -1);
    for (int i = 0; i < n; ++i) {
      struct side* side = events[i].data.ptr;
      if (!side)
        accept_all(listener, &backend);
      else if (!side->over && (events[i].events & EPOLLOUT))
        flush(side);
      else if (!side->over)
        relay(side);
    }
    bury();
  }
}
