// A closed-loop HTTP/1.1 load that costs as little as it can, so that the proxy and not the load is what is busy: one
// recv and one send a request, bodies discarded in the kernel. It believes no response: the status must be 200 and the
// length what the head says.
//
//   load PORT PATH CONNECTIONS SECONDS [close] [tls [resume]]      to 127.0.0.1
// close: a connection for each request. tls: over TLS 1.3, with a full handshake for each connection. resume: with a
// session that the server gave before, each used once, as long as there is one.
// prints {"requests": N, "seconds": S, "p50": µs, "p99": µs} and ends with 1 on the first error.
#define _GNU_SOURCE
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kMaxHead = 8192, kEvents = 512, kBuckets = 1 << 20, kSessions = 256 };

struct connection {
  int fd;
  SSL* ssl;  // null: plain
  bool established;
  bool in_body;
  size_t have;  // octets of a head that is not yet complete
  size_t left;  // of the body
  long long sent_ns;
  char in[kMaxHead];
};

static struct sockaddr_in target = {.sin_family = AF_INET};
static char request[512];
static size_t request_bytes;
static bool close_each, stopping;
static SSL_CTX* tls;  // null: plain
static bool resumes;
static SSL_SESSION* sessions[kSessions];  // that came and were not used yet
static int session_count;
static long handshakes, resumed;
static int epoll_fd;
static long outstanding, completed;
static unsigned latencies[kBuckets];  // one bucket a microsecond; the last holds the rest

static void die(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}

static long long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void ask(struct connection* c) {
  if (!close_each) c->sent_ns = now_ns();
  if (c->ssl) {
    if (SSL_write(c->ssl, request, (int)request_bytes) != (int)request_bytes) die("SSL_write");
  } else if (send(c->fd, request, request_bytes, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)request_bytes) {
    die("send: %s", strerror(errno));
  }
  ++outstanding;
}

// False: the server has to say more first.
static bool shake_hands(struct connection* c) {
  const int done = SSL_connect(c->ssl);
  if (done != 1) {
    if (SSL_get_error(c->ssl, done) != SSL_ERROR_WANT_READ) die("the TLS handshake failed");
    return false;
  }
  c->established = true;
  ++handshakes;
  resumed += SSL_session_reused(c->ssl);
  return true;
}

// As recv(), of what was sent to us in clear or not; without `into` it is thrown away.
static ssize_t take(struct connection* c, char* into, size_t room) {
  static char nowhere[1 << 16];
  if (!c->ssl) return recv(c->fd, into, room, MSG_DONTWAIT | (into ? 0 : MSG_TRUNC));
  if (!into && room > sizeof nowhere) room = sizeof nowhere;
  const int n = SSL_read(c->ssl, into ? into : nowhere, (int)room);
  if (n > 0) return n;
  const int error = SSL_get_error(c->ssl, n);
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  if (error != SSL_ERROR_WANT_READ) die("SSL_read: %d", error);
  errno = EAGAIN;
  return -1;
}

static void open_connection(struct connection* c) {
  const int on = 1;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (c->fd < 0 || connect(c->fd, (const struct sockaddr*)&target, sizeof target)) die("connect: %s", strerror(errno));
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
  c->sent_ns = now_ns();
  if (!tls) return ask(c);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  c->ssl = SSL_new(tls);
  c->established = false;
  SSL_set_fd(c->ssl, c->fd);
  if (session_count > 0) {
    SSL_set_session(c->ssl, sessions[--session_count]);
    SSL_SESSION_free(sessions[session_count]);
  }
  shake_hands(c);
}

static void close_connection(struct connection* c) {
  if (c->ssl) {
    SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN);  // else OpenSSL takes the session for a broken one
    SSL_free(c->ssl);
  }
  c->ssl = NULL;
  close(c->fd);
}

static void count(struct connection* c) {
  const long long us = (now_ns() - c->sent_ns) / 1000;
  ++latencies[us < kBuckets ? us : kBuckets - 1];
  ++completed;
  --outstanding;
  c->have = 0;
  c->in_body = false;
}

static size_t length_of(const char* head) {
  if (strncmp(head, "HTTP/1.1 200 ", 13) != 0) die("answered: %.200s", head);
  const char* length = strcasestr(head, "\r\ncontent-length:");
  if (!length) die("no Content-Length: %.500s", head);
  return strtoul(length + 17, NULL, 10);
}

// The proxy closes after the response; our own close comes second, so that no port of ours waits.
static void on_end(struct connection* c) {
  if (!close_each || !c->in_body || c->left > 0) die("closed after %zu octets of a head", c->have);
  count(c);
  close_connection(c);
  if (!stopping) open_connection(c);
}

