#include <array>
#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/crypto/digest.h>

#include "signed_manifest.h"

namespace picket::trust {
namespace {

constexpr std::size_t kZipEndSize = 22;    ///< end of central directory; its last two bytes are the comment's length
constexpr std::size_t kTextSize = 23 + 64; ///< of seal_text()

std::string seal_text(const crypto::Sha256Digest& digest) {
    return "picket-seal-sha256-v1: " + to_hex(digest);
}

/// What follows the sealed bytes: for zip the archive's comment; for gzip an empty member with the text as its comment,
/// which every gzip program reads as nothing.
std::string seal_bytes(const crypto::Sha256Digest& digest, archive::Format format) {
    using namespace std::string_literals;
    if (format == archive::Format::zip)
        return seal_text(digest);
    constexpr char kCommentFollows = 0x10;
    return "\x1f\x8b\x08"s + kCommentFollows + "\0\0\0\0\x02\xff"s + seal_text(digest) + "\0"s // header
           + "\x03\0"s + "\0\0\0\0\0\0\0\0"s;                                                  // empty block; CRC, size
}

Result<std::uint64_t> size_of(int fd, Bytes limit) {
    struct stat status {};
    if (fstat(fd, &status) != 0)
        return Error::from_errno(errno, "stat");
    if (!S_ISREG(status.st_mode))
        return Error(ErrorCode::invalid_input, "not a regular file");
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size > limit.count)
        return Error(ErrorCode::exhausted, fmt::format("larger than {}", to_human(limit)));
    return size;
}

Result<void> read_at(int fd, std::uint64_t offset, std::span<char> into) {
    while (!into.empty()) {
        const ssize_t got = pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return Error::from_errno(errno, "read");
        if (got == 0)
            return Error(ErrorCode::conflict, "the file became shorter while it was read");
        into = into.subspan(static_cast<std::size_t>(got));
        offset += static_cast<std::uint64_t>(got);
    }
    return {};
}

Result<crypto::Sha256Digest> digest_of_first(int fd, std::uint64_t size) {
    crypto::Sha256 hash;
    std::string buffer(std::size_t{256} << 10, '\0');
    for (std::uint64_t offset = 0; offset < size;) {
        const std::span<char> piece(buffer.data(),
                                    static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - offset)));
        PICKET_TRY(read_at(fd, offset, piece));
        hash.update(std::string_view(piece.data(), piece.size()));
        offset += piece.size();
    }
    return hash.finish();
}

Result<void> write_at(int fd, std::uint64_t offset, std::string_view bytes) {
    if (pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)) != static_cast<ssize_t>(bytes.size()))
        return Error::from_errno(errno, "write");
    return {};
}

} // namespace

Result<void> append_seal(int fd, archive::Format format) {
    const std::uint64_t size = PICKET_TRY(size_of(fd, gibibytes(4)));
    if (format == archive::Format::zip) {
        PICKET_CHECK(size >= kZipEndSize);
        const std::array<char, 2> length{static_cast<char>(kTextSize), 0};
        PICKET_TRY(write_at(fd, size - length.size(), {length.data(), length.size()}));
    }
    return write_at(fd, size, seal_bytes(PICKET_TRY(digest_of_first(fd, size)), format));
}

Result<void> check_seal(int fd, archive::Format format, Bytes limit) {
    const std::uint64_t size = PICKET_TRY(size_of(fd, limit));
    const std::size_t length = seal_bytes({}, format).size();
    const Error broken(ErrorCode::corrupt,
                       "damaged, incomplete, repacked by another program, or not made by Picket at all: "
                       "fetch the file again, as it was made");
    if (size <= length)
        return broken;
    std::string found(length, '\0');
    PICKET_TRY(read_at(fd, size - length, found));
    if (found != seal_bytes(PICKET_TRY(digest_of_first(fd, size - length)), format))
        return broken;
    return {};
}

} // namespace picket::trust
