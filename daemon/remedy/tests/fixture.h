#pragma once
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include <picket/base/testing/fake_clock.h>
#include <picket/crypto/digest.h>

#include "vault.h"

namespace picket::remedy::testing {

namespace fs = std::filesystem;

inline std::string read_text(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

inline void write_text(const fs::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

/// In memory where there is such a place: every step syncs, and thousands of hosts are made.
inline fs::path fast_directory() {
    return access("/dev/shm", W_OK) == 0 ? fs::path("/dev/shm") : fs::temp_directory_path();
}

/// A small host: /home/eve for files, /var/lib/picket for the vault; everything goes when it ends.
class Host {
  public:
    explicit Host(const fs::path& where = fast_directory()) {
        std::string pattern = (where / "picket-remedy-XXXXXX").string();
        top = mkdtemp(pattern.data());
        chmod(top.c_str(), 0755);
        fs::create_directories(top / "home/eve");
        fs::create_directories(top / "var/lib/picket");
        root = UniqueFd(::open(top.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    }
    ~Host() {
        std::error_code ignored;
        fs::remove_all(top, ignored);
    }
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    fs::path at(const std::string& path) const { return top / path.substr(1); }
    fs::path vault() const { return at("/var/lib/picket/quarantine"); }

    Result<Vault> open(Disk& disk) const { return Vault::open(disk, clock, root.get(), {.reserve = Bytes{0}}); }
    Result<Vault> open() { return open(disk_); }

    /// What the gate sends of a file that it holds open.
    static QuarantineRequest request_for(const std::string& path, int fd, const std::string& id = "0123456789abcdef") {
        struct stat status {};
        fstat(fd, &status);
        return {id,   path,          "Test.Threat", "feedfacefeedface",
                "g1", status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size)};
    }
    Result<QuarantineOutcome> quarantine(Vault& vault, const std::string& path,
                                         const std::string& id = "0123456789abcdef") {
        const UniqueFd fd(::open(at(path).c_str(), O_RDONLY | O_CLOEXEC));
        return vault.quarantine(request_for(path, fd.get(), id), fd.get());
    }

    std::size_t vault_files() const {
        if (!fs::exists(vault()))
            return 0;
        return static_cast<std::size_t>(std::distance(fs::directory_iterator(vault()), fs::directory_iterator()));
    }

    fs::path top;
    UniqueFd root;
    picket::testing::FakeClock clock;

  private:
    Disk disk_;
};

} // namespace picket::remedy::testing
