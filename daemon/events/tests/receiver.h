#pragma once
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <vector>

#include <picket/base/check.h>
#include <picket/base/unique_fd.h>

namespace picket::daemon::testing {

/// Reads datagrams at a socket in a folder of its own, as a journal or a syslog daemon would.
class Receiver {
  public:
    explicit Receiver(std::string name = "/log") : name_(std::move(name)) {
        std::string pattern = (std::filesystem::temp_directory_path() / "picket-events-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        std::filesystem::create_directories(std::filesystem::path(path()).parent_path());
        listen();
    }
    ~Receiver() { std::filesystem::remove_all(folder_); }
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;

    const std::string& folder() const { return folder_; }
    std::string path() const { return folder_ + name_; }
    void listen() {
        std::filesystem::remove(path());
        socket_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path().c_str(), sizeof address.sun_path - 1);
        PICKET_CHECK(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    /// Its name stays, as that of a daemon that was killed.
    void die() { socket_.reset(); }
    void disappear() { std::filesystem::remove(path()); }

    std::optional<std::string> next() {
        std::vector<char> buffer(1 << 18);
        const ssize_t size = recv(socket_.get(), buffer.data(), buffer.size(), 0);
        return size < 0 ? std::nullopt : std::optional(std::string(buffer.data(), static_cast<std::size_t>(size)));
    }

  private:
    const std::string name_;
    std::string folder_;
    UniqueFd socket_;
};

} // namespace picket::daemon::testing
