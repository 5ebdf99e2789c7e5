#include <picket/crypto/digest.h>

#include <cerrno>
#include <functional>
#include <unistd.h>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <picket/base/text.h>

namespace picket::crypto {
namespace {

/// By pread(2) from offset 0 to the end; gives the size.
Result<Bytes> for_each_block(int fd, Bytes limit, const std::function<void(ByteSpan)>& each) {
    ByteVector buffer(std::size_t{256} << 10);
    std::uint64_t offset = 0;
    for (;;) {
        const ssize_t got = pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return Error::from_errno(errno, "read");
        if (got == 0)
            return Bytes{offset};
        offset += static_cast<std::uint64_t>(got);
        if (offset > limit.count)
            return Error(ErrorCode::exhausted, fmt::format("larger than {}", to_human(limit)));
        each(ByteSpan(buffer).first(static_cast<std::size_t>(got)));
    }
}

} // namespace

void Sha256::Free::operator()(evp_md_ctx_st* context) const {
    EVP_MD_CTX_free(context);
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
    PICKET_CHECK(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(ByteSpan bytes) {
    PICKET_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

Sha256Digest Sha256::finish() {
    Sha256Digest digest{};
    unsigned size = 0;
    PICKET_CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1 && size == digest.size());
    PICKET_CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
    return digest;
}

Sha256Digest sha256(ByteSpan bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.finish();
}

std::string sha256_hex(std::string_view text) {
    return to_hex(sha256(as_bytes(text)));
}

Result<FileDigest> sha256_of(int fd, Bytes limit) {
    Sha256 hash;
    const Bytes size = PICKET_TRY(for_each_block(fd, limit, [&](ByteSpan block) { hash.update(block); }));
    return FileDigest{hash.finish(), size};
}

Result<std::string> md5_hex_of(int fd, Bytes limit) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    if (!context || EVP_DigestInit_ex(context.get(), EVP_md5(), nullptr) != 1)
        return Error(ErrorCode::unavailable, "this host's OpenSSL offers no MD5");
    PICKET_TRY(for_each_block(fd, limit, [&](ByteSpan block) {
        PICKET_CHECK(EVP_DigestUpdate(context.get(), block.data(), block.size()) == 1);
    }));
    std::array<Byte, 16> digest{};
    unsigned size = 0;
    PICKET_CHECK(EVP_DigestFinal_ex(context.get(), digest.data(), &size) == 1 && size == digest.size());
    return to_hex(digest);
}

bool equal_constant_time(ByteSpan left, ByteSpan right) {
    return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

} // namespace picket::crypto
