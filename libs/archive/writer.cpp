#include <picket/archive/writer.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::archive {
namespace {

/// 2020-01-01: late enough for zip's calendar, the same in every archive.
constexpr std::time_t kFixedTime = 1'577'836'800;

Error failure(struct ::archive* writer) {
    const char* const text = archive_error_string(writer);
    const std::string what = fmt::format("writing an archive: {}", text == nullptr ? "failed" : text);
    const int number = archive_errno(writer);
    return number > 0 ? Error::from_errno(number, what) : Error(ErrorCode::internal, what);
}

int configure(struct ::archive* writer, Format format) {
    if (format == Format::zip)
        return archive_write_set_format_zip(writer);
    if (archive_write_set_format_ustar(writer) != ARCHIVE_OK || archive_write_add_filter_gzip(writer) != ARCHIVE_OK)
        return ARCHIVE_FATAL;
    archive_write_set_bytes_in_last_block(writer, 1);
    return archive_write_set_options(writer, "gzip:!timestamp,gzip:compression-level=9");
}

} // namespace

struct Writer::Native {
    std::unique_ptr<struct ::archive, int (*)(struct ::archive*)> writer{archive_write_new(), archive_write_free};
    struct ::archive* get() const {
        return writer.get();
    }
};

Writer::Writer(std::unique_ptr<Native> native) : native_(std::move(native)) {}
Writer::Writer(Writer&&) noexcept = default;
Writer& Writer::operator=(Writer&&) noexcept = default;
Writer::~Writer() = default;

Result<Writer> Writer::create(int fd, Format format) {
    auto native = std::make_unique<Native>();
    PICKET_CHECK(native->get() != nullptr);
    if (configure(native->get(), format) != ARCHIVE_OK || archive_write_open_fd(native->get(), fd) != ARCHIVE_OK)
        return failure(native->get());
    return Writer(std::move(native));
}

Result<void> Writer::start_entry(const std::string& name, std::uint64_t size, mode_t mode) {
    if (!is_safe_name(name))
        return Error(ErrorCode::invalid_input,
                     fmt::format("\"{}\" cannot be an entry's name: a plain relative path of ASCII "
                                 "characters is expected",
                                 escape_for_display(name)));
    const std::unique_ptr<struct ::archive_entry, void (*)(struct ::archive_entry*)> entry(archive_entry_new(),
                                                                                           archive_entry_free);
    PICKET_CHECK(entry != nullptr);
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), mode);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
    archive_entry_set_mtime(entry.get(), kFixedTime, 0);
    archive_entry_set_uid(entry.get(), 0);
    archive_entry_set_gid(entry.get(), 0);
    archive_entry_set_uname(entry.get(), "root");
    archive_entry_set_gname(entry.get(), "root");
    if (archive_write_header(native_->get(), entry.get()) != ARCHIVE_OK)
        return failure(native_->get());
    return {};
}

Result<void> Writer::put(std::string_view bytes) {
    while (!bytes.empty()) {
        const la_ssize_t put = archive_write_data(native_->get(), bytes.data(), bytes.size());
        if (put <= 0)
            return failure(native_->get());
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
}

Result<void> Writer::add(const std::string& name, std::string_view content, mode_t mode) {
    PICKET_TRY(start_entry(name, content.size(), mode));
    return put(content);
}

Result<void> Writer::add_file(const std::string& name, int fd, mode_t mode) {
    struct stat status {};
    if (fstat(fd, &status) != 0)
        return Error::from_errno(errno, fmt::format("stat {}", name));
    const auto size = static_cast<std::uint64_t>(status.st_size);
    PICKET_TRY(start_entry(name, size, mode));
    std::string buffer(std::size_t{256} << 10, '\0');
    std::uint64_t offset = 0;
    for (;;) {
        const ssize_t got = pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return Error::from_errno(errno, fmt::format("reading {}", name));
        offset += static_cast<std::uint64_t>(got);
        if (offset > size || (got == 0 && offset != size))
            return Error(ErrorCode::conflict, fmt::format("{} changed while it was read", name));
        if (got == 0)
            return {};
        PICKET_TRY(put(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
    }
}

Result<void> Writer::finish() {
    if (archive_write_close(native_->get()) != ARCHIVE_OK)
        return failure(native_->get());
    return {};
}

} // namespace picket::archive
