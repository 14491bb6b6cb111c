#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace telltale::dns::test {

/// A response, octet by octet, as RFC 1035 4 has it.
class MessageBuilder {
 public:
  explicit MessageBuilder(unsigned rcode = 0, unsigned flags = 0x8180) {
    u16(0x4711);
    u16(flags | rcode);
    octets_.append(8, '\0');
  }
  /// A name as labels; `octets` behind it, to end with a pointer instead of the root.
  static std::string name(std::string_view text, std::string_view octets = std::string_view("\0", 1)) {
    std::string out;
    while (!text.empty()) {
      const std::string_view label = text.substr(0, text.find('.'));
      out += static_cast<char>(label.size());
      out += label;
      text.remove_prefix(std::min(text.size(), label.size() + 1));
    }
    return out.append(octets);
  }
  static std::string number(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)}; }
  /// A pointer to an offset.
  static std::string pointer(unsigned offset) { return number(0xc000 | offset); }
  static std::string srv(unsigned priority, unsigned weight, unsigned port, std::string_view target) {
    return number(priority) + number(weight) + number(port) + std::string(target);
  }

  MessageBuilder& question(std::string_view text, unsigned type) {
    ++questions_;
    octets_ += name(text);
    u16(type);
    u16(1);
    return *this;
  }
  /// `owner` as octets; by default a pointer to the question.
  MessageBuilder& answer(unsigned type, std::uint32_t ttl, std::string_view data, std::string owner = pointer(12),
                         unsigned record_class = 1) {
    ++answers_;
    octets_ += owner;
    u16(type);
    u16(record_class);
    u16(ttl >> 16);
    u16(ttl & 0xffff);
    u16(static_cast<unsigned>(data.size()));
    octets_ += data;
    return *this;
  }
  MessageBuilder& more_answers(unsigned n) {
    answers_ += n;
    return *this;
  }
  std::string text() const {
    std::string all = octets_;
    all.replace(4, 4, number(questions_) + number(answers_));
    return all;
  }

 private:
  void u16(unsigned value) { octets_ += number(value); }
  std::string octets_;
  unsigned questions_ = 0, answers_ = 0;
};

inline std::span<const std::uint8_t> octets(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace telltale::dns::test
