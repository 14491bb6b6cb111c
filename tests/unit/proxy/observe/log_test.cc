#include "proxy/observe/log.h"

#include "tests/unit/proxy/observe/temporary_directory.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <regex>
#include <sstream>
#include <system_error>
#include <thread>

namespace telltale::proxy {
namespace {

using test::read_file;
using test::TemporaryDirectory;

class LogTest : public ::testing::Test {
 protected:
  ~LogTest() override { setup_logging({}); }

  conf::Log conf(conf::LogFormat format, std::string level = "info") const { return {std::move(level), format, path}; }
  std::vector<std::string> lines() const {
    std::istringstream text(read_file(path));
    std::vector<std::string> out;
    for (std::string line; std::getline(text, line);) out.push_back(line);
    return out;
  }

  TemporaryDirectory directory;
  std::string path = directory / "log";
};

TEST_F(LogTest, HumanLineHasTimeLevelAndMessage) {
  setup_logging(conf(conf::LogFormat::human));
  spdlog::warn("node {} is draining", "a");
  ASSERT_EQ(lines().size(), 1u);
  EXPECT_TRUE(
      std::regex_match(lines()[0], std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warn  node a is draining)")))
      << lines()[0];
}

TEST_F(LogTest, JsonLineHasTimeLevelAndMessage) {
  setup_logging(conf(conf::LogFormat::json));
  spdlog::error("it said \"no\"\\");
  ASSERT_EQ(lines().size(), 1u);
  const auto value = boost::json::parse(lines()[0]);
  EXPECT_EQ(value.at("level").as_string(), "error");
  EXPECT_EQ(value.at("message").as_string(), "it said \"no\"\\");
  EXPECT_EQ(value.at("time").as_string().size(), std::string("2026-01-31T23:59:59.999Z").size());
}

TEST_F(LogTest, MessageWithLineBreaksStaysOneLineInBothFormats) {
  for (const auto format : {conf::LogFormat::human, conf::LogFormat::json}) {
    std::filesystem::remove(path);
    setup_logging(conf(format));
    spdlog::info("probe said: {}", "x\n2026-01-31T23:59:59.999Z error forged\r\x1b[2J\xff");
    ASSERT_EQ(lines().size(), 1u);
    EXPECT_EQ(lines()[0].find('\x1b'), std::string::npos);
    EXPECT_EQ(lines()[0].find('\r'), std::string::npos);
    EXPECT_NE(lines()[0].find("x\\n2026"), std::string::npos);
  }
}

TEST_F(LogTest, LevelsBelowTheConfiguredOneAreLeftOut) {
  const struct {
    const char* level;
    std::size_t lines;
  } rows[] = {{"trace", 5}, {"debug", 4}, {"info", 3}, {"warn", 2}, {"error", 1}, {"off", 0}};
  for (const auto& row : rows) {
    std::filesystem::remove(path);
    setup_logging(conf(conf::LogFormat::human, row.level));
    spdlog::trace("t"), spdlog::debug("d"), spdlog::info("i"), spdlog::warn("w"), spdlog::error("e");
    EXPECT_EQ(lines().size(), row.lines) << row.level;
  }
}

TEST_F(LogTest, ReopenFollowsTheRotatedFile) {
  setup_logging(conf(conf::LogFormat::human));
  spdlog::info("before");
  std::filesystem::rename(path, path + ".1");
  spdlog::info("between");
  reopen_log();
  spdlog::info("after");
  EXPECT_NE(read_file(path + ".1").find("between"), std::string::npos);
  ASSERT_EQ(lines().size(), 1u);
  EXPECT_NE(lines()[0].find("after"), std::string::npos);
}

TEST_F(LogTest, FileThatCannotBeReopenedIsSaidInTheOldOne) {
  const std::string folder = directory / "folder";
  std::filesystem::create_directory(folder);
  path = folder + "/log";
  setup_logging(conf(conf::LogFormat::human));
  const std::string moved = directory / "moved";
  std::filesystem::rename(folder, moved);
  reopen_log();
  spdlog::info("still here");
  const std::string text = read_file(moved + "/log");
  EXPECT_NE(text.find("cannot reopen"), std::string::npos);
  EXPECT_NE(text.find("still here"), std::string::npos);
}

TEST_F(LogTest, FileThatCannotBeOpenedThrowsAndChangesNothing) {
  setup_logging(conf(conf::LogFormat::human));
  EXPECT_THROW(setup_logging({"info", conf::LogFormat::json, directory / "no/such/folder"}), std::system_error);
  spdlog::info("as before");
  ASSERT_EQ(lines().size(), 1u);
}

TEST_F(LogTest, ReaderThatGoesAwayDoesNotEndTheProcess) {
  setup_logging(conf(conf::LogFormat::human));
  struct sigaction action{};
  ASSERT_EQ(::sigaction(SIGPIPE, nullptr, &action), 0);
  EXPECT_EQ(action.sa_handler, SIG_IGN);
}

TEST_F(LogTest, ReconfiguringWhileOtherThreadsLogLosesNoLine) {
  setup_logging(conf(conf::LogFormat::human));
  constexpr std::size_t messages = 2000;
  std::thread writer([] {
    for (std::size_t i = 0; i < messages; ++i) spdlog::info("message");
  });
  for (int i = 0; i < 50; ++i) {
    setup_logging(conf(i % 2 == 0 ? conf::LogFormat::json : conf::LogFormat::human));
    reopen_log();
  }
  writer.join();
  EXPECT_EQ(lines().size(), messages);
}

}  // namespace
}  // namespace telltale::proxy
