#include <picket/archive/reader.h>

#include <cerrno>
#include <sys/stat.h>

#include <fmt/format.h>
#include <picket/sandbox/confined_child.h>

#include "entry_policy.h"
#include "libarchive_reader.h"

namespace picket::archive {
namespace {

enum FrameType : std::uint32_t { kBegin = 1, kData = 2, kEnd = 3 };

/// In the child: turns what libarchive gives into frames.
EntryCallbacks send_frames(sandbox::ConfinedOutput& output) {
    return {[&output](const std::string& name) { return output.send(kBegin, as_bytes(name)); },
            [&output](ByteSpan bytes) { return output.send(kData, bytes); },
            [&output] { return output.send(kEnd, {}); }};
}

/// In the parent: the same rules once more, then the caller's sink.
class FrameJudge {
  public:
    FrameJudge(const Limits& limits, Bytes archive_size, EntrySink& sink)
        : policy_(limits, archive_size), sink_(sink) {}
    Result<void> take(std::uint32_t type, ByteSpan payload) {
        switch (type) {
        case kBegin: {
            const std::string name(as_text(payload));
            PICKET_TRY(policy_.count_entry());
            PICKET_TRY(policy_.begin(name));
            return sink_.begin(name);
        }
        case kData:
            PICKET_TRY(policy_.data(payload.size()));
            return sink_.data(payload);
        case kEnd:
            PICKET_TRY(policy_.end());
            return sink_.end();
        default:
            return Error(ErrorCode::corrupt, "the confined child sent an unknown frame");
        }
    }
    bool inside_entry() const { return policy_.inside_entry(); }

  private:
    EntryPolicy policy_;
    EntrySink& sink_;
};

class MemorySink final : public EntrySink {
  public:
    Result<void> begin(const std::string& name) override {
        entries.push_back({name, {}});
        return {};
    }
    Result<void> data(ByteSpan bytes) override {
        entries.back().content += as_text(bytes);
        return {};
    }
    Result<void> end() override { return {}; }
    std::vector<Entry> entries;
};

Result<Bytes> size_of(int fd, Bytes limit) {
    struct stat status {};
    if (fstat(fd, &status) != 0)
        return Error::from_errno(errno, "stat");
    if (!S_ISREG(status.st_mode))
        return Error(ErrorCode::invalid_input, "not a regular file");
    const Bytes size{static_cast<std::uint64_t>(status.st_size)};
    if (size > limit)
        return Error(ErrorCode::exhausted, fmt::format("the file is larger than {}", to_human(limit)));
    return size;
}

} // namespace

Result<void> read(int fd, Format format, const Limits& limits, EntrySink& sink) {
    const Bytes size = PICKET_TRY(size_of(fd, limits.archive));
    sandbox::ConfinedLimits child;
    child.wall_clock = limits.wall_clock;
    child.cpu_seconds = static_cast<std::uint32_t>(limits.wall_clock.count() / 1000 + 1);
    child.output = Bytes{limits.total.count * 2 + limits.entries * 1024 + (1U << 20)};
    FrameJudge judge(limits, size, sink);
    PICKET_TRY(sandbox::run_confined(
        {fd}, child,
        [&](sandbox::ConfinedOutput& output) {
            return read_by_libarchive(fd, size, format, limits, send_frames(output));
        },
        [&judge](std::uint32_t type, ByteSpan payload) { return judge.take(type, payload); }));
    if (judge.inside_entry())
        return Error(ErrorCode::corrupt, "the last entry has no end");
    return {};
}

Result<std::vector<Entry>> read_into_memory(int fd, Format format, const Limits& limits) {
    MemorySink sink;
    PICKET_TRY(read(fd, format, limits, sink));
    return std::move(sink.entries);
}

} // namespace picket::archive
