#pragma once

#include <memory>
#include <string>

#include "conf/model.h"
#include "proxy/observe/access_record.h"

namespace telltale::proxy {

/// One worker's access log. write() formats a record into this object's buffer; flush() hands whole lines to the file
/// (O_APPEND) with one system call. The worker calls flush() after each pass of its loop that wrote any, so a line is
/// never split between workers. Not thread safe; no lock.
class AccessLog {
 public:
  virtual ~AccessLog() = default;
  virtual void write(const AccessRecord& record) = 0;
  virtual void flush() = 0;
  virtual bool pending() const = 0;
  virtual void reopen() = 0;  ///< SIGUSR1: the file was rotated
};

/// nullptr when the format is off: the caller then makes no record at all. Throws std::system_error when the file cannot
/// be opened.
std::unique_ptr<AccessLog> make_access_log(const conf::AccessLog& conf);

}  // namespace telltale::proxy
