#include "proxy/tls/client_context.h"

#include "proxy/upstream/endpoint.h"
#include "tests/unit/proxy/tls/tls_backend.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

namespace telltale::proxy {
namespace {

using test::Certificate, test::TemporaryFile, test::TlsBackend, test::TlsConnection;
using Speaks = ClientContext::Speaks;

std::unique_ptr<ClientContext> make(const conf::BackendTls& conf) {
  return std::make_unique<ClientContext>(conf, *read_backend_files(conf));
}

TlsPeer named(std::string name) { return {.name = std::move(name), .address = std::nullopt}; }
TlsPeer at(const char* address) { return {.name = {}, .address = net::IpAddress::parse(address)}; }

TEST(TlsPeer, IsWhoIsAskedForOrWasFoundOrServes) {
  const conf::Address address{net::IpPort{net::IpAddress::v4(10, 0, 0, 1), 443}, {}}, socket{{}, "/run/app.sock"};
  struct Case {
    const char *description, *sni, *found_by;
    const conf::Address& address;
    std::string name;
    bool by_address;
  };
  const Case cases[] = {
      {"an address", "", "", address, "", true},
      {"a name that was looked up", "", "app.internal", address, "app.internal", false},
      {"what is configured", "other.internal", "app.internal", address, "other.internal", false},
      {"a Unix socket", "", "", socket, "localhost", false},
      {"a Unix socket with a name", "app.internal", "", socket, "app.internal", false},
      {"an address that is configured as a name", "10.0.0.1", "app.internal", address, "", true},
  };
  for (const Case& c : cases) {
    const TlsPeer peer = tls_peer({.sni = c.sni}, c.found_by, c.address);
    EXPECT_EQ(peer.name, c.name) << c.description;
    EXPECT_EQ(peer.address == net::IpAddress::v4(10, 0, 0, 1), c.by_address) << c.description;
  }
}

TEST(ClientContext, BelievesWhomItIsTold) {
  const Certificate authority({.common_name = "authority", .authority = true});
  const Certificate other({.common_name = "other", .authority = true});
  const Certificate both({.names = "DNS:app.internal,IP:127.0.0.1"}, authority);
  const Certificate wild({.names = "DNS:*.shop.internal"}, authority);
  const Certificate expired({.names = "DNS:app.internal", .begins = -7200, .ends = -3600}, authority);
  const Certificate alone({.names = "DNS:app.internal"});
  const TemporaryFile ca(authority.pem()), other_ca(other.pem()), both_cas(other.pem() + authority.pem()),
      itself(alone.pem());
  constexpr auto full = conf::TlsVerify::full, chain = conf::TlsVerify::ca, none = conf::TlsVerify::none;
  struct Case {
    const char* description;
    const Certificate& certificate;
    TlsPeer peer;
    conf::TlsVerify verify;
    std::string ca_file, error;
  };
  const Case cases[] = {
      {"a name", both, named("app.internal"), full, ca.path(), ""},
      {"an address", both, at("127.0.0.1"), full, ca.path(), ""},
      {"one of several authorities", both, named("app.internal"), full, both_cas.path(), ""},
      {"a wildcard", wild, named("a.shop.internal"), full, ca.path(), ""},
      {"a wildcard is one label", wild, named("b.a.shop.internal"), full, ca.path(), "hostname mismatch"},
      {"a part of a name", both, named("internal"), full, ca.path(), "hostname mismatch"},
      {"another name", both, named("web.internal"), full, ca.path(), "hostname mismatch"},
      {"another address", both, at("127.0.0.2"), full, ca.path(), "IP address mismatch"},
      {"an address where there are names alone", wild, at("127.0.0.1"), full, ca.path(), "IP address mismatch"},
      {"another name, the chain alone", both, named("web.internal"), chain, ca.path(), ""},
      {"another authority", both, named("app.internal"), chain, other_ca.path(),
       "unable to get local issuer certificate"},
      {"an authority that the system does not know", both, named("app.internal"), full, "",
       "unable to get local issuer certificate"},
      {"an expired one", expired, named("app.internal"), full, ca.path(), "certificate has expired"},
      {"signed by itself", alone, named("app.internal"), full, ca.path(), "self-signed certificate"},
      {"signed by itself, and believed", alone, named("app.internal"), full, itself.path(), ""},
      {"anybody", expired, named("web.internal"), none, "", ""},
  };
  for (const Case& c : cases) {
    EventLoop loop;
    const auto context = make({.verify = c.verify, .ca_file = c.ca_file});
    const TlsConnection connection(loop, TlsBackend(c.certificate), context->connect(c.peer, Speaks::anything));
    EXPECT_EQ(connection.error ? connection.error.message() : "", c.error) << c.description;
  }
}

TEST(ClientContext, SaysWhatItIsToldTo) {
  const Certificate certificate({});
  struct Case {
    const char* description;
    TlsPeer peer;
    std::vector<std::string> alpn;
    Speaks speaks;
    std::string sni, offered;
  };
  const std::string http1("\x08http/1.1"), two("\x02h2\x08http/1.1");
  const Case cases[] = {
      {"requests", named("app.internal"), {}, Speaks::http1, "app.internal", http1},
      {"anything", named("app.internal"), {}, Speaks::anything, "app.internal", ""},
      {"an address is not sent", at("127.0.0.1"), {}, Speaks::http1, "", http1},
      {"what is configured", named("a"), {"h2", "http/1.1"}, Speaks::anything, "a", two},
      {"what is configured, for requests", named("a"), {"h2", "http/1.1"}, Speaks::http1, "a", two},
  };
  for (const Case& c : cases) {
    EventLoop loop;
    std::string offered;
    const TlsBackend backend(certificate);
    SSL_CTX_set_alpn_select_cb(
        backend.context(),
        [](SSL*, const unsigned char**, unsigned char*, const unsigned char* in, unsigned size, void* out) {
          static_cast<std::string*>(out)->assign(reinterpret_cast<const char*>(in), size);
          return SSL_TLSEXT_ERR_NOACK;
        },
        &offered);
    const auto context = make({.verify = conf::TlsVerify::none, .alpn = c.alpn});
    const TlsConnection connection(loop, backend, context->connect(c.peer, c.speaks));
    const char* sni = SSL_get_servername(connection.server_ssl, TLSEXT_NAMETYPE_host_name);
    EXPECT_EQ(sni != nullptr ? sni : "", c.sni) << c.description;
    EXPECT_EQ(offered, c.offered) << c.description;
  }
}

TEST(ClientContext, ShowsItsCertificate) {
  const Certificate certificate({}), own({.common_name = "us"});
  const TemporaryFile pem(own.pem() + own.key_pem());
  EventLoop loop;
  const TlsBackend backend(certificate);
  SSL_CTX_set_verify(backend.context(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
  for (const bool has_one : {true, false}) {
    conf::BackendTls conf{.verify = conf::TlsVerify::none};
    if (has_one) conf.client_certificate = conf::CertificateFiles{pem.path(), pem.path(), {}};
    const auto context = make(conf);
    TlsConnection connection(loop, backend, context->connect(named("a"), Speaks::http1));
    run_until(loop, [&] { return connection.server.tls()->handshake() != boost::asio::error::would_block; });
    EXPECT_EQ(SSL_get0_peer_certificate(connection.server_ssl) != nullptr, has_one);
  }
}

class ClientSessions : public testing::TestWithParam<int> {
 protected:
  ClientSessions()
      : authority_({.common_name = "authority", .authority = true}),
        certificate_({.names = "DNS:a.internal,DNS:b.internal"}, authority_),
        ca_(authority_.pem()),
        backend_(certificate_, GetParam()) {}

  std::unique_ptr<ClientContext> make_context() const { return make({.ca_file = ca_.path()}); }
  bool resumes(ClientContext& context, std::uint64_t endpoint, const std::string& name = "a.internal") {
    const TlsConnection connection(loop_, backend_, context.connect(named(name), Speaks::http1, endpoint));
    EXPECT_FALSE(connection.error) << connection.error.message();
    EXPECT_TRUE(context.has_made(connection.client.tls()->ssl()));
    return connection.resumed();
  }

  Certificate authority_, certificate_;
  TemporaryFile ca_;
  TlsBackend backend_;
  EventLoop loop_;
};

TEST_P(ClientSessions, AreResumedAtTheSameEndpointByTheSameName) {
  const auto context = make_context();
  EXPECT_FALSE(resumes(*context, 1));
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(resumes(*context, 1));
  EXPECT_FALSE(resumes(*context, 2)) << "another endpoint";
  EXPECT_TRUE(resumes(*context, 1));
  EXPECT_FALSE(resumes(*context, 1, "b.internal")) << "another name has to be verified";
  EXPECT_TRUE(resumes(*context, 1, "b.internal"));
  EXPECT_FALSE(resumes(*context, 1)) << "and the first one again";
  EXPECT_FALSE(resumes(*context, 0));
  EXPECT_FALSE(resumes(*context, 0)) << "of nobody nothing is kept";
}

TEST_P(ClientSessions, GoWithWhatTheyAreOf) {
  const auto context = make_context();
  EXPECT_FALSE(resumes(*context, 1));
  EXPECT_FALSE(resumes(*context, 2));
  EndpointSet set;
  set.endpoints.push_back(std::make_shared<Endpoint>(Endpoint{.id = 2}));
  context->keep_only(set);
  EXPECT_FALSE(resumes(*context, 1)) << "its endpoint was gone";
  EXPECT_TRUE(resumes(*context, 2));
  context->forget(2);
  EXPECT_FALSE(resumes(*context, 2));
  EXPECT_FALSE(resumes(*make_context(), 2)) << "another context knows of none";
}

TEST_P(ClientSessions, OfManyTheNewestAreKept) {
  const auto context = make_context();
  std::vector<std::unique_ptr<TlsConnection>> open;
  for (int i = 0; i < 10; ++i) {
    open.push_back(std::make_unique<TlsConnection>(loop_, backend_,
                                                   context->connect(named("a.internal"), Speaks::http1, 1 + i % 2)));
  }
  EXPECT_TRUE(resumes(*context, 1));
  EXPECT_TRUE(resumes(*context, 2));
}

TEST_P(ClientSessions, AConnectionMayOutliveItsContext) {
  auto context = make_context();
  TlsConnection connection(loop_, backend_, context->connect(named("a.internal"), Speaks::http1, 1));
  const auto other = make_context();
  EXPECT_FALSE(other->has_made(connection.client.tls()->ssl()));
  context.reset();
  if (GetParam() == TLS1_3_VERSION) SSL_new_session_ticket(connection.server_ssl);
  EXPECT_EQ(connection.server.write("hello").size, 5u);
  std::string got;
  run_until(loop_, [&] { return (got += connection.client.read().octets) == "hello"; });
}

INSTANTIATE_TEST_SUITE_P(Versions, ClientSessions, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));

TEST(Authorities, SayWhatIsWrongWithTheirFile) {
  const Certificate certificate({});
  const TemporaryFile empty(""), text("none"), cut(certificate.pem().substr(0, 200)),
      good(certificate.pem() + "# end\n");
  const auto why = [](const std::string& file) -> std::string {
    try {
      read_authorities(file);
      return {};
    } catch (const CertificateError& error) {
      return std::string(error.what()).substr(file.size());
    }
  };
  EXPECT_EQ(why(good.path()), "");
  EXPECT_EQ(why("/nonexistent.pem"), ": No such file or directory");
  EXPECT_EQ(why("/tmp"), ": not a regular file");
  EXPECT_EQ(why(empty.path()), ": there is no certificate in it");
  EXPECT_EQ(why(text.path()), ": there is no certificate in it");
  EXPECT_NE(why(cut.path()), "");
}

}  // namespace
}  // namespace telltale::proxy
