#include "proxy/tls/client_authorities.h"

#include "proxy/net/tls_error.h"
#include "proxy/tls/authorities.h"
#include "proxy/tls/client_certificate.h"
#include "proxy/tls/pem_file.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

namespace telltale::proxy {
namespace {

using std::chrono::system_clock;

constexpr off_t max_lists_size = 64 * 1024 * 1024;  // of an authority with a million revoked ones

void read_lists(const std::string& path, ClientAuthorities& out) try {
  struct stat status{};
  const BioHandle file = open_file(path, false, status, max_lists_size);
  ERR_clear_error();
  while (X509_CRL* next = PEM_read_bio_X509_CRL(file.get(), nullptr, no_passphrase, nullptr)) {
    out.revocation_lists.emplace_back(next);
  }
  if (!take_end_of_pem()) throw CertificateError(path + ": " + take_tls_message(), false);
  if (out.revocation_lists.empty()) throw CertificateError(path + ": there is no revocation list in it", false);
} catch (const CertificateError& error) {
  throw RevocationListError(error.what());
}

void find_tops(ClientAuthorities& out) {
  const auto issued = [](X509* issuer, X509* subject) {
    return X509_check_issued(issuer, subject) == X509_V_OK && X509_verify(subject, X509_get0_pubkey(issuer)) == 1;
  };
  for (const auto& each : out.authorities) {
    const bool has_issuer = std::ranges::any_of(out.authorities, [&](const auto& other) {
      return X509_cmp(other.get(), each.get()) != 0 && issued(other.get(), each.get());
    });
    const bool is_top = !has_issuer || issued(each.get(), each.get());
    (is_top ? out.tops : out.between).push_back(each.get());
  }
  ERR_clear_error();
  if (!out.tops.empty()) return;
  throw CertificateError(out.conf.ca_file + ": of its authorities each was issued by another one", false);
}

/// RFC 8446 4.2.4: all names together have 16 bits for their size.
void check_names(const ClientAuthorities& all) {
  std::size_t size = 0;
  for (const auto& each : all.authorities) {
    size += 2 + static_cast<std::size_t>(std::max(0, i2d_X509_NAME(X509_get_subject_name(each.get()), nullptr)));
  }
  if (size <= 0xffff - 2) return;
  throw CertificateError(all.conf.ca_file + ": the names of its " + std::to_string(all.authorities.size()) +
                             " authorities have " + std::to_string(size) + " octets; a handshake has room for 65533",
                         false);
}

bool is_by(X509_CRL* list, X509* authority) {
  return X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(authority)) == 0;
}

/// An authority may have had several keys, each with a certificate of its own.
void check_signatures(const ClientAuthorities& all) {
  for (const auto& list : all.revocation_lists) {
    bool known = false, right = false;
    for (const auto& authority : all.authorities) {
      if (!is_by(list.get(), authority.get())) continue;
      known = true;
      EVP_PKEY* key = X509_get0_pubkey(authority.get());
      right = right || (key != nullptr && X509_CRL_verify(list.get(), key) == 1);
    }
    ERR_clear_error();
    if (known && !right) {
      throw RevocationListError(all.conf.crl_file + ": the list of " + name_text(X509_CRL_get_issuer(list.get())) +
                                " is not signed by the one in " + all.conf.ca_file);
    }
  }
}

std::string digest_of(const ClientAuthorities& all) {
  std::string digests = std::to_string(static_cast<int>(all.conf.mode)) + ' ' + std::to_string(all.conf.depth);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const auto add = [&] { digests.append(reinterpret_cast<const char*>(digest.data()), size); };
  for (const auto& each : all.authorities) {
    if (X509_digest(each.get(), EVP_sha256(), digest.data(), &size) != 1) throw std::bad_alloc();
    add();
  }
  for (const auto& each : all.revocation_lists) {
    if (X509_CRL_digest(each.get(), EVP_sha256(), digest.data(), &size) != 1) throw std::bad_alloc();
    add();
  }
  return digests;
}

void doubt_authorities(const ClientAuthorities& all, system_clock::time_point now, std::vector<AuthorityDoubt>& out) {
  for (const auto& each : all.authorities) {
    const std::string name = name_text(X509_get_subject_name(each.get()));
    const auto not_after = time_of(X509_get0_notAfter(each.get()));
    const auto not_before = time_of(X509_get0_notBefore(each.get()));
    if (now >= not_after) {
      out.push_back({false, name + " expired on " + date_text(not_after) + ": its clients are refused"});
    } else if (now + expires_soon >= not_after) {
      out.push_back({false, name + " expires on " + date_text(not_after) + ", and its clients are refused then"});
    }
    if (now < not_before) {
      out.push_back({false, name + " is not valid before " + date_text(not_before) + ": its clients are refused"});
    }
    if (X509_check_ca(each.get()) == 0) {
      out.push_back({false, name + " is no authority: it vouches for nobody but itself"});
    }
    const bool has_list =
        std::ranges::any_of(all.revocation_lists, [&](const auto& list) { return is_by(list.get(), each.get()); });
    if (!has_list && !all.revocation_lists.empty() && X509_check_ca(each.get()) != 0) {
      out.push_back({true, "there is no list of " + name + " in it: its clients are refused"});
    }
  }
}

void doubt_lists(const ClientAuthorities& all, system_clock::time_point now, std::vector<AuthorityDoubt>& out) {
  for (const auto& each : all.revocation_lists) {
    const std::string name = name_text(X509_CRL_get_issuer(each.get()));
    const auto last = time_of(X509_CRL_get0_lastUpdate(each.get()));
    if (now < last) {
      out.push_back(
          {true, "the list of " + name + " is not valid before " + date_text(last) + ": its clients are refused"});
    }
    if (X509_CRL_get0_nextUpdate(each.get()) == nullptr) continue;  // it is good for ever
    const auto next = time_of(X509_CRL_get0_nextUpdate(each.get()));
    if (now < next) continue;
    out.push_back(
        {true, "the list of " + name + " is out of date since " + date_text(next) + ": its clients are refused"});
  }
}

/// Of the last one in a chain there may be no list: it is believed, whoever issued it.
int judge(int right, X509_STORE_CTX* verification) {
  if (right == 1 || X509_STORE_CTX_get_error(verification) != X509_V_ERR_UNABLE_TO_GET_CRL) return right;
  const int last = sk_X509_num(X509_STORE_CTX_get0_chain(verification)) - 1;
  if (X509_STORE_CTX_get_error_depth(verification) != last) return right;
  X509_STORE_CTX_set_error(verification, X509_V_OK);
  return 1;
}

/// With those between, as if the client had sent them.
int verify(X509_STORE_CTX* verification, void* authorities) {
  STACK_OF(X509)* sent = X509_STORE_CTX_get0_untrusted(verification);
  STACK_OF(X509)* all = sent != nullptr ? sk_X509_dup(sent) : sk_X509_new_null();
  for (X509* each : static_cast<const ClientAuthorities*>(authorities)->between) sk_X509_push(all, each);
  X509_STORE_CTX_set0_untrusted(verification, all);
  const int verified = X509_verify_cert(verification);
  X509_STORE_CTX_set0_untrusted(verification, sent);
  sk_X509_free(all);
  return verified;
}

/// OpenSSL looks at a certificate when it is shown, not when the session is resumed: that session ends with it.
SSL_TICKET_RETURN open_ticket(SSL*, SSL_SESSION* session, const unsigned char*, std::size_t, SSL_TICKET_STATUS status,
                              void*) {
  if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) return SSL_TICKET_RETURN_IGNORE_RENEW;
  const X509* certificate = SSL_SESSION_get0_peer(session);
  if (certificate != nullptr && X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0) {
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  }
  return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}
