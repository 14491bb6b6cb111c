#include "proxy/health/probe.h"
#include "proxy/health/probes/grpc.h"
#include "proxy/health/probes/http.h"
#include "proxy/health/probes/tcp.h"

#include <array>
#include <stdexcept>

namespace telltale::proxy {
namespace {

/// Every probe there is.
constexpr std::array registry = {
    Probe{conf::ProbeKind::http, &probe_http, &probe_http_again},
    Probe{conf::ProbeKind::https, &probe_http, nullptr},
    Probe{conf::ProbeKind::tcp, &probe_tcp, nullptr},
    Probe{conf::ProbeKind::grpc, &probe_grpc, nullptr},
};

}  // namespace

const Probe& probe_for(conf::ProbeKind kind) {
  for (const Probe& probe : registry) {
    if (probe.kind == kind) return probe;
  }
  throw std::logic_error("no such probe");
}

}  // namespace telltale::proxy
