#pragma once
#include <atomic>
#include <functional>
#include <sys/syscall.h>
#include <thread>

#include <doctest/doctest.h>

#include "fixture.h"

namespace picket::remedy::testing {

/// Few in the ordinary run; PICKET_RACE_ROUNDS=100000 is the thorough one.
inline int race_rounds() {
    const char* wanted = std::getenv("PICKET_RACE_ROUNDS");
    return wanted != nullptr ? std::atoi(wanted) : 250;
}

inline bool exchange(const fs::path& one, const fs::path& two) {
    return syscall(__NR_renameat2, AT_FDCWD, one.c_str(), AT_FDCWD, two.c_str(), 2 /* RENAME_EXCHANGE */) == 0;
}
inline bool rename_to_free_name(const fs::path& from, const fs::path& to) {
    return syscall(__NR_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), 1 /* RENAME_NOREPLACE */) == 0;
}

/// Does one thing as fast as it can, from its first time on until it goes. It is never stopped in between: whoever
/// sets a stage does so through descriptors that no rename leads astray.
class Attacker {
  public:
    explicit Attacker(std::function<void()> attack)
        : thread_([this, attack = std::move(attack)] {
              while (!stop_.load(std::memory_order_relaxed)) {
                  attack();
                  begun_.store(true, std::memory_order_relaxed);
              }
          }) {
        while (!begun_)
            std::this_thread::yield();
    }
    ~Attacker() {
        stop_ = true;
        thread_.join();
    }

  private:
    std::atomic<bool> stop_{false};
    std::atomic<bool> begun_{false};
    std::thread thread_;
};

/// Something that nobody may touch: the number of its names, its content and its times stay.
class Bystander {
  public:
    explicit Bystander(const fs::path& path) : fd_(open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)) {
        REQUIRE(fd_);
        before_ = status();
    }
    bool is_untouched() const {
        const struct stat now = status();
        return now.st_nlink == before_.st_nlink && now.st_size == before_.st_size &&
               now.st_mtim.tv_sec == before_.st_mtim.tv_sec && now.st_mtim.tv_nsec == before_.st_mtim.tv_nsec &&
               now.st_mode == before_.st_mode && now.st_uid == before_.st_uid;
    }

  private:
    struct stat status() const {
        struct stat now {};
        fstat(fd_.get(), &now);
        return now;
    }
    UniqueFd fd_;
    struct stat before_ {};
};

/// /home/eve/a/b is the attacked place. /protected is a tree of the same shape, with a canary where the file would be
/// (`with_canary`), to be put in place of any of its directories: as a link or as the directory itself.
class Stage {
  public:
    enum class Decoy { symbolic_link, directory };

    explicit Stage(bool with_canary) {
        fs::create_directories(host.at("/home/eve/a/b"));
        fs::create_directories(host.at("/protected/home/eve/a/b"));
        canary = host.at("/protected/canary");
        write_text(canary, "canary");
        if (with_canary)
            fs::create_hard_link(canary, host.at("/protected/home/eve/a/b/bad"));
        place = UniqueFd(open(host.at("/home/eve/a/b").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        REQUIRE(place);
    }
    static const std::vector<std::string>& components() {
        static const std::vector<std::string> kAll{"/home", "/home/eve", "/home/eve/a", "/home/eve/a/b"};
        return kAll;
    }
    /// What to exchange that directory with.
    fs::path make_decoy(const std::string& component, Decoy decoy) {
        const fs::path twin = host.at("/protected" + component);
        if (decoy == Decoy::directory)
            return twin;
        fs::create_directory_symlink(twin, host.at("/link"));
        return host.at("/link");
    }
    std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (const auto& entry : fs::directory_iterator("/proc/self/fd/" + std::to_string(place.get())))
            found.push_back(entry.path().filename().string());
        return found;
    }

    Host host;
    fs::path canary;
    UniqueFd place; ///< /home/eve/a/b, whatever its name is at the moment
};

} // namespace picket::remedy::testing
