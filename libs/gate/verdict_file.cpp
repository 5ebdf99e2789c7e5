#include <picket/gate/verdict_file.h>

#include <algorithm>
#include <cstring>
#include <map>

#include <fmt/format.h>
#include <picket/crypto/digest.h>

namespace picket::gate {
namespace {

constexpr std::string_view kMagic = "PICKETV\x01";
constexpr std::size_t kLongestText = 255;
constexpr std::size_t kDigestSize = 32;
constexpr std::chrono::hours kLongestLife{24 * 30}; ///< a host that was off for longer starts cold

/// Little-endian whatever the machine is.
class Writer {
  public:
    template <typename T>
    void number(T value) {
        for (std::size_t i = 0; i < sizeof value; ++i)
            bytes += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xff);
    }
    void text(const std::string& value) {
        const std::size_t size = std::min(value.size(), kLongestText);
        number(static_cast<std::uint8_t>(size));
        bytes.append(value, 0, size);
    }
    std::string bytes;
};

class Reader {
  public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}
    template <typename T>
    T number() {
        std::uint64_t value = 0;
        const std::string_view taken = take(sizeof(T));
        for (std::size_t i = 0; i < taken.size(); ++i)
            value |= static_cast<std::uint64_t>(static_cast<unsigned char>(taken[i])) << (8 * i);
        return static_cast<T>(value);
    }
    std::string text() { return std::string(take(number<std::uint8_t>())); }
    std::string_view take(std::size_t size) {
        if (size > bytes_.size()) {
            failed = true;
            return {};
        }
        const std::string_view taken = bytes_.substr(0, size);
        bytes_.remove_prefix(size);
        return taken;
    }
    bool at_end() const { return bytes_.empty(); }
    bool failed = false;

  private:
    std::string_view bytes_;
};

void write_filesystem(Writer& out, const watch::FilesystemIdentity& filesystem) {
    out.text(filesystem.type);
    for (const std::uint8_t byte : filesystem.uuid)
        out.number(byte);
    out.number(filesystem.subvolume);
    out.number(filesystem.device);
    out.number(static_cast<std::int64_t>(filesystem.mount_id));
    out.number(static_cast<std::uint8_t>(filesystem.mounts.has_value()));
    out.number(filesystem.mounts.value_or(0));
    out.number(static_cast<std::uint8_t>(filesystem.read_only));
}

watch::FilesystemIdentity read_filesystem(Reader& in) {
    watch::FilesystemIdentity filesystem;
    filesystem.type = in.text();
    for (std::uint8_t& byte : filesystem.uuid)
        byte = in.number<std::uint8_t>();
    filesystem.subvolume = in.number<std::uint64_t>();
    filesystem.device = in.number<std::uint64_t>();
    filesystem.mount_id = static_cast<int>(in.number<std::int64_t>());
    const bool counts = in.number<std::uint8_t>() != 0;
    const auto mounts = in.number<std::uint16_t>();
    if (counts)
        filesystem.mounts = mounts;
    filesystem.read_only = in.number<std::uint8_t>() != 0;
    return filesystem;
}

Error corrupt(const char* what) {
    return Error(ErrorCode::corrupt, fmt::format("the stored verdicts are {}", what));
}

ByteSpan bytes_of(const crypto::Sha256Digest& digest) {
    return {digest.data(), digest.size()};
}

} // namespace

std::string encode(const VerdictFile& file) {
    Writer out;
    out.bytes = kMagic;
    out.text(file.build);
    out.text(file.boot_id);
    out.text(file.engine);
    out.text(file.definitions);
    out.number(file.policy);
    out.number(std::chrono::duration_cast<std::chrono::seconds>(file.saved.time_since_epoch()).count());
    const std::size_t filesystems = std::min(file.filesystems.size(), kMaximumStoredFilesystems);
    std::map<std::uint64_t, std::uint32_t> index;
    out.number(static_cast<std::uint32_t>(filesystems));
    for (std::size_t i = 0; i < filesystems; ++i) {
        write_filesystem(out, file.filesystems[i]);
        index.emplace(file.filesystems[i].device, static_cast<std::uint32_t>(i));
    }
    Writer records;
    std::uint32_t count = 0;
    for (const CleanVerdict& verdict : file.verdicts) {
        const auto filesystem = index.find(verdict.key.device);
        if (filesystem == index.end() || count >= kMaximumStoredVerdicts)
            continue;
        records.number(filesystem->second);
        records.number(verdict.generation);
        records.number(verdict.key.inode);
        records.number(verdict.key.size);
        records.number(verdict.key.mtime_ns);
        records.number(verdict.key.ctime_ns);
        ++count;
    }
    out.number(count);
    out.bytes += records.bytes;
    const crypto::Sha256Digest digest = crypto::sha256(as_bytes(out.bytes));
    out.bytes += as_text(bytes_of(digest));
    return std::move(out.bytes);
}

