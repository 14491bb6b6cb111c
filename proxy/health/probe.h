#pragma once

#include "proxy/health/body_patterns.h"
#include "proxy/health/probe_connection.h"
#include "proxy/health/probe_target.h"
#include "proxy/health/tls_contexts.h"
#include "proxy/net/event_loop.h"

#include <string>

namespace telltale::proxy {

/// What all probes of a checker share. Control thread only.
struct ProbeTools {
  EventLoop& loop;
  TlsContexts tls;
  BodyPatterns patterns;
  std::string scratch;  ///< for a request while it is written; nobody's across a wait
};

/// How targets of one kind are asked.
struct Probe {
  /// Asks once, and leaves what that came to in connection.result(). All three must outlive it, but `target` may change
  /// meanwhile. It ends soon after connection.expire(). Never throws for what a peer does.
  using Ask = Awaitable<void> (*)(const ProbeTarget& target, ProbeConnection& connection, ProbeTools& tools);
  /// The same request again, if connection.ask_again() takes it. The answer, unless it is the same again, is for Ask.
  using AskAgain = bool (*)(const ProbeTarget& target, ProbeConnection& connection, ProbeTools& tools);

  conf::ProbeKind kind;
  Ask ask;
  AskAgain ask_again;  ///< null: there is no such short way
};

/// From the registry of proxy/health/probes/. `track` has none.
const Probe& probe_for(conf::ProbeKind kind);

}  // namespace telltale::proxy
