#include "content.h"

#include <algorithm>
#include <functional>

#include <picket/base/text.h>
#include <picket/crypto/cipher.h>
#include <picket/crypto/digest.h>
#include <picket/crypto/random.h>

namespace picket::remedy {
namespace {

constexpr std::size_t kChunk = 256 * 1024;

using EachChunk = std::function<Result<void>(std::span<Byte>)>;

/// Exactly `size_bytes`; one byte is asked for beyond, because a file that grows is not the file that was judged.
Result<void> for_each_chunk(Disk& disk, int source, std::uint64_t size_bytes, const EachChunk& each) {
    ByteVector buffer(kChunk);
    std::uint64_t offset = 0;
    while (offset < size_bytes) {
        const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, size_bytes - offset));
        if (PICKET_TRY(disk.read_at(source, buffer.data(), wanted, offset)) != wanted)
            return Error(ErrorCode::conflict, "the file became shorter while it was read");
        PICKET_TRY(each(std::span<Byte>(buffer).first(wanted)));
        offset += wanted;
    }
    if (PICKET_TRY(disk.read_at(source, buffer.data(), 1, offset)) != 0)
        return Error(ErrorCode::conflict, "the file became longer while it was read");
    return {};
}

} // namespace

Result<Sealed> seal(Disk& disk, int source, std::uint64_t size_bytes, int target) {
    Sealed sealed;
    sealed.key = crypto::random_bytes(crypto::AesCtr::kKeySize);
    sealed.counter = crypto::random_bytes(crypto::AesCtr::kIvSize);
    crypto::AesCtr cipher = PICKET_TRY(crypto::AesCtr::create(sealed.key, sealed.counter));
    crypto::Sha256 digest;
    PICKET_TRY(for_each_chunk(disk, source, size_bytes, [&](std::span<Byte> chunk) {
        digest.update(ByteSpan(chunk));
        cipher.process(chunk);
        return disk.write(target, chunk);
    }));
    PICKET_TRY(disk.sync(target));
    sealed.sha256 = to_hex(digest.finish());
    return sealed;
}

Result<void> unseal(Disk& disk, int source, const Entry& entry, int target) {
    crypto::AesCtr cipher = PICKET_TRY(crypto::AesCtr::create(entry.key, entry.counter));
    crypto::Sha256 digest;
    auto read = for_each_chunk(disk, source, entry.identity.size_bytes, [&](std::span<Byte> chunk) -> Result<void> {
        cipher.process(chunk);
        digest.update(ByteSpan(chunk));
        return target >= 0 ? disk.write(target, chunk) : Result<void>();
    });
    if (!read && read.error().code() != ErrorCode::conflict)
        return read;
    if (!read || to_hex(digest.finish()) != entry.sha256)
        return Error(ErrorCode::corrupt, "the copy in the vault is not what was put into it; nothing was restored");
    return {};
}

Result<std::string> digest_of(Disk& disk, int source, std::uint64_t size_bytes) {
    crypto::Sha256 digest;
    PICKET_TRY(for_each_chunk(disk, source, size_bytes, [&](std::span<Byte> chunk) -> Result<void> {
        digest.update(ByteSpan(chunk));
        return {};
    }));
    return to_hex(digest.finish());
}

} // namespace picket::remedy
