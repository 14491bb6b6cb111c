#include "conf/yaml_tree.h"

#include "conf/text.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/node/node.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <unordered_map>

namespace telltale::conf {
namespace {

/// Thrown through the parser to end it; the diagnostic is already recorded.
struct Stop {};

struct Place {
  std::size_t line, column;
};
Place place_of(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return {static_cast<std::size_t>(std::ranges::count(before, '\n')) + 1, offset - line_start + 1};
}

/// From 1; empty beyond the last.
std::string_view line_at(std::string_view text, std::size_t line) {
  for (; line > 1; --line) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

Diagnostic error_at(Place place, std::string message, std::string hint = {}) {
  return {Severity::error, place.line, place.column, {}, std::move(message), std::move(hint)};
}

/// What can be refused before the parser sees it.
bool acceptable(std::string_view text, std::vector<Diagnostic>& diagnostics) {
  if (text.size() > YamlTree::max_octets) {
    diagnostics.push_back(error_at({0, 0}, "the file is larger than " + format_size(YamlTree::max_octets)));
    return false;
  }
  if (const auto bad = find_bad_utf8(text); bad != std::string_view::npos) {
    diagnostics.push_back(error_at(place_of(text, bad), "the file is not UTF-8 text"));
    return false;
  }
  // YAML 1.2.2, 5.1: no C0 control but tab and line breaks, no DEL.
  const auto control = std::ranges::find_if(text, [](char c) {
    const auto octet = static_cast<unsigned char>(c);
    return (octet < 0x20 && c != '\t' && c != '\n' && c != '\r') || octet == 0x7f;
  });
  if (control != text.end()) {
    const auto offset = static_cast<std::size_t>(control - text.begin());
    diagnostics.push_back(error_at(place_of(text, offset), "a control character",
                                   "inside double quotes it can be written as an escape, such as \"\\x07\""));
    return false;
  }
  // A flow collection is queued whole by the parser's scanner before any of it is seen here, at some 100 octets of
  // memory a token.
  const auto flow = std::ranges::count_if(text, [](char c) { return c == '[' || c == '{' || c == ','; });
  if (static_cast<std::size_t>(flow) > YamlTree::max_values) {
    diagnostics.push_back(error_at({0, 0}, "the file has more than 1,000,000 of the characters [ { ,"));
    return false;
  }
  return true;
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  if (kind != Kind::map) return nullptr;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i]->text == key) return items[i + 1];
  }
  return nullptr;
}

const YamlNode& YamlNode::descend(std::initializer_list<std::string_view> keys) const {
  const YamlNode* place = this;
  for (const std::string_view key : keys) {
    const YamlNode* value = place->find(key);
    if (value == nullptr) break;
    place = value;
  }
  return *place;
}

/// Makes nodes of the parser's events.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(YamlTree& tree, std::vector<Diagnostic>& diagnostics) : tree_(tree), diagnostics_(diagnostics) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (started_) stop(mark, "a second YAML document", "one file is one document: remove the `---`");
    started_ = true;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(make(YamlNode::Kind::null, mark, anchor)); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(mark, tag);
    YamlNode* node = make(YamlNode::Kind::scalar, mark, anchor);
    node->text = value;
    node->quoted = tag == "!";
    add(node);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    count_value(mark);
    YamlNode* target = anchor < anchors_.size() ? anchors_[anchor] : nullptr;
    if (target == nullptr || target->expanded == 0) stop(mark, "an alias within the value it stands for");
    add(target);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::sequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override {
    finish_map(*open_.back());
    close();
  }

 private:
  void error(Place place, std::string message, std::string hint = {}) {
    // As with Diagnostics: a file that is all errors must not cost gigabytes.
    if (diagnostics_.size() < 1000) diagnostics_.push_back(error_at(place, std::move(message), std::move(hint)));
  }
  [[noreturn]] void stop(const YAML::Mark& mark, std::string message, std::string hint = {}) {
    error(place(mark), std::move(message), std::move(hint));
    throw Stop{};
  }
  static Place place(const YAML::Mark& mark) {
    return {static_cast<std::size_t>(mark.line) + 1, static_cast<std::size_t>(mark.column) + 1};
  }

  void count_value(const YAML::Mark& mark) {
    if (++values_ > YamlTree::max_values) stop(mark, "the file has more than 1,000,000 values");
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!" || tag.starts_with("tag:yaml.org,2002:")) return;
    error(place(mark), "the tag " + quote(tag) + " has no meaning here", "remove it");
  }

  YamlNode* make(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    count_value(mark);
    YamlNode& node = tree_.nodes_.emplace_back();
    node.kind = kind;
    node.line = static_cast<std::uint32_t>(mark.line) + 1;
    node.column = static_cast<std::uint32_t>(mark.column) + 1;
    if (anchor != 0) {
      if (anchors_.size() <= anchor) anchors_.resize(anchor + 1);
      anchors_[anchor] = &node;
    }
    return &node;
  }

  void open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (open_.size() >= YamlTree::max_depth) stop(mark, "nested too deeply", "at most 64 levels");
    check_tag(mark, tag);
    YamlNode* node = make(kind, mark, anchor);
    node->expanded = 0;  // still open: no alias may name it
    open_.push_back(node);
  }

  void close() {
    YamlNode* node = open_.back();
    open_.pop_back();
    std::uint64_t expanded = 1;
    for (const YamlNode* item : node->items) expanded += item->expanded;
    if (expanded > 2 * YamlTree::max_values) {
      error({node->line, node->column}, "with its aliases written out this has more than 2,000,000 values");
      throw Stop{};
    }
    node->expanded = static_cast<std::uint32_t>(expanded);
    add(node);
  }

  void add(YamlNode* node) {
    if (open_.empty()) {
      tree_.root_ = node;
    } else {
      open_.back()->items.push_back(node);
    }
  }

  void finish_map(YamlNode& map);
  void merge(YamlNode& map, const YamlNode& from, std::unordered_map<std::string_view, const YamlNode*>& seen);

  YamlTree& tree_;
  std::vector<Diagnostic>& diagnostics_;
  std::vector<YamlNode*> open_;
  std::vector<YamlNode*> anchors_;
  std::size_t values_ = 0;
  std::size_t merged_ = 0;
  bool started_ = false;
};

