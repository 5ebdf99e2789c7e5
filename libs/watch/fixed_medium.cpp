#include <array>
#include <climits>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/sys/file.h>
#include <picket/watch/filesystem_identity.h>

namespace picket::watch {
namespace {

constexpr unsigned kDeepest = 6; ///< LVM on LUKS on md on a disk is four
constexpr std::size_t kMostSlaves = 64;

std::optional<std::string> attribute(const std::string& path) {
    const auto text = sys::read_kernel_file(path, kibibytes(8));
    return text ? std::optional(std::string(trim(*text))) : std::nullopt;
}

std::string link_target(const std::string& path) {
    std::array<char, PATH_MAX> target{};
    const ssize_t length = readlink(path.c_str(), target.data(), target.size());
    return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : std::string();
}

/// An image that only root may write, in folders that only root may change.
bool is_roots_image(std::string path) {
    if (path.empty() || path[0] != '/' || path.ends_with(" (deleted)"))
        return false;
    for (bool is_file = true;; is_file = false) {
        struct stat status {};
        if (lstat(path.c_str(), &status) != 0 || status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
            (is_file ? !S_ISREG(status.st_mode) : !S_ISDIR(status.st_mode)))
            return false;
        if (path == "/")
            return true;
        const auto slash = path.rfind('/');
        path.resize(std::max<std::size_t>(slash, 1));
    }
}

bool are_slaves_fixed(const std::string& sysfs, const std::string& device, unsigned depth) {
    const auto root = sys::Root::open(device + "/slaves");
    const auto names = root ? root->list("/", kMostSlaves) : Result<std::vector<std::string>>(root.error());
    if (!names || names->empty())
        return false;
    for (const std::string& name : *names) {
        const auto numbers = attribute(device + "/slaves/" + name + "/dev");
        const auto colon = numbers ? numbers->find(':') : std::string::npos;
        if (colon == std::string::npos)
            return false;
        const auto major = parse_unsigned(numbers->substr(0, colon));
        const auto minor = parse_unsigned(numbers->substr(colon + 1));
        if (!major || !minor ||
            !is_fixed_medium(sysfs, static_cast<unsigned>(*major), static_cast<unsigned>(*minor), depth + 1))
            return false;
    }
    return true;
}

} // namespace

bool is_fixed_medium(const std::string& sysfs, unsigned major, unsigned minor, unsigned depth) {
    const std::string device = fmt::format("{}/dev/block/{}:{}", sysfs, major, minor);
    const std::string place = link_target(device);
    if (place.empty() || depth > kDeepest)
        return false;
    const std::string name = place.substr(place.rfind('/') + 1);
    if (name.starts_with("loop"))
        return is_roots_image(attribute(device + "/loop/backing_file").value_or(""));
    if (name.starts_with("dm-") || (place.find("/virtual/block/md") != std::string::npos))
        return are_slaves_fixed(sysfs, device, depth);
    for (const char* const elsewhere : {"/virtual/", "/usb", "/session", "/rport-", "/mmc_host/", "/firewire"})
        if (place.find(elsewhere) != std::string::npos)
            return false; // to be plugged in, or somebody else's over a network
    const bool is_partition = attribute(device + "/partition").has_value();
    return attribute(device + (is_partition ? "/../removable" : "/removable")) == "0";
}

} // namespace picket::watch
