#include "proxy/cli/commands.h"

#include "conf/text.h"
#include "proxy/cli/check.h"
#include "proxy/cli/demo.h"
#include "proxy/cli/echo.h"
#include "proxy/cli/exit_codes.h"
#include "proxy/cli/explain.h"
#include "proxy/cli/run.h"
#include "proxy/cli/status.h"
#include "proxy/cli/verify.h"
#include "proxy/observe/timestamp.h"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <string>

namespace telltale::proxy {
namespace {

using Action = std::function<int()>;

conf::Address parse_address(const std::string& text) {
  constexpr std::string_view unix_prefix = "unix:";
  if (text.starts_with(unix_prefix)) return {std::nullopt, text.substr(unix_prefix.size())};
  return {net::parse_ip_port(text), {}};
}

const CLI::Validator is_address(
    [](const std::string& text) {
      const auto address = parse_address(text);
      if (address.ip || !address.unix_path.empty()) return std::string();
      return "\"" + text + "\" is not host:port, [v6]:port, :port or unix:/path";
    },
    "ADDRESS");

void add_run(CLI::App& app, Action& action) {
  static RunOptions run;
  static DemoOptions demo;
  static bool is_demo = false;
  auto* command = app.add_subcommand("run", "Run the proxy");
  auto* config = command->add_option("-c,--config", run.config_path, "Configuration file")->capture_default_str();
  auto* flag =
      command->add_flag("--demo", is_demo, "An embedded listener and two echo backends; shows each request's way")
          ->excludes(config);
  command
      ->add_option("--tls-key-log", run.tls_key_log,
                   "For debugging: append the keys of every TLS connection to FILE (SSLKEYLOGFILE format), made with "
                   "mode 0600. Whoever has them can read what was said. The environment variable is ignored")
      ->type_name("FILE")
      ->excludes(flag);
  command->add_option("--demo-port", demo.port, "Port of the demo's listener")->capture_default_str()->needs(flag);
  command->callback([&action] { action = [] { return is_demo ? run_demo(demo) : run_proxy(run); }; });
}

void add_check(CLI::App& app, Action& action) {
  static CheckOptions options;
  auto* command = app.add_subcommand(
      "check", "Validate a configuration file; binds nothing. Exit 0 clean, 1 warnings under --strict, 2 errors");
  command->add_option("-c,--config", options.file, "Configuration file")->capture_default_str();
  command->add_flag("--expand", options.expand, "Print the configuration with every default filled in");
  command->add_flag("--strict", options.strict, "Exit 1 when there are warnings");
  command->callback([&action] { action = [] { return run_check(options, std::cout, std::cerr); }; });
}

void add_explain(CLI::App& app, Action& action) {
  static ExplainOptions options;
  auto* command = app.add_subcommand(
      "explain", "Say who the client of a request would be, why, and what each backend would be told; sends nothing");
  command->add_option("-c,--config", options.config_path, "Configuration file")->capture_default_str();
  command->add_option("--listener", options.listener, "Name of the listener; needed where there are several");
  command->add_option("--peer", options.peer, "Who connects: ADDRESS, ADDRESS:PORT, or unix")->required();
  command->add_option("--local", options.local,
                      "Where it connects to, ADDRESS:PORT; default: where the listener listens");
  command
      ->add_option("--proxy-header", options.proxy_headers,
                   "A PROXY header that it sends: a v1 line, the hexadecimal digits of a header, or like 'v2 "
                   "192.0.2.1:4711 198.51.100.1:443 authority=a.example'. Once for each header")
      ->allow_extra_args(false);
  command->add_option("--proxy-header-file", options.proxy_header_file, "A file with the octets of PROXY headers");
  command->add_option("--header", options.headers, "A header field of the request, 'Name: value'. Once for each field")
      ->allow_extra_args(false);
  command->add_option("--method", options.method, "The request's method")->capture_default_str();
  command->add_option("--path", options.path, "Its path, and query")->capture_default_str();
  command->add_option("--host", options.host, "Its Host; default: localhost");
  command->add_option("--assertion-keys", options.assertion_keys,
                      "Keys that judge an X-Telltale-Client; default: the listener's own key file");
  auto* at = command->add_option("--now", options.now, "When it comes, in seconds since 1970; default: now")
                 ->check(CLI::NonNegativeNumber);
  command->add_flag("--json", options.json, "For machines");
  command->callback([&action, at] {
    if (at->count() == 0) options.now = unix_seconds();
    action = [] { return run_explain(options, std::cout, std::cerr); };
  });
}

void add_echo(CLI::App& app, Action& action) {
  static EchoOptions options;
  static std::string listen = "127.0.0.1:8080";
  static std::string health;
  static std::string mode = "off";
  auto* command =
      app.add_subcommand("echo", "A backend that shows what it was told, in the shape of echoserver:1.4 and as JSON");
  command->add_option("--listen", listen, "Where to listen; port 0: any free one")
      ->check(is_address)
      ->capture_default_str();
  command
      ->add_option("--health-listen", health,
                   "A port that answers as a healthCheckNodePort; POST /fail and /ok flip it")
      ->check(is_address);
  command->add_option("--proxy-protocol", mode, "off, accept (also for the flag alone) or require a PROXY header")
      ->expected(0, 1)
      ->default_str("accept")
      ->check(CLI::IsMember({"off", "accept", "require"}));
  command->callback([&action, command] {
    if (command->count("--proxy-protocol") > 0 && mode == "off" &&
        command->get_option("--proxy-protocol")->as<std::string>() != "off") {
      mode = "accept";
    }
    action = [] {
      options.listen = parse_address(listen);
      if (!health.empty()) options.health_listen = parse_address(health);
      options.proxy_protocol = mode == "require"  ? EchoProxyProtocol::require
                               : mode == "accept" ? EchoProxyProtocol::accept
                                                  : EchoProxyProtocol::off;
      return run_echo(options);
    };
  });
}

void add_status(CLI::App& app, Action& action) {
  static StatusOptions options;
  auto* command =
      app.add_subcommand("status", "Ask a running proxy whether it is ready, and who serves. Exit 0 ready, 1 not");
  command->add_option("--admin", options.admin, "Its admin address")->check(is_address)->capture_default_str();
  command->add_flag("-q,--quiet", options.quiet, "Only whether it is ready");
  command->callback([&action] { action = [] { return run_status(options); }; });
}

void add_schema(CLI::App& app, Action& action) {
  static SchemaOptions options;
  auto* command = app.add_subcommand("schema", "Print the JSON Schema of the configuration file");
  command->add_flag("--markdown", options.markdown, "Print the reference tables instead");
  command->callback([&action] { action = [] { return run_schema(options, std::cout); }; });
}

void add_verify(CLI::App& app, Action& action) {
  static VerifyOptions options;
  static std::string max_age = "30s", clock_skew = "5s";
  static std::int64_t now = 0;
  static std::string authority;
  const CLI::Validator is_age(
      [](const std::string& text) {
        const auto parsed = conf::parse_duration(text);
        return parsed.value ? std::string() : "\"" + text + "\" " + parsed.problem + ", like 30s";
      },
      "DURATION");
  auto* command = app.add_subcommand("verify", "Check a signed assertion (X-Telltale-Client). Exit 0 valid, 1 invalid");
  command->add_option("assertion", options.assertion, "v1;kid=…;t=…;c=…;a=…;s=…")->required();
  command->add_option("--key-file", options.key_file, "The trusted keys; without them no assertion is valid");
  command->add_option("--max-age", max_age, "How old it may be")->check(is_age)->capture_default_str();
  command->add_option("--clock-skew", clock_skew, "How far the signer's clock may be ahead")
      ->check(is_age)
      ->capture_default_str();
  auto* for_authority = command->add_option("--authority", authority, "The host it must be for; default: any");
  auto* at = command->add_option("--now", now, "Seconds since 1970 to compare with, instead of this machine's clock")
                 ->check(CLI::NonNegativeNumber);
  command->callback([&action, for_authority, at] {
    const auto seconds = [](const std::string& text) {
      return std::chrono::duration_cast<std::chrono::seconds>(*conf::parse_duration(text).value);
    };
    options.window = {.max_age = seconds(max_age), .clock_skew = seconds(clock_skew)};
    if (for_authority->count() > 0) options.authority = conf::to_lower(authority);
    options.now = at->count() > 0 ? now : unix_seconds();
    action = [] { return run_verify(options, std::cout, std::cerr); };
  });
}

void add_texts(CLI::App& app, Action& action) {
  const auto print = [&app, &action](const char* name, const char* help, std::function<std::string()> text) {
    app.add_subcommand(name, help)->callback([&action, text = std::move(text)] {
      action = [text] {
        std::cout << text() << "\n";
        return exit_ok;
      };
    });
  };
  print("version", "Print the version", [] { return std::string("telltale " TELLTALE_VERSION); });
  // Taken before anything is parsed: afterwards help() would be that of the command `help`.
  static std::string help;
  print("help", "Print this help", [] { return help; });
  help = app.help();
}

}  // namespace

int run_command(int argc, char** argv) {
  CLI::App app("Telltale: an L7 proxy whose backends always know the true client", "telltale");
  app.require_subcommand(1);
  app.set_version_flag("--version", "telltale " TELLTALE_VERSION);
  Action action;
  add_run(app, action);
  add_check(app, action);
  add_explain(app, action);
  add_echo(app, action);
  add_status(app, action);
  add_schema(app, action);
  add_verify(app, action);
  add_texts(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? exit_ok : exit_usage;
  }
  return action();
}

}  // namespace telltale::proxy
