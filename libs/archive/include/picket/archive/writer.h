#pragma once
#include <memory>
#include <string>
#include <string_view>

#include <picket/archive/reader.h>
#include <picket/base/result.h>
#include <sys/types.h>

namespace picket::archive {

/// Writes regular files only, owner root, in the order of the calls, with one fixed time: equal input gives equal bytes
/// (with the same zlib). Names must be safe (reader.h). The descriptor stays the caller's; nothing is synced.
class Writer {
  public:
    static Result<Writer> create(int fd, Format format);
    Result<void> add(const std::string& name, std::string_view content, mode_t mode = 0644);
    /// Copies from offset 0 to the end; a file that changes its size meanwhile is conflict.
    Result<void> add_file(const std::string& name, int fd, mode_t mode = 0644);
    /// Without it the archive is not complete.
    Result<void> finish();

    Writer(Writer&&) noexcept;
    Writer& operator=(Writer&&) noexcept;
    ~Writer();

  private:
    struct Native;
    explicit Writer(std::unique_ptr<Native> native);
    Result<void> start_entry(const std::string& name, std::uint64_t size, mode_t mode);
    Result<void> put(std::string_view bytes);

    std::unique_ptr<Native> native_;
};

} // namespace picket::archive
