#pragma once
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>

#include <picket/sys/file.h>

namespace picket::profile {

/// An empty root directory of its own, gone at the end.
struct Tree {
    Tree() {
        std::string pattern = (std::filesystem::temp_directory_path() / "picket-profile-XXXXXX").string();
        path = mkdtemp(pattern.data());
    }
    ~Tree() { std::filesystem::remove_all(path); }
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;

    void write(const std::string& name, const std::string& content, mode_t mode = 0644) const {
        const std::filesystem::path file = path.string() + name;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
        chmod(file.c_str(), mode);
        chmod(file.parent_path().c_str(), 0755);
    }
    void managed(const std::string& name, const std::string& content) const {
        write("/etc/picket/managed.d/" + name, content);
    }
    void settings(const std::string& content) const { write("/var/lib/picket/settings.json", content, 0600); }
    std::string read(const std::string& name) const {
        std::ifstream file(path.string() + name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    std::filesystem::path path;
    sys::Root root() const { return sys::Root::open(path).value(); }
};

} // namespace picket::profile
