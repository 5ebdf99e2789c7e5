#pragma once
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <unistd.h>

#include <picket/sys/file.h>

namespace picket::host::testing {

/// A tree of files that stands in for a host; gone when this object goes.
class HostTree {
  public:
    HostTree() {
        std::string pattern = (std::filesystem::temp_directory_path() / "picket-host-XXXXXX").string();
        top_ = mkdtemp(pattern.data());
    }
    HostTree(const HostTree&) = delete;
    HostTree& operator=(const HostTree&) = delete;
    ~HostTree() { std::filesystem::remove_all(top_); }

    const HostTree& file(std::string_view path, std::string_view content) const {
        make_parent(path);
        std::ofstream(at(path), std::ios::binary) << content;
        return *this;
    }
    const HostTree& link(std::string_view path, std::string_view target) const {
        make_parent(path);
        std::filesystem::create_symlink(target, at(path));
        return *this;
    }
    const HostTree& directory(std::string_view path) const {
        std::filesystem::create_directories(at(path));
        return *this;
    }
    std::filesystem::path at(std::string_view path) const { return top_ / path.substr(1); }
    sys::Root root() const { return sys::Root::open(top_.string()).value(); }

  private:
    void make_parent(std::string_view path) const { std::filesystem::create_directories(at(path).parent_path()); }
    std::filesystem::path top_;
};

} // namespace picket::host::testing
