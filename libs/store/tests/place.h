#pragma once
#include <cstdlib>
#include <filesystem>
#include <string>
#include <unistd.h>

namespace picket::store {

/// In memory where there is such a place: for tests that begin afresh hundreds of times.
inline std::filesystem::path fast_directory() {
    return access("/dev/shm", W_OK) == 0 ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path();
}

/// A folder of its own, gone at the end.
struct Place {
    explicit Place(const std::filesystem::path& where = std::filesystem::temp_directory_path()) {
        std::string pattern = (where / "picket-store-XXXXXX").string();
        path = mkdtemp(pattern.data());
    }
    ~Place() { std::filesystem::remove_all(path); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    void empty() const {
        for (const auto& entry : std::filesystem::directory_iterator(path))
            std::filesystem::remove_all(entry.path());
    }
    std::string file(const std::string& name = "state") const { return (path / (name + ".db")).string(); }

    std::filesystem::path path;
};

} // namespace picket::store
