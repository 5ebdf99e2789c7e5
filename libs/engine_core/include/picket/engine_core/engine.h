#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <picket/base/bytes.h>
#include <picket/base/clock.h>
#include <picket/base/result.h>
#include <picket/model/verdict.h>

/// libclamav, and nothing of it outside. Whoever links this library runs parsers of hostile input: only picket-engine.
namespace picket::engine_core {

/// Hard maxima. They are a boundary of security, not settings: libclamav had a heap overflow that only limits of 1 GB
/// and more opened (CVE-2025-20260). What passes one of them is Verdict::limit_exceeded, never clean.
inline constexpr Bytes kMaximumFile{(2ULL << 30) - (1ULL << 20)}; ///< libclamav itself ends at 2 GiB
inline constexpr Bytes kMaximumUnpacked = mebibytes(400);         ///< all that comes out of one file, beside itself
inline constexpr std::uint32_t kMaximumFiles = 10'000;
inline constexpr std::uint32_t kMaximumRecursion = 17;
inline constexpr Bytes kReadIntoMemory = mebibytes(1); ///< up to here a file is read once, above it is mapped

/// Once in a process, before its sandbox closes: libclamav's own start (which looks for the unrar module by dlopen),
/// and the character-set converters, which glibc would otherwise load from disk in the middle of a scan.
Result<void> initialise_library();
/// "1.4.6"
std::string library_version();

struct LoadRequest {
    std::string directory;          ///< absolute
    std::vector<std::string> files; ///< names in it; nothing else is read
    std::string temporary_directory;
};

/// A compiled set of definitions. Loading, forking and scanning follow one rule: a process that forks never scans
/// (an image makes libclamav start threads, and a child forked afterwards hangs). One thread.
class Engine {
  public:
    /// Bytecode is loaded from signed containers (.cvd) only. corrupt where a file does not load or nothing is in it;
    /// the message names the file and says what libclamav says.
    static Result<Engine> load(const LoadRequest& request);
    Engine(Engine&&) noexcept;
    Engine& operator=(Engine&&) noexcept;
    ~Engine();

    std::uint64_t signature_count() const;
    /// Where unpacked files go from now on: a worker has its own.
    Result<void> use_temporary_directory(const std::string& path);

    /// `flags` are scan::ScanFlags. Reads from offset 0 by pread, whatever the descriptor's offset; a file that shrinks
    /// again and again while it is read, and whatever is no regular file, is unreadable.
    Finding scan(int fd, std::uint32_t flags, Milliseconds time_limit);
    Finding scan_memory(ByteSpan content, std::uint32_t flags, Milliseconds time_limit);

  private:
    struct Impl;
    explicit Engine(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace picket::engine_core
