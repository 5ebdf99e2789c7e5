#include <picket/crypto/cipher.h>

#include <algorithm>
#include <climits>

#include <openssl/evp.h>

namespace picket::crypto {

void AesCtr::Free::operator()(evp_cipher_ctx_st* context) const {
    EVP_CIPHER_CTX_free(context);
} // wipes the key

AesCtr::AesCtr(Context context) : context_(std::move(context)) {}
AesCtr::AesCtr(AesCtr&&) noexcept = default;
AesCtr& AesCtr::operator=(AesCtr&&) noexcept = default;
AesCtr::~AesCtr() = default;

Result<AesCtr> AesCtr::create(ByteSpan key, ByteSpan iv) {
    if (key.size() != kKeySize || iv.size() != kIvSize)
        return Error(ErrorCode::invalid_input, "AES-256-CTR takes a key of 32 and an iv of 16 bytes");
    Context context(EVP_CIPHER_CTX_new());
    PICKET_CHECK(context != nullptr);
    PICKET_CHECK(EVP_EncryptInit_ex(context.get(), EVP_aes_256_ctr(), nullptr, key.data(), iv.data()) == 1);
    return AesCtr(std::move(context));
}

void AesCtr::process(std::span<Byte> bytes) {
    while (!bytes.empty()) {
        const auto piece = bytes.first(std::min<std::size_t>(bytes.size(), INT_MAX / 2));
        int done = 0;
        PICKET_CHECK(
            EVP_EncryptUpdate(context_.get(), piece.data(), &done, piece.data(), static_cast<int>(piece.size())) == 1);
        PICKET_CHECK(static_cast<std::size_t>(done) == piece.size());
        bytes = bytes.subspan(piece.size());
    }
}

} // namespace picket::crypto
