#include "proxy/tls/asn1_time.h"

#include <openssl/asn1.h>

#include <ctime>

namespace telltale::proxy {

using std::chrono::system_clock;

system_clock::time_point time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return system_clock::from_time_t(::timegm(&parts));
}

}  // namespace telltale::proxy
