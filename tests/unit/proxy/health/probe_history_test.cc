#include "proxy/health/probe_history.h"

#include <gtest/gtest.h>

#include <string_view>

namespace telltale::proxy {
namespace {

/// H healthy, D an explicit 503, U a failure, V vague, N not made.
ProbeOutcome outcome(char letter) {
  switch (letter) {
    case 'H':
      return ProbeOutcome::healthy;
    case 'D':
      return ProbeOutcome::draining;
    case 'U':
      return ProbeOutcome::unhealthy;
    case 'V':
      return ProbeOutcome::vague;
    default:
      return ProbeOutcome::not_made;
  }
}

/// h healthy, d draining, u unhealthy, ? unknown.
char letter(HealthState state) { return "?hdu"[static_cast<unsigned>(state)]; }

TEST(ProbeHistory, GoesThroughTheStates) {
  struct Case {
    const char* description;
    ProbeHistory::Thresholds thresholds;  // rise, fall, fall_draining
    const char* outcomes;
    const char* states;  // after each outcome
  };
  const Case cases[] = {
      {"the first healthy outcome decides", {3, 3, 1}, "H", "h"},
      {"the first 503 decides", {1, 3, 3}, "D", "d"},
      {"the first failure decides", {1, 3, 1}, "U", "u"},
      {"a first vague outcome tells nothing", {1, 3, 1}, "VH", "?h"},
      {"a first probe that was not made tells nothing", {1, 3, 1}, "NNNNU", "????u"},
      {"a 503 drains at once, and the next 200 brings it back", {1, 3, 1}, "HDHDH", "hdhdh"},
      {"failures need fall", {1, 3, 1}, "HUUU", "hhhu"},
      {"a success between starts the count again", {1, 3, 1}, "HUUHUUHUUU", "hhhhhhhhhu"},
      {"fall 1", {1, 1, 1}, "HUH", "huh"},
      {"rise 2 from unhealthy", {2, 3, 1}, "UHUHH", "uuuuh"},
      {"rise 2 from draining", {2, 3, 1}, "DHDHH", "ddddh"},
      {"rise 3", {3, 3, 1}, "UHHUHHH", "uuuuuuh"},
      {"fall_draining 2", {1, 3, 2}, "HDHDD", "hhhhd"},
      {"fall counts failures of any kind", {1, 3, 2}, "HDUD", "hhhd"},
      {"the last of the failures names the state", {1, 3, 2}, "HUDU", "hhhu"},
      {"fall_draining counts 503s in a row only", {1, 9, 2}, "HDUDUDD", "hhhhhhd"},
      {"fall below fall_draining", {1, 1, 3}, "HD", "hd"},
      {"a draining one that is refused stays so until fall", {1, 3, 1}, "DUUU", "dddu"},
      {"a 503 in between keeps it draining", {1, 3, 1}, "DUUDUUU", "ddddddu"},
      {"an unhealthy one that says 503 is draining", {1, 3, 1}, "UD", "ud"},
      {"an unhealthy one that says 503, fall_draining 2", {1, 3, 2}, "UDUDD", "uuuud"},
      {"vague takes a healthy one back to unknown", {1, 3, 1}, "HV", "h?"},
      {"vague counts as an explicit answer", {1, 3, 2}, "HVHVV", "hhhh?"},
      {"vague after a 503", {1, 3, 1}, "DV", "d?"},
      {"vague and 503 are not the same answer", {1, 9, 2}, "HVDVDD", "hhhhhd"},
      {"from unknown the next outcome decides at once", {3, 3, 3}, "HVVVUVVVH", "hhh?uuu?h"},
      {"not made: fall in a row make a healthy one unknown", {1, 3, 1}, "HNNN", "hhh?"},
      {"not made: any answer starts the count again", {1, 3, 1}, "HNNHNNUNN", "hhhhhhhhh"},
      {"not made never counts as a failure", {1, 3, 1}, "HUUNNU", "hhhhhu"},
      {"not made leaves a draining one draining", {1, 1, 1}, "DNNNN", "ddddd"},
      {"not made leaves an unhealthy one unhealthy", {1, 1, 1}, "UNNNN", "uuuuu"},
      {"thresholds of 0 count as 1", {0, 0, 0}, "HUHDHNH", "huhdh?h"},
  };
  for (const Case& c : cases) {
    ProbeHistory history(c.thresholds);
    EXPECT_EQ(history.state(), HealthState::unknown);
    std::string states;
    for (const char o : std::string_view(c.outcomes)) states += letter(history.record(outcome(o)));
    EXPECT_EQ(states, c.states) << c.description << ": " << c.outcomes;
    EXPECT_EQ(letter(history.state()), states.back());
  }
}

TEST(ProbeHistory, GoesOnFromTheStateItIsGiven) {
  ProbeHistory history({2, 2, 1}, HealthState::healthy);
  EXPECT_EQ(history.record(ProbeOutcome::unhealthy), HealthState::healthy);
  EXPECT_EQ(history.record(ProbeOutcome::unhealthy), HealthState::unhealthy);
}

}  // namespace
}  // namespace telltale::proxy
