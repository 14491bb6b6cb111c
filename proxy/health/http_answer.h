#pragma once

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/optional.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace telltale::proxy {

/// What is read of an answer's body before it is judged as it is.
inline constexpr std::size_t max_probe_body_bytes = 64 * 1024;
/// A longer head is a failure.
inline constexpr std::size_t max_probe_head_bytes = 8 * 1024;

struct HttpAnswer {
  unsigned status = 0;
  std::string body;                   ///< its first max_probe_body_bytes
  std::optional<std::string> weight;  ///< X-Load-Balancing-Endpoint-Weight
  bool keep = false;                  ///< the connection may be used again
};

/// Reads one final HTTP/1.1 answer to a GET; interim ones (RFC 9110 15.2) are passed over. Beast's parser: we are an
/// ordinary client here. A body beyond the limit is left where it is: the status has decided.
class HttpAnswerReader {
 public:
  HttpAnswerReader();

  /// More octets. Errors are of beast::http::error.
  boost::system::error_code feed(std::string_view octets);
  /// The peer sends no more. eof: not an octet came.
  boost::system::error_code end();
  bool done() const { return done_; }
  bool any_octet() const { return received_ > 0; }
  /// Once done.
  HttpAnswer take();

 private:
  /// Beast's string_body reserves what Content-Length claims, before any of it came. This one takes what comes.
  struct ArrivedBody {
    using value_type = std::string;
    class reader {
     public:
      template <bool is_request, class Fields>
      reader(boost::beast::http::header<is_request, Fields>&, value_type& body) : body_(body) {}
      void init(const boost::optional<std::uint64_t>&, boost::system::error_code& error) { error = {}; }
      template <class Buffers>
      std::size_t put(const Buffers& buffers, boost::system::error_code& error) {
        error = {};
        std::size_t taken = 0;
        for (const auto buffer : boost::beast::buffers_range_ref(buffers)) {
          body_.append(static_cast<const char*>(buffer.data()), buffer.size());
          taken += buffer.size();
        }
        return taken;
      }
      void finish(boost::system::error_code& error) { error = {}; }

     private:
      value_type& body_;
    };
  };

  void begin_message();
  /// Whether the message at hand was an interim one; the next one is expected then.
  bool pass_over_interim(boost::system::error_code& error);

  std::optional<boost::beast::http::response_parser<ArrivedBody>> parser_;
  std::string pending_;       // not parsed yet
  std::size_t received_ = 0;  // of the present message
  unsigned interim_ = 0;
  bool done_ = false;
};

}  // namespace telltale::proxy
