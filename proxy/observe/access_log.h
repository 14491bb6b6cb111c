#pragma once

#include "conf/model.h"
#include "proxy/observe/access_record.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace telltale::proxy {

/// One worker's access log. write() formats a record into this object's buffer; flush() hands whole lines to the file
/// (O_APPEND) with one system call. The worker calls flush() after each pass of its loop that wrote any, and while
/// pending(): a line is never split between workers. Nothing here blocks on a slow reader: up to 1 MiB waits, then
/// lines are dropped. Not thread safe; no lock.
class AccessLog {
 public:
  virtual ~AccessLog() = default;
  virtual void write(const AccessRecord& record) = 0;
  virtual void flush() = 0;
  virtual bool pending() const = 0;
  virtual void reopen() = 0;                  ///< SIGUSR1: the file was rotated
  virtual std::uint64_t dropped() const = 0;  ///< lines lost because the reader was too slow, or gone
};

/// nullptr when the format is off: the caller then makes no record at all. Throws std::system_error when the file
/// cannot be opened, std::invalid_argument when the text template is wrong.
///
/// JSON: one object a line, always with the same fields in the same order, null where there is nothing to say; then
/// `tls`, if the client spoke TLS to us, and `tlvs`, if the client's PROXY header had any of the named ones. Text: the
/// template with each `${name}` replaced by that field and each `${tlv.NAME}` by that TLV, `-` where there is nothing
/// to say; `$$` is a dollar sign. Whatever a peer sent, a line stays one line and a quoted value stays within its
/// quotes.
std::unique_ptr<AccessLog> make_access_log(const conf::AccessLog& conf);

/// The variables of a text template: the JSON keys, those in `tls` as `tls.version`.
std::span<const std::string_view> access_log_variables();

/// What is wrong with a text template, for a person; empty: nothing.
std::string check_access_log_template(std::string_view text);

}  // namespace telltale::proxy