Result<VerdictFile> decode(const std::string& bytes) {
    if (bytes.size() < kMagic.size() + kDigestSize)
        return corrupt("cut off");
    const std::string_view content = std::string_view(bytes).substr(0, bytes.size() - kDigestSize);
    const crypto::Sha256Digest digest = crypto::sha256(as_bytes(content));
    if (as_text(bytes_of(digest)) != std::string_view(bytes).substr(content.size()))
        return corrupt("torn or changed");
    Reader in(content);
    if (in.take(kMagic.size()) != kMagic)
        return corrupt("of another layout");
    VerdictFile file;
    file.build = in.text();
    file.boot_id = in.text();
    file.engine = in.text();
    file.definitions = in.text();
    file.policy = in.number<std::uint64_t>();
    constexpr std::int64_t kLatest = 9'000'000'000; // what system_clock's nanoseconds can hold
    file.saved = WallTime(std::chrono::seconds(std::clamp<std::int64_t>(in.number<std::int64_t>(), 0, kLatest)));
    const auto filesystems = in.number<std::uint32_t>();
    if (in.failed || filesystems > kMaximumStoredFilesystems)
        return corrupt("not as they should be");
    for (std::uint32_t i = 0; i < filesystems && !in.failed; ++i)
        file.filesystems.push_back(read_filesystem(in));
    const auto count = in.number<std::uint32_t>();
    if (in.failed || count > kMaximumStoredVerdicts)
        return corrupt("not as they should be");
    for (std::uint32_t i = 0; i < count && !in.failed; ++i) {
        CleanVerdict verdict;
        const auto filesystem = in.number<std::uint32_t>();
        if (filesystem >= file.filesystems.size())
            return corrupt("not as they should be");
        verdict.key.device = file.filesystems[filesystem].device;
        verdict.generation = in.number<std::uint32_t>();
        verdict.key.inode = in.number<std::uint64_t>();
        verdict.key.size = in.number<std::uint64_t>();
        verdict.key.mtime_ns = in.number<std::int64_t>();
        verdict.key.ctime_ns = in.number<std::int64_t>();
        file.verdicts.push_back(verdict);
    }
    if (in.failed || !in.at_end())
        return corrupt("not as they should be");
    return file;
}

std::vector<CleanVerdict> still_valid(const VerdictFile& file, const Situation& situation, std::string& why) {
    why.clear();
    if (file.build != situation.build)
        why = "they are another version's";
    else if (file.policy != situation.policy)
        why = "the profile has changed";
    else if (file.saved > situation.now)
        why = "they are from the future: the clock was set back";
    else if (situation.now - file.saved > kLongestLife)
        why = "they are older than 30 days";
    if (!why.empty())
        return {};
    const bool same_boot = file.boot_id == situation.boot_id;
    std::map<std::uint64_t, std::uint64_t> device_now; ///< by the device that it had then
    for (const watch::FilesystemIdentity& then : file.filesystems)
        for (const watch::FilesystemIdentity& now : situation.filesystems)
            if (is_continued(then, now, same_boot))
                device_now[then.device] = now.device;
    std::vector<CleanVerdict> valid;
    for (CleanVerdict verdict : file.verdicts) {
        const auto device = device_now.find(verdict.key.device);
        if (device == device_now.end())
            continue;
        verdict.key.device = device->second;
        valid.push_back(verdict);
    }
    if (valid.empty() && !file.verdicts.empty())
        why = same_boot ? "their file systems were unmounted meanwhile"
                        : "no file system proves that nobody else has had it meanwhile";
    return valid;
}

} // namespace picket::gate
