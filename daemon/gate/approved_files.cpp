#include "approved_files.h"

#include <array>
#include <sys/stat.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/model/paths.h>

namespace picket::daemon {
namespace {

constexpr std::array kPrograms{"/usr/bin/picket",
                               "/usr/sbin/picketd",
                               "/usr/sbin/picket-installer",
                               "/usr/libexec/picket/picket-engine",
                               "/usr/libexec/picket/picket-guard",
                               "/usr/libexec/picket/picket-remedy",
                               "/usr/libexec/picket/picket-definitions",
                               "/usr/libexec/picket/picket-link",
                               "/usr/libexec/picket/picket-supervisor"};

void add(ApprovedFiles& files, const struct stat& status) {
    if (!S_ISREG(status.st_mode) || status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return;
    const auto nanoseconds = [](const timespec& time) {
        return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
    };
    files.insert({status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size), nanoseconds(status.st_mtim),
                  nanoseconds(status.st_ctim)});
}

void add_definitions(ApprovedFiles& files, const sys::Root& root) {
    const std::string generations = std::string(paths::kDefinitionsDirectory) + "/generations";
    const auto names = root.list(generations, 100);
    if (!names)
        return;
    for (const std::string& name : *names) {
        const std::string directory = generations + "/" + name;
        const auto databases = root.list(directory, 1'000);
        if (!databases)
            continue;
        for (const std::string& database : *databases)
            if (const auto status = root.status(directory + "/" + database))
                add(files, *status);
    }
}

} // namespace

ApprovedFiles find_approved_files(const sys::Root& root) {
    ApprovedFiles files;
    for (const char* program : kPrograms)
        if (const auto status = root.status(program))
            add(files, *status);
    add_definitions(files, root);
    if (const auto maps = sys::read_kernel_file("/proc/self/maps"))
        for (const std::string_view line : split(*maps, '\n')) {
            const auto slash = line.find('/');
            struct stat status {};
            if (slash != std::string_view::npos && stat(std::string(line.substr(slash)).c_str(), &status) == 0)
                add(files, status);
        }
    return files;
}

} // namespace picket::daemon
