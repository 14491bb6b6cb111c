#include "proxy/health/probe.h"
#include "proxy/health/probes/http.h"
#include "proxy/health/probes/tcp.h"

#include <array>
#include <stdexcept>

namespace telltale::proxy {
namespace {

struct Row {
  conf::ProbeKind kind;
  Probe probe;
};

/// Every probe there is.
constexpr std::array registry = {
    Row{conf::ProbeKind::http, &probe_http},
    Row{conf::ProbeKind::tcp, &probe_tcp},
};

}  // namespace

Probe probe_for(conf::ProbeKind kind) {
  for (const Row& row : registry) {
    if (row.kind == kind) return row.probe;
  }
  throw std::logic_error("no such probe");
}

}  // namespace telltale::proxy
