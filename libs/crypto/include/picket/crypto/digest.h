#pragma once
#include <array>
#include <memory>
#include <string>

#include <picket/base/bytes.h>
#include <picket/base/result.h>

struct evp_md_ctx_st;

namespace picket::crypto {

using Sha256Digest = std::array<Byte, 32>;

/// Streaming SHA-256. Movable; one thread at a time.
class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    void update(ByteSpan bytes);
    void update(std::string_view text) { update(as_bytes(text)); }
    /// The digest of all so far; afterwards the object starts anew.
    Sha256Digest finish();

  private:
    struct Free {
        void operator()(evp_md_ctx_st* context) const;
    };
    std::unique_ptr<evp_md_ctx_st, Free> context_;
};

Sha256Digest sha256(ByteSpan bytes);
/// 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view text);

struct FileDigest {
    Sha256Digest sha256{};
    Bytes size;
};
/// Reads from offset 0 by pread(2): the descriptor's own offset does not move. More than `limit` is exhausted.
Result<FileDigest> sha256_of(int fd, Bytes limit);
/// The same in 32 hexadecimal digits of MD5, which dpkg's records have: it proves nothing against whoever made the
/// recorded file. unavailable where the host's OpenSSL has none (FIPS).
Result<std::string> md5_hex_of(int fd, Bytes limit);

/// Takes the same time wherever the first difference is.
bool equal_constant_time(ByteSpan left, ByteSpan right);

} // namespace picket::crypto
