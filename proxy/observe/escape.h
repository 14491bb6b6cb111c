#pragma once

#include "proxy/observe/line_builder.h"

#include <string>
#include <string_view>

/// What peers send goes into logs, metrics and pages only through these: a line break in a header value must not become
/// a forged log line, nor an escape sequence act on the terminal that shows it. The common case, printable ASCII, is
/// copied in runs.
namespace telltale::proxy {

/// Appends `text` as the inside of a JSON string (RFC 8259 7). Beyond what JSON asks, DEL, the C1 controls, line and
/// paragraph separators and the bidirectional controls are escaped too; an octet that is not UTF-8 becomes \ufffd.
void append_json_escaped(std::string& out, std::string_view text);
void append_json_escaped(LineBuilder& out, std::string_view text);

/// Appends `text` for a line of text in which values may stand in quotes: `"`, `\`, controls and everything that is not
/// ASCII become \xHH, octet by octet, so that the original can be told.
void append_text_escaped(LineBuilder& out, std::string_view text);

/// Appends `text` for a human reader: as it is but for controls, separators and what is not UTF-8, escaped as in JSON.
/// Quotes and backslashes stay.
void append_readable(std::string& out, std::string_view text);

/// Appends `text` as the inside of a label value of the Prometheus text format: `\`, `"` and line feed escaped, what is
/// not UTF-8 replaced by U+FFFD.
void append_label_escaped(std::string& out, std::string_view text);

/// `text` with what is not UTF-8 replaced by U+FFFD, an octet at a time.
std::string to_valid_utf8(std::string_view text);

}  // namespace telltale::proxy
