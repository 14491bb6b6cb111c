#pragma once

#include <span>
#include <string>
#include <string_view>

/// What stands in front of a listener, by the name that people know it by (`client_ip.behind`). A preset is nothing but
/// values for the plain fields of `client_ip`.
namespace telltale::conf {

struct Preset {
  /// proxy: a PROXY header opens each of its connections. header: it writes a header field. nothing: the peer that we
  /// see is the client, or nobody tells us more.
  enum class Tells : unsigned char { nothing, proxy, header };

  std::string_view name;
  Tells tells = Tells::nothing;
  std::string_view version = "any";  ///< proxy: the value of the rule's `version`
  std::string_view header = "none";  ///< the value of `header`
  unsigned trusted_hops = 0;
  std::string_view published = {};  ///< the list with its addresses; empty, or unknown to the ranges file: `from` it is
  std::string_view also = {};       ///< one more address that sends the PROXY header: its health probe's
  std::string_view sends = {};      ///< for people: which header or PROXY version
  std::string_view source = {};     ///< for people: whose address the connections have
  std::string_view from = {};       ///< for people: what `from` must name
  std::string_view why = {};        ///< for people: why these values, and what must be set over there
};

/// In the order of the reference.
std::span<const Preset> presets();
/// nullptr: there is none of this name.
const Preset* find_preset(std::string_view name);
/// Their names, as the schema table wants them.
inline constexpr std::string_view preset_words =
    "aws-nlb|aws-alb|aws-clb|gcp-lb|gcp-psc|azure-lb|azure-private-link|azure-front-door|cloudflare|cloudflare-"
    "spectrum|"
    "fastly|digitalocean|hetzner|kubernetes-nodeport|nothing";
/// The table of conf/README.md.
std::string presets_markdown();

}  // namespace telltale::conf
