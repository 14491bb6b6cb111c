#include "proxy/health/probes/tcp.h"

namespace telltale::proxy {

Awaitable<void> probe_tcp(const ProbeTarget& target, ProbeConnection& connection, ProbeTools& tools) {
  const bool opened = co_await connection.open(target, tools);
  if (!opened) co_return;
  connection.close();
  connection.conclude({ProbeOutcome::healthy, "accepted a connection"});
}

}  // namespace telltale::proxy
