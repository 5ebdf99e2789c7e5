#pragma once
#include <memory>
#include <span>

#include <picket/base/bytes.h>
#include <picket/base/result.h>

struct evp_cipher_ctx_st;

namespace picket::crypto {

/// AES-256 in counter mode: the same call encrypts and decrypts, and a stream may come in any pieces. It hides content,
/// it does not authenticate it: keep a digest beside. Never use one (key, iv) pair for two contents.
class AesCtr {
  public:
    static constexpr std::size_t kKeySize = 32;
    static constexpr std::size_t kIvSize = 16;

    /// Sizes other than the two above are invalid_input.
    static Result<AesCtr> create(ByteSpan key, ByteSpan iv);
    /// In place.
    void process(std::span<Byte> bytes);

    AesCtr(AesCtr&&) noexcept;
    AesCtr& operator=(AesCtr&&) noexcept;
    ~AesCtr();

  private:
    struct Free {
        void operator()(evp_cipher_ctx_st* context) const;
    };
    using Context = std::unique_ptr<evp_cipher_ctx_st, Free>;
    explicit AesCtr(Context context);
    Context context_;
};

} // namespace picket::crypto
