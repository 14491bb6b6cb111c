#include "proxy/explain/explanation.h"
#include "proxy/observe/escape.h"
#include "proxy/observe/hex.h"
#include "proxy/observe/timestamp.h"

#include <algorithm>

namespace telltale::proxy {
namespace {

constexpr std::size_t shown_hex_octets = 64;

/// Writes lines; whatever a peer sent stays within its own.
class TextWriter {
 public:
  TextWriter& operator<<(std::string_view text) {
    append_readable(out_, text);
    return *this;
  }
  void end() { out_ += '\n'; }
  /// Blanks up to a column, at least one.
  void column(std::size_t wanted) {
    const std::size_t begin = out_.rfind('\n') + 1;  // npos + 1: the first line
    const std::size_t at = out_.size() - begin;
    out_.append(at < wanted ? wanted - at : 1, ' ');
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

std::size_t widest(const Explanation& e) {
  std::size_t width = e.destination.size();
  for (const auto& hop : e.hops) width = std::max(width, hop.address.size());
  return std::min<std::size_t>(width, 48);
}

void write_head(TextWriter& out, const Explanation& e) {
  out << "listener " << e.listener << " (" << e.listen << ")";
  if (e.time) out << ", " << format_timestamp(*e.time);
  if (!e.request_id.empty()) out << ", request " << e.request_id;
  out.end();
  out.end();
}

/// From the client inwards: the other way round than the walk.
void write_hops(TextWriter& out, const Explanation& e) {
  constexpr std::size_t address_column = 12;
  const std::size_t verdict_column = address_column + widest(e) + 2;
  for (auto hop = e.hops.rbegin(); hop != e.hops.rend(); ++hop) {
    const bool is_peer = hop + 1 == e.hops.rend();
    out << "  " << (hop->is_client ? "client" : is_peer ? "peer" : "hop");
    out.column(address_column);
    out << hop->address;
    out.column(verdict_column);
    out << hop->said_by << "; " << hop->verdict;
    out.end();
    out << "     |";
    out.end();
  }
  out << "  telltale";
  out.column(address_column);
  out << e.destination;
  out.end();
  out.end();
  out << "client: " << e.client;
  if (e.client_port != 0) out << ", port " << std::to_string(e.client_port);
  out << ", known by " << e.provenance;
  out.end();
}

void write_fields(TextWriter& out, std::string_view title, const std::vector<Explanation::Field>& fields) {
  if (fields.empty()) return;
  out.end();
  out << title;
  out.end();
  for (const auto& field : fields) {
    out << "  " << field.name << ": " << field.value;
    out.end();
    out << "      " << field.why;
    out.end();
  }
}

void write_proxy_header(TextWriter& out, const Explanation::ProxyHeader& header) {
  out << "  PROXY protocol ";
  if (header.version.empty()) {
    out << "header that cannot be read";
  } else {
    out << header.version << " " << header.command;
    if (!header.source.empty()) out << " " << header.source << " -> " << header.destination;
  }
  for (const auto& [name, value] : header.tlvs) out << ", " << name << "=" << value;
  out.end();
  const bool is_long = header.octets.size() > shown_hex_octets;
  out << "      " << to_hex(std::string_view(header.octets).substr(0, shown_hex_octets)) << (is_long ? "..." : "");
  out.end();
}

void write_tls(TextWriter& out, const Explanation::Tls& tls) {
  out.end();
  out << "TLS: " << tls.version << " " << tls.cipher;
  if (!tls.sni.empty()) out << ", sni " << tls.sni;
  if (!tls.alpn.empty()) out << ", alpn " << tls.alpn;
  if (tls.resumed) out << ", resumed";
  out.end();
  if (!tls.client_verified) return;
  out << "client certificate: " << tls.client_subject;
  for (const auto& san : tls.client_sans) out << ", " << san;
  out.end();
  out << "      SHA-256 " << tls.client_fingerprint;
  out.end();
}

void write_told(TextWriter& out, const Explanation& e) {
  out.end();
  out << "route " << (e.route.empty() ? "-" : e.route) << " -> service " << e.service << ":";
  for (std::size_t i = 0; i < e.backends.size(); ++i) {
    out << (i == 0 ? " " : ", ") << e.backends[i].endpoint;
    if (!e.backends[i].node.empty()) out << " (node " << e.backends[i].node << ")";
  }
  out.end();
  if (!e.endpoint.empty()) {
    out << "asked: " << e.endpoint;
    out.end();
  }
  if (e.told_lines.empty()) return;
  out.end();
  out << "each backend is told:";
  out.end();
  if (e.told_proxy_header) write_proxy_header(out, *e.told_proxy_header);
  for (const auto& line : e.told_lines) {
    out << "  " << line;
    out.end();
  }
}

void write_outcome(TextWriter& out, const Explanation& e) {
  if (e.outcome != Explanation::Outcome::forwarded) {
    out.end();
    out << (e.outcome == Explanation::Outcome::closed ? "the connection is closed: " : "answered here: ") << e.why;
    if (!e.cause.empty()) out << " (cause " << e.cause << ")";
    out.end();
  }
  if (e.status) {
    out << "status: " << (*e.status != 0 ? std::to_string(*e.status) : std::string("none was sent"));
    out.end();
  }
}

}  // namespace

std::string_view to_string(Explanation::Outcome outcome) {
  switch (outcome) {
    case Explanation::Outcome::forwarded:
      return "forwarded";
    case Explanation::Outcome::answered:
      return "answered";
    case Explanation::Outcome::closed:
      return "closed";
  }
  return {};
}

std::string render_text(const Explanation& e) {
  TextWriter out;
  write_head(out, e);
  write_hops(out, e);
  if (!e.proxy_headers.empty()) {
    out.end();
    out << "PROXY headers received:";
    out.end();
    for (const auto& header : e.proxy_headers) write_proxy_header(out, header);
  }
  if (e.tls) write_tls(out, *e.tls);
  if (!e.request.empty()) {
    out.end();
    out << "request: " << e.request;
    out.end();
  }
  write_fields(out, "entries that were refused:", e.refused);
  write_fields(out, "identity headers that do not go on as they came:", e.removed);
  if (!e.service.empty()) write_told(out, e);
  write_outcome(out, e);
  for (const auto& note : e.notes) {
    out.end();
    out << "note: " << note;
    out.end();
  }
  return out.take();
}

}  // namespace telltale::proxy