int write_ticket(SSL*, void*) { return 1; }  // as it is

}  // namespace

void ClientAuthorities::Freer::operator()(X509_CRL* list) const { X509_CRL_free(list); }
void StoreFreer::operator()(X509_STORE* store) const { X509_STORE_free(store); }

std::shared_ptr<const ClientAuthorities> read_client_authorities(const conf::ClientCertificates& conf) {
  auto all = std::make_shared<ClientAuthorities>();
  all->conf = conf;
  all->authorities = read_authorities(conf.ca_file);
  find_tops(*all);
  check_names(*all);
  if (!conf.crl_file.empty()) read_lists(conf.crl_file, *all);
  check_signatures(*all);
  all->digest = digest_of(*all);
  return all;
}

std::vector<AuthorityDoubt> doubts(const ClientAuthorities& authorities, system_clock::time_point now) {
  std::vector<AuthorityDoubt> all;
  doubt_authorities(authorities, now, all);
  doubt_lists(authorities, now, all);
  ERR_clear_error();
  return all;
}

StoreHandle make_store(const ClientAuthorities& authorities) {
  StoreHandle store(X509_STORE_new());
  if (!store) throw std::bad_alloc();
  for (X509* each : authorities.tops) X509_STORE_add_cert(store.get(), each);
  for (const auto& each : authorities.revocation_lists) X509_STORE_add_crl(store.get(), each.get());
  ERR_clear_error();
  return store;
}

void ask_for_certificates(SSL_CTX* context, X509_STORE* store, const ClientAuthorities& authorities) {
  const bool required = authorities.conf.mode == conf::ClientAuth::required;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), judge);
  SSL_CTX_set_verify_depth(context, static_cast<int>(authorities.conf.depth));
  SSL_CTX_set_purpose(context, X509_PURPOSE_SSL_CLIENT);
  SSL_CTX_set1_cert_store(context, store);
  if (!authorities.between.empty()) {
    SSL_CTX_set_cert_verify_callback(context, verify, const_cast<ClientAuthorities*>(&authorities));
  }
  SSL_CTX_set_session_ticket_cb(context, write_ticket, open_ticket, nullptr);
  const bool has_lists = !authorities.revocation_lists.empty();
  X509_VERIFY_PARAM_set_flags(
      SSL_CTX_get0_param(context),
      X509_V_FLAG_PARTIAL_CHAIN | (has_lists ? X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL : 0UL));
  for (const auto& each : authorities.authorities) SSL_CTX_add_client_CA(context, each.get());
}

}  // namespace telltale::proxy
