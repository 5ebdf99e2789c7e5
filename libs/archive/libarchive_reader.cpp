#include "libarchive_reader.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <picket/base/text.h>

#include "entry_policy.h"

namespace picket::archive {
namespace {

/// Where libarchive's callbacks read.
struct Source {
    int fd = -1;
    std::int64_t size = 0;
    std::int64_t offset = 0;
    std::array<char, 64 << 10> buffer{};
};

la_ssize_t read_source(struct ::archive* reader, void* data, const void** block) {
    auto& source = *static_cast<Source*>(data);
    ssize_t got = 0;
    do
        got = pread(source.fd, source.buffer.data(), source.buffer.size(), source.offset);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        archive_set_error(reader, errno, "cannot be read");
        return ARCHIVE_FATAL;
    }
    source.offset += got;
    *block = source.buffer.data();
    return got;
}

la_int64_t skip_source(struct ::archive*, void* data, la_int64_t request) {
    auto& source = *static_cast<Source*>(data);
    const std::int64_t skipped = std::clamp<std::int64_t>(request, 0, source.size - source.offset);
    source.offset += skipped;
    return skipped;
}

la_int64_t seek_source(struct ::archive*, void* data, la_int64_t offset, int whence) {
    auto& source = *static_cast<Source*>(data);
    const std::int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? source.offset : source.size;
    std::int64_t target = 0;
    if (__builtin_add_overflow(base, offset, &target) || target < 0)
        return ARCHIVE_FATAL;
    source.offset = std::min(target, source.size);
    return source.offset;
}

using Reader = std::unique_ptr<struct ::archive, int (*)(struct ::archive*)>;

Error failure(struct ::archive* reader) {
    const char* const text = archive_error_string(reader);
    if (archive_errno(reader) == ENOMEM)
        return Error(ErrorCode::exhausted, "needs more memory than allowed");
    return Error(ErrorCode::invalid_input,
                 fmt::format("not a sound archive: {}", text == nullptr ? "damaged" : escape_for_display(text)));
}

Result<void> open_reader(struct ::archive* reader, Source& source, Format format) {
    if (format == Format::zip) {
        archive_read_support_format_zip_seekable(reader);
    } else {
        archive_read_support_filter_gzip(reader);
        archive_read_support_format_tar(reader);
    }
    archive_read_set_callback_data(reader, &source);
    archive_read_set_read_callback(reader, read_source);
    archive_read_set_skip_callback(reader, skip_source);
    archive_read_set_seek_callback(reader, seek_source);
    if (archive_read_open1(reader) != ARCHIVE_OK)
        return failure(reader);
    return {};
}

/// Directories are passed over (false); whatever is neither directory nor regular file is refused.
Result<bool> is_file(struct ::archive_entry* entry, std::string_view name) {
    const auto kind = archive_entry_filetype(entry);
    const bool link = archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr;
    if (!link && kind == AE_IFDIR)
        return false;
    if (link || kind != AE_IFREG)
        return Error(ErrorCode::invalid_input, fmt::format("entry \"{}\" is a link or a device; only files are allowed",
                                                           escape_for_display(name.substr(0, 200))));
    if (archive_entry_is_encrypted(entry) != 0)
        return Error(ErrorCode::invalid_input,
                     fmt::format("entry \"{}\" is encrypted", escape_for_display(name.substr(0, 200))));
    return true;
}

Result<void> copy_content(struct ::archive* reader, EntryPolicy& policy, const EntryCallbacks& callbacks) {
    std::array<Byte, 64 << 10> buffer{};
    for (;;) {
        const la_ssize_t got = archive_read_data(reader, buffer.data(), buffer.size());
        if (got < 0)
            return failure(reader);
        if (got == 0)
            return {};
        PICKET_TRY(policy.data(static_cast<std::size_t>(got)));
        PICKET_TRY(callbacks.data(ByteSpan(buffer).first(static_cast<std::size_t>(got))));
    }
}

Result<void> read_entry(struct ::archive* reader, struct ::archive_entry* entry, EntryPolicy& policy,
                        const EntryCallbacks& callbacks) {
    const char* const raw = archive_entry_pathname(entry);
    if (raw == nullptr)
        return Error(ErrorCode::invalid_input, "an entry's name cannot be read");
    const std::string name = raw;
    PICKET_TRY(policy.count_entry());
    if (!PICKET_TRY(is_file(entry, name))) {
        const std::string_view directory =
            name.ends_with('/') ? std::string_view(name).substr(0, name.size() - 1) : name;
        if (!is_safe_name(directory))
            return Error(ErrorCode::invalid_input,
                         fmt::format("directory \"{}\": the name is not a plain relative path",
                                     escape_for_display(name.substr(0, 200))));
        return {};
    }
    PICKET_TRY(policy.begin(name));
    PICKET_TRY(callbacks.begin(name));
    PICKET_TRY(copy_content(reader, policy, callbacks));
    PICKET_TRY(policy.end());
    return callbacks.end();
}

} // namespace

Result<void> read_by_libarchive(int fd, Bytes size, Format format, const Limits& limits,
                                const EntryCallbacks& callbacks) {
    const Reader reader(archive_read_new(), archive_read_free);
    if (!reader)
        return Error(ErrorCode::exhausted, "no memory");
    const auto source = std::make_unique<Source>();
    source->fd = fd;
    source->size = static_cast<std::int64_t>(size.count);
    PICKET_TRY(open_reader(reader.get(), *source, format));
    EntryPolicy policy(limits, size);
    for (;;) {
        struct ::archive_entry* entry = nullptr;
        const int status = archive_read_next_header(reader.get(), &entry);
        if (status == ARCHIVE_EOF)
            return {};
        if (status != ARCHIVE_OK) // a warning means that what we would see is not what was written
            return failure(reader.get());
        PICKET_TRY(read_entry(reader.get(), entry, policy, callbacks));
    }
}

} // namespace picket::archive
