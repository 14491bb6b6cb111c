#pragma once

#include "conf/environment.h"
#include "conf/expand.h"
#include "conf/text.h"
#include "conf/words.h"

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What expand() is made of: a writer, and a function for each noun of the model.
namespace telltale::conf {

/// Writes block-style YAML.
class Emitter {
 public:
  explicit Emitter(Comments comments) : comments_(comments) {}
  void open(std::string_view key) {
    begin(key);
    out_ += '\n';
    depth_ += 2;
  }
  void close() { depth_ -= 2; }
  /// The next field starts an item of the list that is open.
  void item() {
    item_ = true;
    depth_ += 2;
  }

  void word(std::string_view key, std::string_view value) {
    begin(key);
    out_.append(" ").append(value).append("\n");
  }
  void text(std::string_view key, std::string_view value) { word(key, quote_yaml(escape_environment(value))); }
  void text_if_any(std::string_view key, std::string_view value) {
    if (!value.empty()) text(key, value);
  }
  /// A template: variables of the environment are not expanded in it, so it is not escaped.
  void format(std::string_view key, std::string_view value) { word(key, quote_yaml(value)); }
  void flag(std::string_view key, bool value) { word(key, value ? "true" : "false"); }
  void number(std::string_view key, std::uint64_t value) { word(key, std::to_string(value)); }
  template <std::unsigned_integral T>
  void number(std::string_view key, const std::optional<T>& value) {
    if (value) number(key, std::uint64_t{*value});
  }
  void size(std::string_view key, std::uint64_t value) { word(key, format_size(value)); }
  void duration(std::string_view key, Milliseconds value) { word(key, format_duration(value)); }
  void address(std::string_view key, const Address& value) { text(key, value.to_string()); }
  template <class E>
  void choice(std::string_view key, E value) {
    word(key, word_of(value));
  }
  void list(std::string_view key, const std::vector<std::string>& values) {
    std::string all;
    for (const std::string& value : values) all += (all.empty() ? "" : ", ") + quote_yaml(escape_environment(value));
    word(key, "[" + all + "]");
  }
  void statuses(std::string_view key, const std::vector<StatusRange>& values) {
    std::vector<std::string> texts;
    texts.reserve(values.size());
    for (const StatusRange& value : values) texts.push_back(format_statuses(value));
    list(key, texts);
  }
  void ranges(std::string_view key, const RangeList& given) {
    std::vector<std::string> values = given.published;
    for (const net::Cidr& range : given.ranges) values.push_back(range.to_string());
    if (given.includes_unix) values.emplace_back("unix");
    list(key, values);
  }
  /// A line of its own before the next field.
  void comment(std::string_view text) {
    if (comments_ == Comments::none) return;
    out_.append(depth_ - (item_ ? 2 : 0), ' ');
    out_.append("# ").append(text).append("\n");
  }

  std::string take() { return std::move(out_); }

 private:
  void begin(std::string_view key) {
    out_.append(depth_ - (item_ ? 2 : 0), ' ');
    if (item_) out_ += "- ";
    item_ = false;
    out_.append(key).append(":");
  }
  Comments comments_;
  std::string out_;
  std::size_t depth_ = 0;
  bool item_ = false;
};

/// `0xE4`; 0 is `off`.
std::string tlv_type_word(std::uint8_t type);

void write_listener(Emitter& out, const Listener& listener, const Model& model);
void write_service(Emitter& out, const Service& service);
void write_nodes(Emitter& out, const std::vector<Node>& nodes);
void write_endpoints(Emitter& out, const std::vector<Endpoint>& endpoints);
void write_health(Emitter& out, std::string_view field, const Health& health);
/// `sni`, `verify` and `ca`.
void write_verification(Emitter& out, const BackendTls& tls);
void write_propagate(Emitter& out, const forwarding::Propagate& propagate);
void write_service_timeouts(Emitter& out, const ServiceTimeouts& timeouts);
void write_retries(Emitter& out, const Retries& retries);

}  // namespace telltale::conf
