#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <picket/base/bytes.h>
#include <picket/base/clock.h>
#include <picket/base/result.h>

/// Reads archives that may be hostile: libarchive runs in a confined child (sandbox/confined_child.h), and what comes
/// out of it is held to the same rules once more here.
namespace picket::archive {

enum class Format { zip, tar_gz };

struct Limits {
    Bytes archive = mebibytes(16); ///< the file itself
    std::size_t entries = 256;     ///< directories count
    Bytes entry = mebibytes(8);    ///< unpacked
    Bytes total = mebibytes(32);   ///< unpacked
    std::uint64_t ratio = 100;     ///< total to the file's size; the first MiB is free
    Milliseconds wall_clock{30'000};
};

/// Takes the entries in the archive's order: begin, data (any number of times), end. An Error stops the reading, and is
/// what read() returns.
class EntrySink {
  public:
    virtual ~EntrySink() = default;
    virtual Result<void> begin(const std::string& name) = 0;
    virtual Result<void> data(ByteSpan bytes) = 0;
    virtual Result<void> end() = 0;
};

/// Only regular files come out; directories are passed over; a link, a device or any other kind refuses the archive.
/// So do a name twice, a name that is_safe_name() refuses, encryption, and whatever libarchive so much as warns of.
/// `fd` is read by pread(2) from 0. invalid_input: not such an archive, or against the rules; exhausted: a limit;
/// corrupt: damaged, or the child was ended. Until it returns success, nothing that the sink got may be used.
Result<void> read(int fd, Format format, const Limits& limits, EntrySink& sink);

struct Entry {
    std::string name;
    std::string content;
};
Result<std::vector<Entry>> read_into_memory(int fd, Format format, const Limits& limits);

/// Printable ASCII without backslash, relative, no empty, "." or ".." component, none that starts with a blank or dash,
/// at most 200 bytes and 8 components.
bool is_safe_name(std::string_view name);

} // namespace picket::archive
