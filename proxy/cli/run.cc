#include "proxy/cli/run.h"

#include "conf/loader.h"
#include "proxy/cli/exit_codes.h"
#include "proxy/observe/log.h"
#include "proxy/server/server.h"
#include "proxy/tls/key_log.h"

#include <boost/asio/io_context.hpp>
#include <spdlog/spdlog.h>

#include <iostream>
#include <system_error>

namespace telltale::proxy {

int run_proxy(const RunOptions& options) {
  const conf::LoadResult loaded = conf::load_file(options.config_path);
  if (!loaded.diagnostics.empty()) std::cerr << conf::render(loaded, options.config_path);
  if (loaded.model == nullptr) return exit_configuration;
  try {
    setup_logging(loaded.model->log);
    if (!options.tls_key_log.empty()) log_tls_keys(options.tls_key_log);
    boost::asio::io_context control(1);
    Server server(control, loaded.model);
    server.run();
  } catch (const KeyFileError& error) {
    std::cerr << "telltale: " << error.what() << "\n";
    return exit_configuration;
  } catch (const CertificateError& error) {
    std::cerr << "telltale: " << error.what() << "\n";
    return exit_configuration;
  } catch (const TicketKeyError& error) {
    std::cerr << "telltale: " << error.what() << "\n";
    return exit_configuration;
  } catch (const KeyLogError& error) {
    std::cerr << "telltale: " << error.what() << "\n";
    return exit_usage;
  } catch (const EndpointsFileError& error) {
    std::cerr << "telltale: " << error.what() << "\n";
    return exit_configuration;
  } catch (const std::system_error& error) {  // boost's is one too
    std::cerr << "telltale: " << error.what() << "\n";
    return exit_system;
  }
  spdlog::info("ended");
  return exit_ok;
}

}  // namespace telltale::proxy