/// Keys are scalars and unique after this, and merge keys (yaml.org/type/merge.html) are written out: what the map says
/// itself wins, then the earlier of the merged maps.
void TreeBuilder::finish_map(YamlNode& map) {
  std::unordered_map<std::string_view, const YamlNode*> seen;
  std::vector<YamlNode*> kept;
  std::vector<const YamlNode*> merges;
  seen.reserve(map.items.size() / 2);
  kept.reserve(map.items.size());
  for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
    YamlNode* key = map.items[i];
    if (key->kind != YamlNode::Kind::scalar) {
      error({key->line, key->column}, "a field name must be a plain word");
      continue;
    }
    if (key->text == "<<" && !key->quoted) {
      merges.push_back(map.items[i + 1]);
      continue;
    }
    const auto [earlier, fresh] = seen.emplace(key->text, key);
    if (!fresh) {
      error({key->line, key->column}, "the field " + quote(key->text) + " is given twice",
            "it is first given in line " + std::to_string(earlier->second->line) + "; remove one of the two");
      continue;
    }
    kept.insert(kept.end(), {key, map.items[i + 1]});
  }
  map.items = std::move(kept);
  for (const YamlNode* from : merges) {
    if (from->kind == YamlNode::Kind::sequence) {
      for (const YamlNode* each : from->items) merge(map, *each, seen);
    } else {
      merge(map, *from, seen);
    }
  }
}

void TreeBuilder::merge(YamlNode& map, const YamlNode& from,
                        std::unordered_map<std::string_view, const YamlNode*>& seen) {
  if (from.kind != YamlNode::Kind::map) {
    error({from.line, from.column}, "`<<` merges a map or a list of maps", "like `<<: *defaults`");
    return;
  }
  merged_ += from.items.size();
  if (merged_ > YamlTree::max_values) {
    error({map.line, map.column}, "the file has more than 1,000,000 values after merging");
    throw Stop{};
  }
  for (std::size_t i = 0; i + 1 < from.items.size(); i += 2) {
    if (seen.emplace(from.items[i]->text, from.items[i]).second) {
      map.items.insert(map.items.end(), {from.items[i], from.items[i + 1]});
    }
  }
}

bool YamlTree::parse(std::string_view text, std::vector<Diagnostic>& diagnostics, std::string_view when_empty) {
  if (!acceptable(text, diagnostics)) return false;
  TreeBuilder builder(*this, diagnostics);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Stop&) {
    return false;
  } catch (const YAML::Exception& e) {
    const bool known = !e.mark.is_null();
    const Place place =
        known ? Place{static_cast<std::size_t>(e.mark.line) + 1, static_cast<std::size_t>(e.mark.column) + 1}
              : Place{0, 0};
    std::string hint;
    if (e.msg.find("tab") != std::string::npos) hint = "YAML is indented with spaces only";
    if (line_at(text, place.line).find("${") != std::string_view::npos) {
      hint = "within { } or [ ] a variable goes in double quotes: \"${NAME}\"";
    }
    // It may hold an octet of the text that is no character by itself.
    std::string message = e.msg;
    std::ranges::replace_if(message, [](char c) { return c < ' ' || c > '~'; }, '?');
    diagnostics.push_back(error_at(place, "YAML: " + message, std::move(hint)));
    return false;
  } catch (const std::exception& e) {
    diagnostics.push_back(error_at({0, 0}, std::string("YAML: ") + e.what()));
    return false;
  }
  if (root_ == nullptr || root_->kind == YamlNode::Kind::null) {
    diagnostics.push_back(error_at({0, 0}, "the file is empty", std::string(when_empty)));
    return false;
  }
  return true;
}

}  // namespace telltale::conf
