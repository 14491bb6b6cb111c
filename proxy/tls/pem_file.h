#pragma once

#include <openssl/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <sys/stat.h>

/// What all readers of certificates, keys and lists share.
namespace telltale::proxy {

struct BioFreer {
  void operator()(BIO* bio) const;
};
using BioHandle = std::unique_ptr<BIO, BioFreer>;

constexpr off_t max_pem_file_size = 1024 * 1024;
/// What expires within this time is warned of.
constexpr std::chrono::hours expires_soon{14 * 24};

/// A regular file, and what the system says of it. Throws CertificateError.
BioHandle open_file(const std::string& path, bool of_key, struct stat& status, off_t max_size = max_pem_file_size);

/// For PEM_read_bio_…: nobody can be asked for a passphrase.
int no_passphrase(char*, int, int, void*);

/// True: the last error of this thread says that nothing more of the kind is in the file, and the queue is empty now.
bool take_end_of_pem();

std::chrono::system_clock::time_point time_of(const ASN1_TIME* time);
/// `2026-11-30`, in UTC.
std::string date_text(std::chrono::system_clock::time_point time);

}  // namespace telltale::proxy
