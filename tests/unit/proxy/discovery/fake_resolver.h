#pragma once

#include "proxy/discovery/resolver.h"
#include "tests/unit/proxy/discovery/support.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace telltale::proxy::test {

/// Answers from a table; what is not in it is no such name. `hold` keeps questions until release().
class FakeResolver final : public Resolver {
 public:
  explicit FakeResolver(boost::asio::io_context& io) : io_(io) {}

  std::map<std::string, DnsReply> a, aaaa, srv;
  SearchList search_list;
  std::vector<std::string> asked;  ///< the names, of A and SRV
  bool hold = false, stopped = false;

  void ask(const Question& question, Done done) override {
    if (question.type != dns::RecordType::aaaa) asked.push_back(question.name);
    if (hold) {
      held_.emplace_back(question, std::move(done));
    } else {
      answer(question, std::move(done));
    }
  }
  void release() {
    hold = false;
    for (auto& [question, done] : std::exchange(held_, {})) answer(question, std::move(done));
  }
  const SearchList& search() const override { return search_list; }
  void stop() override { stopped = true; }

 private:
  void answer(const Question& question, Done done) {
    const auto& table = question.type == dns::RecordType::a ? a : question.type == dns::RecordType::srv ? srv : aaaa;
    const auto found = table.find(question.name);
    boost::asio::post(io_, [this, done = std::move(done), reply = found == table.end() ? no_such_name : found->second] {
      if (!stopped) done(reply);
    });
  }
  boost::asio::io_context& io_;
  std::vector<std::pair<Question, Done>> held_;
};

}  // namespace telltale::proxy::test
