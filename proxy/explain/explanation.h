#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::proxy {

/// Who the client of one request is, why, and what the backends are told: as text, for people and for machines. What
/// peers sent stands in it as it came; the renderers escape it.
struct Explanation {
  struct Hop {
    std::string address;
    std::string said_by;  ///< socket, PROXY header, or the name of a header field
    std::string verdict;  ///< trusted by which rule or range, or why it is the client
    bool is_client = false;
  };
  struct ProxyHeader {
    std::string version, command;     ///< v1, v2; PROXY, LOCAL
    std::string source, destination;  ///< empty: none
    std::vector<std::pair<std::string, std::string>> tlvs;
    std::string octets;
  };
  struct Field {
    std::string name, value;
    std::string why;
  };
  struct Backend {
    std::string endpoint, node;  ///< node: empty, if it belongs to none
  };
  /// What the client's own TLS connection to us said.
  struct Tls {
    std::string version, cipher, sni, alpn;
    bool resumed = false;
    bool client_verified = false;  ///< it proved a certificate, of which the rest is
    std::string client_subject, client_fingerprint;
    std::vector<std::string> client_sans;
  };
  enum class Outcome : std::uint8_t { forwarded, answered, closed };

  std::string listener, listen;
  std::string peer, destination;  ///< of the socket; destination empty: not known

  std::string request_id;  ///< live only, as everything down to `endpoint`
  std::optional<std::chrono::system_clock::time_point> time;
  std::string endpoint;  ///< the one that was asked
  std::optional<unsigned> status;

  Outcome outcome = Outcome::forwarded;
  std::string why;    ///< answered, closed: by what, and what to change
  std::string cause;  ///< closed: the metric's label

  std::vector<ProxyHeader> proxy_headers;  ///< received; offline only
  std::optional<Tls> tls;                  ///< live only; nullopt: the client spoke none
  std::vector<Hop> hops;                   ///< from us outwards; the last one is the client
  std::string client;                      ///< `unix` when nobody said
  std::uint16_t client_port = 0;
  std::string provenance;
  std::vector<Field> refused;  ///< entries of the header that were not taken; `name` is the header
  std::vector<Field> removed;  ///< identity fields that do not go on as they came

  std::string request;  ///< `GET /path`
  std::string route, service;
  std::vector<Backend> backends;
  std::optional<ProxyHeader> told_proxy_header;
  std::vector<std::string> told_lines;  ///< of the request head
  std::vector<std::string> notes;       ///< what was taken for granted, or could not be kept
};

std::string_view to_string(Explanation::Outcome outcome);

/// For people: the hops drawn from the client inwards. Ends with a newline.
std::string render_text(const Explanation& explanation);
/// For machines: one JSON object, no newline. Every string is valid UTF-8.
std::string render_json(const Explanation& explanation);
/// The same as a JSON array of several, with a newline.
std::string render_json(const std::vector<Explanation>& all);

}  // namespace telltale::proxy
