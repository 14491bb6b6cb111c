#include "conf/loader.h"

#include "conf/read.h"
#include "conf/text.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace telltale::conf {
namespace {

LoadResult unreadable(std::string why) {
  LoadResult result;
  result.diagnostics.push_back({Severity::error, 0, 0, {}, "cannot be read: " + std::move(why), {}});
  return result;
}

}  // namespace

LoadResult load_text(std::string text, const Environment& environment, const RangesLoader& ranges) {
  LoadResult result;
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  result.text = std::move(text);
  Diagnostics diagnostics;
  YamlTree tree;
  Draft draft;
  if (tree.parse(result.text, diagnostics.list())) {
    const Environment lookup = environment ? environment : process_environment();
    Context context{diagnostics, lookup, result.text, ranges};
    read_root(context, tree.root(), draft);
    check_model(diagnostics, draft);
    index_key_files(draft.model);
  }
  result.diagnostics = diagnostics.take();
  if (!result.has_errors()) result.model = std::make_shared<const Model>(std::move(draft.model));
  return result;
}

LoadResult load_file(const std::string& path, const Environment& environment) {
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rbe"), close);
  if (!file) return unreadable(std::strerror(errno));
  std::string text;
  std::array<char, 64 * 1024> buffer;
  // load_text() says it when there are too many octets.
  while (!std::feof(file.get()) && !std::ferror(file.get()) && text.size() <= YamlTree::max_octets) {
    const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), file.get());
    text.append(buffer.data(), size);
  }
  if (std::ferror(file.get())) return unreadable(std::strerror(errno));
  return load_text(std::move(text), environment);
}

}  // namespace telltale::conf
