#pragma once

#include "protocol/net/ip_address.h"
#include "tests/unit/proxy/observe/temporary_directory.h"

#include <arpa/inet.h>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <spawn.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

extern char** environ;

namespace telltale::proxy::test {

/// The real dnsmasq on 127.0.0.1, for the zone `test`, from a hosts file that may be replaced.
class Dnsmasq {
 public:
  explicit Dnsmasq(std::string_view hosts, std::vector<std::string> arguments = {}) {
    write_hosts(hosts);
    arguments.insert(arguments.begin(), {"dnsmasq", "--conf-file=/dev/null", "--no-daemon", "--no-resolv", "--no-hosts",
                                         "--local=/test/", "--bind-interfaces", "--listen-address=127.0.0.1",
                                         "--pid-file=", "--user=", "--addn-hosts=" + hosts_});
    arguments.emplace_back();
    // Somebody may have taken the port meanwhile, or have it for TCP.
    for (int tries_left = 10; tries_left > 0; --tries_left) {
      port_ = free_port();
      arguments.back() = "--port=" + std::to_string(port_);
      start(arguments);
      if (answers()) return;
      stop();
    }
    throw std::runtime_error("dnsmasq does not answer: " + read_file(log_));
  }
  ~Dnsmasq() { stop(); }
  Dnsmasq(const Dnsmasq&) = delete;
  Dnsmasq& operator=(const Dnsmasq&) = delete;

  net::IpPort address() const { return {net::IpAddress::v4(127, 0, 0, 1), port_}; }
  void replace_hosts(std::string_view hosts) {
    write_hosts(hosts);
    ::kill(pid_, SIGHUP);
  }
  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  void write_hosts(std::string_view hosts) const { std::ofstream(hosts_) << hosts; }

  /// It cannot be told to take any port: one that nobody has now.
  static std::uint16_t free_port() {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                       ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    ::close(fd);
    if (!bound) throw std::runtime_error("no port for dnsmasq");
    return ntohs(address.sin_port);
  }
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  void start(const std::vector<std::string>& arguments) {
    std::vector<char*> argv;
    for (const auto& each : arguments) argv.push_back(const_cast<char*>(each.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int failed = ::posix_spawn(&pid_, "/usr/sbin/dnsmasq", &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) throw std::runtime_error("dnsmasq is not installed; docker/packages.txt lists it");
  }

  /// Waits until it does, or has ended.
  bool answers() {
    const std::string_view query("\x47\x11\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01x\x04test\x00\x00\x01\x00\x01",
                                 24);
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const timeval patience{.tv_sec = 0, .tv_usec = 20'000};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const sockaddr_in address = loopback(port_);
    ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    bool answered = false;
    while (!answered && std::chrono::steady_clock::now() < end) {
      if (::waitpid(pid_, nullptr, WNOHANG) != 0) {
        pid_ = 0;
        break;
      }
      char octets[512];
      ::send(fd, query.data(), query.size(), 0);
      answered = ::recv(fd, octets, sizeof octets, 0) > 0;
    }
    ::close(fd);
    return answered;
  }

  TemporaryDirectory directory_;
  std::string hosts_ = directory_ / "hosts", log_ = directory_ / "log";
  std::uint16_t port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace telltale::proxy::test
