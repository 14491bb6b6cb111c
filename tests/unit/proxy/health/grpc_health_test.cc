#include "proxy/health/grpc_health.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace telltale::proxy {
namespace {

using namespace std::string_literals;

/// In a frame.
std::string framed(const std::string& message) {
  std::string frame = "\0\0\0"s;
  frame.push_back(static_cast<char>(message.size() >> 8));
  frame.push_back(static_cast<char>(message.size()));
  return frame + message;
}

TEST(GrpcHealth, WritesTheRequest) {
  EXPECT_EQ(grpc_health_request(""), "\0\0\0\0\0"s);
  EXPECT_EQ(grpc_health_request("shop.v1.Cart"), framed("\x0a\x0c"
                                                        "shop.v1.Cart"s));
  EXPECT_EQ(grpc_health_request(std::string(300, 's')), framed("\x0a\xac\x02"s + std::string(300, 's')));
}

TEST(GrpcHealth, ReadsTheResponse) {
  using enum ServingStatus;
  struct Case {
    const char* description;
    std::string octets;
    std::optional<ServingStatus> status;
  };
  const Case cases[] = {
      {"SERVING", framed("\x08\x01"s), serving},
      {"NOT_SERVING", framed("\x08\x02"s), not_serving},
      {"SERVICE_UNKNOWN", framed("\x08\x03"s), service_unknown},
      {"UNKNOWN, said", framed("\x08\x00"s), unknown},
      {"UNKNOWN, which is the default", framed(""s), unknown},
      {"the last of several counts", framed("\x08\x02\x08\x01"s), serving},
      {"a varint longer than it must be", framed("\x08\x81\x80\x80\x00"s), serving},
      {"ten octets", framed("\x08\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00"s), serving},
      {"an unknown number", framed("\x10\x96\x01\x08\x01"s), serving},
      {"an unknown text",
       framed("\x12\x03"
              "abc\x08\x01"s),
       serving},
      {"unknown fixed sizes",
       framed("\x19"
              "12345678\x1d"
              "1234\x08\x01"s),
       serving},
      {"a status that is a text is another field", framed("\x0a\x01\x01"s), unknown},
      {"no such status", framed("\x08\x04"s), {}},
      {"a negative status", framed("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s), {}},
      {"more than 64 bits", framed("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"s), {}},
      {"eleven octets", framed("\x08\x81\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"s), {}},
      {"a number cut short", framed("\x08"s), {}},
      {"a number that goes on and ends", framed("\x08\x81"s), {}},
      {"a text cut short",
       framed("\x12\x05"
              "abc"s),
       {}},
      {"a text of a size that no message has", framed("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s), {}},
      {"a fixed size cut short",
       framed("\x19"
              "1234"s),
       {}},
      {"the beginning of a group", framed("\x0b\x08\x01\x0c"s), {}},
      {"a wire type that there is not", framed("\x0e\x01"s), {}},
      {"field number 0", framed("\x00\x01"s), {}},
      {"a field number of more than 29 bits", framed("\x80\x80\x80\x80\x10\x01"s), {}},
      {"nothing", "", {}},
      {"a frame cut short", "\0\0\0\0"s, {}},
      {"a message shorter than its frame says", "\0\0\0\0\x03\x08\x01"s, {}},
      {"a message longer than its frame says", "\0\0\0\0\x01\x08\x01"s, {}},
      {"two messages", framed("\x08\x01"s) + framed("\x08\x01"s), {}},
      {"compressed", "\x01\0\0\0\x02\x08\x01"s, {}},
      {"of a size beyond 31 bits", "\0\xff\xff\xff\xff\x08\x01"s, {}},
  };
  for (const Case& c : cases) EXPECT_EQ(read_grpc_health_response(c.octets), c.status) << c.description;
}

TEST(GrpcHealth, StandsAResponseCutAtEveryOctet) {
  const std::string whole = framed(
      "\x12\x03"
      "abc\x19"
      "12345678\x08\x01"s);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(read_grpc_health_response(whole.substr(0, size)), std::nullopt) << size;
  }
}

}  // namespace
}  // namespace telltale::proxy
