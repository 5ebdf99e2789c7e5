#include "profile_file.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>
#include <picket/sys/file.h>

namespace picket::cli {

Result<std::string> read_profile(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd)
        return Error::from_errno(errno, path);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0)
        return Error::from_errno(errno, path);
    if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode))
        return Error(ErrorCode::invalid_input, fmt::format("{} is not a file", path));
    auto text = sys::read_all(fd.get(), Bytes{profile::kMaximumFileBytes});
    if (!text)
        return text.error().with_context(path);
    return text;
}

Result<profile::Rendering> render_file(const std::string& path) {
    return profile::render(PICKET_TRY(read_profile(path)), path);
}

Result<profile::Validation> validate_file(const std::string& path, profile::Layer layer) {
    return profile::validate(PICKET_TRY(read_profile(path)), profile::format_of(path), path, layer);
}

} // namespace picket::cli