static void on_body(struct connection* c, size_t octets) {
  if (octets > c->left) die("more octets than the response has");
  c->left -= octets;
  if (c->left > 0 || close_each) return;
  count(c);
  if (!stopping) ask(c);
}

// False: there is no more for now, or the connection is another one.
static bool read_some(struct connection* c) {
  if (c->in_body) {
    char rest;  // TCP discards what MSG_TRUNC asks for without a copy
    const ssize_t n = take(c, c->left > 0 ? NULL : &rest, c->left > 0 ? c->left : 1);
    if (n > 0) on_body(c, (size_t)n);
    if (n == 0) on_end(c);
    if (n < 0 && errno != EAGAIN) die("recv: %s", strerror(errno));
    return n > 0;
  }
  const ssize_t n = take(c, c->in + c->have, kMaxHead - 1 - c->have);
  if (n == 0) on_end(c);
  if (n < 0 && errno != EAGAIN) die("recv: %s", strerror(errno));
  if (n <= 0) return false;
  c->have += (size_t)n;
  c->in[c->have] = 0;
  const char* end = strstr(c->in, "\r\n\r\n");
  if (!end) {
    if (c->have == kMaxHead - 1) die("a head of more than %d octets", kMaxHead - 1);
    return true;
  }
  const size_t head_bytes = (size_t)(end - c->in) + 4;
  c->left = length_of(c->in);
  c->in_body = true;
  on_body(c, c->have - head_bytes);
  return true;
}

static void on_readable(struct connection* c) {
  if (c->ssl && !c->established) {
    if (shake_hands(c)) ask(c);
    return;
  }
  // What OpenSSL has taken from the socket is nothing that epoll tells of.
  while (read_some(c) && c->ssl && SSL_has_pending(c->ssl)) {
  }
}

static int keep_session(SSL* ssl, SSL_SESSION* given) {
  (void)ssl;
  if (session_count == kSessions) return 0;
  sessions[session_count++] = given;
  return 1;
}

static void use_tls(void) {
  tls = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
  SSL_CTX_set_read_ahead(tls, 1);
  SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);  // not every peer says close_notify
}

static void use_sessions(void) {
  resumes = true;
  SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(tls, keep_session);
}

static void wait_some(int milliseconds) {
  struct epoll_event events[kEvents];
  const int n = epoll_wait(epoll_fd, events, kEvents, milliseconds);
  for (int i = 0; i < n; ++i) on_readable(events[i].data.ptr);
}

static long percentile(int percent) {
  long seen = 0;
  for (long us = 0; us < kBuckets; ++us)
    if ((seen += latencies[us]) * 100 >= completed * percent) return us;
  return kBuckets;
}

int main(int argc, char** argv) {
  if (argc < 5) return fprintf(stderr, "usage: %s PORT PATH CONNECTIONS SECONDS [close] [tls [resume]]\n", argv[0]), 64;
  const int connections = atoi(argv[3]);
  for (int i = 5; i < argc; ++i) {
    if (!strcmp(argv[i], "close")) close_each = true;
    if (!strcmp(argv[i], "tls")) use_tls();
    if (!strcmp(argv[i], "resume") && tls) use_sessions();
  }
  target.sin_port = htons((unsigned short)atoi(argv[1]));
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  request_bytes = (size_t)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n%s\r\n", argv[2],
                                   argv[1], close_each ? "Connection: close\r\n" : "");
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  struct connection* all = calloc((size_t)connections, sizeof *all);
  if (!all) die("calloc");
  const long long start = now_ns(), end = start + (long long)(atof(argv[4]) * 1e9);
  for (int i = 0; i < connections; ++i) open_connection(&all[i]);
  while (now_ns() < end) wait_some(100);
  const double seconds = (double)(now_ns() - start) / 1e9;
  const long in_time = completed;
  stopping = true;
  const long long patience = now_ns() + 10000000000LL;
  while (outstanding > 0) {
    if (now_ns() > patience) die("%ld requests without an answer", outstanding);
    wait_some(100);
  }
  if (completed == 0) die("nothing completed");
  if (resumes && resumed < handshakes - connections)
    die("%ld of %ld handshakes resumed a session", resumed, handshakes);
  printf("{\"requests\": %ld, \"in_time\": %ld, \"seconds\": %.6f, \"p50\": %ld, \"p99\": %ld}\n", completed, in_time,
         seconds, percentile(50), percentile(99));
}
