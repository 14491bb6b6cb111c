#include "protocol/dns/reply.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace telltale::dns {
namespace {

constexpr std::size_t header_size = 12;
constexpr std::size_t max_name_size = 255;  // RFC 1035 2.3.4
constexpr std::uint16_t class_in = 1;
constexpr std::uint16_t type_cname = 5;

/// Reads from the front of a message; once something was missing, everything is.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> message) : message_(message) {}

  bool failed() const { return failed_; }
  void fail() { failed_ = true; }
  std::size_t position() const { return at_; }

  std::span<const std::uint8_t> take(std::size_t size) {
    if (failed_ || message_.size() - at_ < size) {
      fail();
      return {};
    }
    return message_.subspan(std::exchange(at_, at_ + size), size);
  }
  std::uint16_t u16() {
    const auto octets = take(2);
    return octets.empty() ? std::uint16_t{0} : static_cast<std::uint16_t>(octets[0] << 8 | octets[1]);
  }
  std::uint32_t u32() {
    const std::uint32_t high = u16();
    return high << 16 | u16();
  }

  /// A name in text, its labels joined by dots (RFC 1035 4.1.4). A label with an octet that no host's name has, or a
  /// dot in it, fails: it would read as another name.
  std::string name() {
    std::string text;
    std::size_t at = at_, limit = at_;
    bool jumped = false;
    while (!failed_) {
      const std::size_t length = octet(at++);
      if (length == 0) break;
      if (length >= 0xc0) {
        const std::size_t target = (length & 0x3f) << 8 | octet(at++);
        if (!jumped) at_ = at;
        jumped = true;
        // Only ever backwards: no loop.
        if (target >= limit) fail();
        at = limit = target;
        continue;
      }
      if (length > 63) fail();
      if (!text.empty()) text += '.';
      for (std::size_t i = 0; i < length && !failed_; ++i) append(text, octet(at++));
      if (text.size() > max_name_size) fail();
    }
    if (!jumped) at_ = at;
    return text;
  }

  void skip_name() {
    for (;;) {
      const auto length = take(1);
      if (failed_ || length[0] == 0) return;
      if (length[0] >= 0xc0) {
        take(1);
        return;
      }
      if (length[0] > 63) fail();
      take(length[0]);
    }
  }

 private:
  std::uint8_t octet(std::size_t at) {
    if (at < message_.size()) return message_[at];
    fail();
    return 0;
  }
  void append(std::string& text, std::uint8_t c) {
    if (c >= 'A' && c <= 'Z') c = static_cast<std::uint8_t>(c - 'A' + 'a');
    const bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!fits) fail();
    text += static_cast<char>(c);
  }

  std::span<const std::uint8_t> message_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

/// The data of a record of the type that was asked for.
void read_data(Reader& reader, RecordType type, std::size_t size, Reply& reply) {
  if (type == RecordType::srv) {
    const std::size_t end = reader.position() + size;
    SrvRecord record;
    record.priority = reader.u16();
    record.weight = reader.u16();
    record.port = reader.u16();
    record.target = reader.name();
    if (reader.position() != end) reader.fail();
    reply.services.push_back(std::move(record));
    return;
  }
  const std::size_t wanted = type == RecordType::a ? 4 : 16;
  const auto octets = reader.take(size);
  if (octets.size() != wanted) return reader.fail();
  reply.addresses.push_back(type == RecordType::a ? net::IpAddress::v4(octets.first<4>())
                                                  : net::IpAddress::v6(octets.first<16>()));
}

void read_answer(Reader& reader, RecordType type, std::uint32_t& ttl, Reply& reply) {
  reader.skip_name();
  const std::uint16_t record_type = reader.u16(), record_class = reader.u16();
  std::uint32_t record_ttl = reader.u32();
  if (record_ttl > std::numeric_limits<std::int32_t>::max()) record_ttl = 0;  // RFC 2181 8
  const std::size_t size = reader.u16();
  const bool wanted = record_class == class_in && record_type == static_cast<std::uint16_t>(type);
  if (wanted) {
    read_data(reader, type, size, reply);
  } else {
    reader.take(size);
  }
  if (wanted || record_type == type_cname) ttl = std::min(ttl, record_ttl);
}

template <class T>
void sort_unique(std::vector<T>& all) {
  std::ranges::sort(all);
  const auto rest = std::ranges::unique(all);
  all.erase(rest.begin(), rest.end());
}

}  // namespace

std::optional<Reply> parse_reply(std::span<const std::uint8_t> message, RecordType type) {
  if (message.size() < header_size) return std::nullopt;
  Reader reader(message);
  reader.u16();  // the id: whoever asked has compared it
  const std::uint16_t flags = reader.u16();
  const unsigned questions = reader.u16(), answers = reader.u16();
  reader.u32();
  if ((flags & 0x8000) == 0) return std::nullopt;
  Reply reply{.rcode = static_cast<std::uint8_t>(flags & 0x0f)};
  for (unsigned i = 0; i < questions && !reader.failed(); ++i) {
    reader.skip_name();
    reader.u32();
  }
  std::uint32_t ttl = std::numeric_limits<std::uint32_t>::max();
  for (unsigned i = 0; i < answers && !reader.failed(); ++i) read_answer(reader, type, ttl, reply);
  if (reader.failed()) return std::nullopt;
  sort_unique(reply.addresses);
  sort_unique(reply.services);
  if (!reply.is_empty()) reply.ttl_seconds = ttl;
  return reply;
}

}  // namespace telltale::dns
