#include "proxy/exchange/request_recorder.h"

#include "protocol/forwarding/asserted_client.h"
#include "tests/unit/protocol/forwarding/support.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

using forwarding::test::fields;

http1::RequestHead head(std::string_view lines) {
  http1::RequestHead out;
  out.method_text = "GET";
  out.authority = "a.example";
  out.target = "/path?secret=1";
  out.fields = fields(lines);
  return out;
}

std::string text_of(const http1::RequestHead& head) {
  std::string out = head.method_text + " " + head.authority + " " + head.target;
  for (const auto field : head.fields) out += "|" + std::string(field.name) + "=" + std::string(field.value);
  return out;
}

TEST(RecordedRequest, KeepsWhatSaysWhoTheClientIsAndNothingElse) {
  forwarding::HeaderTrust trust;
  trust.extra_identity_names = {"x-tenant"};
  RecordedRequest record;
  record.take_peer(forwarding::test::tcp("10.0.0.7:5"));
  record.take_head(head("X-Forwarded-For: 1.2.3.4\nCookie: secret\nAuthorization: secret\nX-Tenant: t\nVia: 1.1 x\n"
                        "x_real_ip: 5.6.7.8"),
                   trust);
  http1::RequestHead out;
  record.give_head(out);
  EXPECT_EQ(text_of(out), "GET a.example /path|X-Forwarded-For=1.2.3.4|X-Tenant=t|Via=1.1 x|x_real_ip=5.6.7.8");
  EXPECT_FALSE(record.is_cut);
  EXPECT_EQ(record.peer.socket_peer->port, 5);
}

TEST(RecordedRequest, OfASignedAssertionOnlyThatItCame) {
  RecordedRequest record;
  record.take_peer({});
  record.take_head(head("X-Telltale-Client: v1;kid=a;t=1;c=192.0.2.1:1;a=h;s=secret"), {});
  http1::RequestHead out;
  record.give_head(out);
  EXPECT_EQ(text_of(out), "GET a.example /path|X-Telltale-Client=(not kept)");
}

TEST(RecordedRequest, KeepsWhatBecameOfASignedAssertion) {
  using enum forwarding::RejectReason;
  const net::IpPort named{net::IpAddress::v4(192, 0, 2, 77), 9};
  forwarding::ClientAddress valid, expired, second, none;
  forwarding::believe_assertion(named, valid);
  expired.rejected = {{"6.6.6.6", peer_not_trusted}, {"v1;kid=a", assertion_expired}};
  second.rejected = {{"x", assertion_malformed}, {"v1;kid=a", assertion_expired}};
  none.rejected = {{"6.6.6.6", peer_not_trusted}};
  const auto refusals = [](auto... reasons) { return std::vector<forwarding::RejectReason>{reasons...}; };
  RecordedRequest record;
  record.take_assertion(valid);
  EXPECT_EQ(record.asserted, named);
  EXPECT_EQ(record.assertion_refusals, refusals());
  record.take_assertion(expired);
  EXPECT_EQ(record.asserted, std::nullopt);
  EXPECT_EQ(record.assertion_refusals, refusals(assertion_expired));
  record.take_assertion(second);
  EXPECT_EQ(record.assertion_refusals, refusals(assertion_malformed, assertion_expired));
  record.take_assertion(none);
  EXPECT_EQ(record.asserted, std::nullopt);
  EXPECT_EQ(record.assertion_refusals, refusals());
}

TEST(RecordedRequest, IsBoundedAndSaysSo) {
  const std::string list(600, '1');
  std::string many;
  for (int i = 0; i < 40; ++i) many += "X-Real-IP: 1.2.3.4\n";
  const struct {
    const char* description;
    std::string lines;
    std::size_t kept;
    bool is_cut;
  } rows[] = {
      {"one long field", "X-Forwarded-For: " + list, 1, false},
      {"two of them", "X-Forwarded-For: " + list + "\nX-Forwarded-For: " + list, 1, true},
      {"a short one behind one that has no room", "X-Forwarded-For: " + list + list + "\nX-Real-IP: 1.2.3.4", 1, true},
      {"very many", many, 16, true},
      {"none", "Accept: */*", 0, false},
  };
  for (const auto& row : rows) {
    RecordedRequest record;
    record.take_peer({});
    record.take_head(head(row.lines), {});
    http1::RequestHead out;
    record.give_head(out);
    EXPECT_EQ(out.fields.size(), row.kept) << row.description;
    EXPECT_EQ(record.is_cut, row.is_cut) << row.description;
  }
  auto long_path = head("X-Real-IP: 1.2.3.4");
  long_path.target = "/" + std::string(5000, 'x');
  RecordedRequest record;
  record.take_peer({});
  record.take_head(long_path, {});
  http1::RequestHead out;
  record.give_head(out);
  EXPECT_EQ(text_of(out), "GET a.example |X-Real-IP=1.2.3.4");
  EXPECT_TRUE(record.is_cut);
}

TEST(RecordedRequest, TlvsAreKeptWholeOrNotAtAll) {
  forwarding::PeerInfo peer;
  RecordedRequest record;
  for (const std::size_t size : {100u, 1024u, 1025u, 3u}) {
    peer.tlvs.assign(size, 'x');
    record.take_peer(peer);
    EXPECT_EQ(record.peer.tlvs.size(), size > 1024 ? 0 : size);
    EXPECT_EQ(record.is_cut, size > 1024);
  }
}

TEST(RecordedRequest, IsWrittenOverWithoutTraces) {
  RecordedRequest record;
  record.take_peer({});
  record.take_head(head("X-Forwarded-For: 1.2.3.4\nX-Real-IP: 5.6.7.8"), {});
  record.take_head(head("X-Real-IP: 9.9.9.9"), {});
  http1::RequestHead out;
  record.give_head(out);
  EXPECT_EQ(text_of(out), "GET a.example /path|X-Real-IP=9.9.9.9");
}

void record(RequestRecorder& recorder, std::uint64_t low) {
  static const auto snapshot = std::make_shared<const Snapshot>();
  RecordedRequest& slot = recorder.next();
  slot.kind = RecordedRequest::Kind::request;
  slot.snapshot = snapshot;
  slot.id_high = 7;
  slot.id_low = low;
}

TEST(RequestRecorder, KeepsTheNewest) {
  RequestRecorder recorder(3);
  EXPECT_TRUE(recorder.last(10).empty());
  EXPECT_TRUE(recorder.find(0, 0).empty()) << "an empty place is no record";
  for (std::uint64_t i = 1; i <= 5; ++i) record(recorder, i);
  const auto ids = [&](std::size_t n) {
    std::string out;
    for (const auto& each : recorder.last(n)) out += std::to_string(each.id_low) + " ";
    return out;
  };
  EXPECT_EQ(ids(10), "5 4 3 ");
  EXPECT_EQ(ids(2), "5 4 ");
  EXPECT_EQ(recorder.find(7, 4).size(), 1u);
  EXPECT_TRUE(recorder.find(7, 2).empty()) << "written over";
  EXPECT_TRUE(recorder.find(8, 4).empty());
}

}  // namespace
}  // namespace telltale::proxy
