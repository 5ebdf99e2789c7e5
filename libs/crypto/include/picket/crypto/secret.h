#pragma once
#include <span>
#include <string>

#include <picket/base/bytes.h>

namespace picket::crypto {

/// Overwrites memory in a way that the compiler may not leave out.
void cleanse(std::span<Byte> bytes);
void cleanse(std::string& text);

/// Bytes of a fixed size that are wiped when they go. Movable, not copyable.
class Secret {
  public:
    explicit Secret(std::size_t size) : bytes_(size) {}
    explicit Secret(ByteSpan bytes) : bytes_(bytes.begin(), bytes.end()) {}
    explicit Secret(std::string_view text) : Secret(as_bytes(text)) {}
    Secret(Secret&&) noexcept = default;
    Secret& operator=(Secret&& other) noexcept {
        cleanse(bytes_);
        bytes_ = std::move(other.bytes_);
        return *this;
    }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() { cleanse(bytes_); }

    std::span<Byte> bytes() { return bytes_; }
    ByteSpan bytes() const { return bytes_; }
    std::string_view text() const { return as_text(bytes_); }
    std::size_t size() const { return bytes_.size(); }

  private:
    ByteVector bytes_;
};

} // namespace picket::crypto
