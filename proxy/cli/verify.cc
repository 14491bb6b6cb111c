#include "proxy/cli/verify.h"

#include "proxy/cli/exit_codes.h"
#include "proxy/server/key_files.h"

#include <ctime>
#include <ostream>

namespace telltale::proxy {
namespace {

constexpr int exit_invalid = 1;

std::string utc(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  char text[32];
  ::gmtime_r(&time, &parts);
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string age(std::int64_t seconds) {
  if (seconds == 0) return "now";
  return seconds > 0 ? std::to_string(seconds) + " s ago" : std::to_string(-seconds) + " s in the future";
}

void print(const assertion::Statement& statement, std::int64_t now, std::ostream& out) {
  out << "key id:    " << statement.key_id << "\n"
      << "time:      " << utc(statement.time) << " (" << age(now - statement.time) << ")\n"
      << "client:    " << statement.client.to_string() << "\n"
      << "authority: " << statement.authority << "\n";
}

}  // namespace

int run_verify(const VerifyOptions& options, std::ostream& out, std::ostream& err) {
  std::optional<assertion::Keyring> keys;
  if (!options.key_file.empty()) {
    try {
      keys.emplace(*read_key_file(options.key_file).keys);
    } catch (const KeyFileError& error) {
      err << "telltale: " << error.what() << "\n";
      return exit_usage;
    }
  }
  const auto parsed = assertion::parse(options.assertion);
  if (!parsed) {
    out << "verdict:   malformed\n";
    return exit_invalid;
  }
  print(parsed->statement, options.now, out);
  if (!keys) {
    out << "verdict:   not checked: no --key-file\n";
    return exit_invalid;
  }
  const auto verdict = assertion::verify(*parsed, *keys, options.now, options.window, options.authority);
  out << "verdict:   " << to_string(verdict) << "\n";
  if (verdict == assertion::Verdict::valid) return exit_ok;
  out << "           " << make_error_code(verdict).message() << "\n";
  return exit_invalid;
}

}  // namespace telltale::proxy
