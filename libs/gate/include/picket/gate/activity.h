#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <picket/base/clock.h>

namespace picket::gate {

/// The names that occur most, with their counts, in bounded memory (the Space-Saving algorithm of Metwally, Agrawal and
/// El Abbadi): what is frequent is in it; a count may be too high by that of the name it displaced, never too low.
class HeavyHitters {
  public:
    struct Entry {
        std::string name;
        std::uint64_t count = 0;
    };
    explicit HeavyHitters(std::size_t capacity) : capacity_(capacity) {}
    void add(const std::string& name, std::uint64_t weight);
    /// The most frequent first.
    std::vector<Entry> top(std::size_t limit) const;

  private:
    std::size_t capacity_;
    std::unordered_map<std::string, std::uint64_t> counts_;
};

struct SlowScan {
    std::string path;
    Milliseconds took{};
    std::uint64_t bytes = 0;
};

/// Who opens what, and what takes long: for people who ask why a host is slow. Names cost a look, so one open in
/// kSampleEvery stands for all. One thread.
class Activity {
  public:
    static constexpr unsigned kSampleEvery = 16;
    /// True for the opens whose names are to be given to note_open().
    bool wants_next() { return ++turn_ % kSampleEvery == 0; }
    void note_open(const std::string& executable, const std::string& path) {
        executables_.add(executable, kSampleEvery);
        files_.add(path, kSampleEvery);
    }
    bool is_slow(Milliseconds took) const { return slowest_.size() < kSlowest || took > slowest_.back().took; }
    void note_slow(SlowScan scan);

    std::vector<HeavyHitters::Entry> executables(std::size_t limit) const { return executables_.top(limit); }
    std::vector<HeavyHitters::Entry> files(std::size_t limit) const { return files_.top(limit); }
    /// The slowest first, each path once.
    const std::vector<SlowScan>& slowest() const { return slowest_; }

  private:
    static constexpr std::size_t kNames = 256;
    static constexpr std::size_t kSlowest = 32;
    unsigned turn_ = 0;
    HeavyHitters executables_{kNames};
    HeavyHitters files_{kNames};
    std::vector<SlowScan> slowest_;
};

} // namespace picket::gate
