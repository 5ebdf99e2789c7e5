#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace picket::store {

/// Records what SQLite does to the files of one folder while it lives (as the default sqlite3_vfs), and makes from it
/// what a power cut after any of these steps may leave: what was synced for certain; of the rest any part, in any
/// order, a write also torn between its sectors. One at a time.
class PowerCut {
  public:
    explicit PowerCut(std::filesystem::path folder);
    ~PowerCut();
    PowerCut(const PowerCut&) = delete;
    PowerCut& operator=(const PowerCut&) = delete;

    /// Ends the recording: SQLite works on the disk again.
    void stop();
    /// The caller was promised this, after what has been recorded so far.
    void acknowledge(std::uint64_t number);

    struct Step {
        enum class Kind { create, write, truncate, sync, remove, acknowledge };
        Kind kind = Kind::write;
        std::string file{}; ///< its name in the folder
        std::int64_t offset = 0;
        std::string data{};
        std::uint64_t number = 0;
    };
    void record(Step step) { steps_.push_back(std::move(step)); }
    const std::vector<Step>& steps() const { return steps_; }

    /// What becomes of the writes that no sync has made certain.
    enum class Fate { lost, kept, only_last, last_torn, random, random_again };
    enum class Syncs { honest, ignored }; ///< ignored: of a disk that lies, to see that this finds what is lost then
    /// Fills the folder `into` with what a power cut after the first `count` steps leaves.
    void restore(std::size_t count, Fate fate, Syncs syncs, const std::filesystem::path& into) const;
    std::vector<std::uint64_t> acknowledged(std::size_t count) const;

  private:
    struct File {
        bool linked = false;      ///< its name is there for the running system
        bool name_synced = false; ///< … and after a power cut, too
        std::string synced;
        std::vector<Step> pending;
    };
    using Files = std::map<std::string, File>;

    void apply(Files& files, const Step& step, Syncs syncs) const;

    std::filesystem::path folder_;
    std::map<std::string, std::string> at_start_;
    std::vector<Step> steps_;
    bool recording_ = true;
};

} // namespace picket::store
