#include "proxy/upstream/proxy_mismatch.h"

#include <gtest/gtest.h>

#include <vector>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;
using Answer = ProxyMismatch::Answer;

struct Step {
  Answer answer;
  bool sent_proxy_header;
  std::chrono::seconds at;
  const char* said;  ///< nullptr: nothing
};

TEST(ProxyMismatch, AsksOnlyUntilTheBackendHasUnderstoodSomething) {
  const struct {
    const char* description;
    std::vector<Step> steps;
  } cases[] = {
      {"400 to a PROXY header", {{Answer::bad_request, true, 0s, "answers 400"}}},
      {"400 without one is the request's fault", {{Answer::bad_request, false, 0s, nullptr}}},
      {"a close behind a PROXY header", {{Answer::none, true, 0s, "closes connections that open with a PROXY"}}},
      {"a close without one", {{Answer::none, false, 0s, "if it expects a PROXY header"}}},
      {"once in a while",
       {{Answer::none, true, 0s, "closes"}, {Answer::none, true, 9s, nullptr}, {Answer::none, true, 10s, "closes"}}},
      {"not when it has answered before",
       {{Answer::other, true, 0s, nullptr},
        {Answer::bad_request, true, 20s, nullptr},
        {Answer::none, true, 40s, nullptr}}},
      {"it may understand later",
       {{Answer::none, true, 0s, "closes"}, {Answer::other, true, 20s, nullptr}, {Answer::none, true, 40s, nullptr}}},
  };
  for (const auto& c : cases) {
    ProxyMismatch mismatch;
    for (const Step& step : c.steps) {
      const std::string_view said =
          mismatch.judge(step.answer, step.sent_proxy_header, LogRate::Clock::time_point{} + step.at);
      if (step.said == nullptr) {
        EXPECT_EQ(said, "") << c.description;
      } else {
        EXPECT_NE(said.find(step.said), said.npos) << c.description << ": " << said;
      }
    }
  }
}

}  // namespace
}  // namespace telltale::proxy
