#include "proxy/observe/access_log.h"

#include "proxy/observe/access_log_format.h"
#include "proxy/observe/line_writer.h"

#include <optional>
#include <stdexcept>

namespace telltale::proxy {
namespace {

class LineAccessLog final : public AccessLog {
 public:
  explicit LineAccessLog(const conf::AccessLog& conf) : writer_(conf.file), queries_(conf.queries) {
    if (conf.format == conf::AccessLogFormat::text) template_.emplace(conf.text);
  }

  void write(const AccessRecord& record) override {
    if (queries_) return append(record);
    AccessRecord shown = record;
    shown.target = record.target.substr(0, record.target.find('?'));
    append(shown);
  }
  void flush() override { writer_.flush(); }
  bool pending() const override { return writer_.pending(); }
  void reopen() override { writer_.reopen(); }
  std::uint64_t dropped() const override { return writer_.dropped(); }

 private:
  void append(const AccessRecord& record) {
    if (template_) {
      template_->append_line(line_, record, timestamp_);
    } else {
      append_json_line(line_, record, timestamp_);
    }
    writer_.buffer() += line_.view();
    line_.clear();
    writer_.commit();
  }

  LineWriter writer_;
  bool queries_;
  std::optional<AccessTemplate> template_;
  Timestamp timestamp_;
  LineBuilder line_;
};

}  // namespace

std::unique_ptr<AccessLog> make_access_log(const conf::AccessLog& conf) {
  if (conf.format == conf::AccessLogFormat::off) return nullptr;
  return std::make_unique<LineAccessLog>(conf);
}

std::span<const std::string_view> access_log_variables() { return access_field_names(); }

std::string check_access_log_template(std::string_view text) {
  try {
    AccessTemplate compiled(text);
    return {};
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

}  // namespace telltale::proxy
