#include <algorithm>
#include <array>
#include <ctime>
#include <functional>
#include <span>
#include <vector>

#include <picket/base/clock.h>
#include <picket/base/text.h>
#include <picket/sys/package_files.h>

#include "merged_usr.h"
#include "package_managers.h"

namespace picket::sys {
namespace {

constexpr Milliseconds kListTimeout{50'000};
constexpr std::chrono::seconds kAskAgain{60};
constexpr Bytes kListLimit = mebibytes(256);
constexpr std::size_t kMaximumRecords = 4'000'000;
constexpr std::size_t kColumns = 5;
constexpr std::uint64_t kConfigFlag = 1;
/// One line a file. What stands last may hold a tab; a name with a line break makes lines that are not understood.
constexpr const char* kFormat = "[%{=NAME}\\t%{=FILEDIGESTALGO}\\t%{FILEDIGESTS}\\t%{FILEFLAGS}\\t%{FILENAMES}\\n]";

/// What moves whenever rpm has been at work, or rights were changed: the database, or what SQLite keeps beside it.
struct Stamp {
    std::array<std::int64_t, 6> parts{};
    bool operator==(const Stamp&) const = default;
};

void add_to(Stamp& stamp, std::size_t at, const Result<struct stat>& status) {
    if (!status || status->st_size == 0)
        return;
    stamp.parts[at] = status->st_ctim.tv_sec;
    stamp.parts[at + 1] = status->st_ctim.tv_nsec;
    stamp.parts[at + 2] = status->st_size;
}

std::optional<RecordedDigestKind> digest_kind(std::string_view algorithm, std::size_t digits) {
    if (algorithm == "8" && digits == 64)
        return RecordedDigestKind::sha256;
    if ((algorithm == "1" || algorithm == "(none)") && digits == 32)
        return RecordedDigestKind::md5;
    return std::nullopt; // others are too rare to be worth their code: no record
}

class RpmFiles final : public PackageFiles {
  public:
    explicit RpmFiles(const Root& root) : root_(root) {}

    std::optional<PackageFileRecord> find(std::string_view path) override {
        refresh();
        const std::size_t hash = hash_(usr_.unmerged(std::string(path)));
        const auto record = std::lower_bound(index_.begin(), index_.end(), hash,
                                             [](const Record& left, std::size_t right) { return left.hash < right; });
        if (record == index_.end() || record->hash != hash)
            return std::nullopt;
        const std::size_t bytes = record->kind == RecordedDigestKind::sha256 ? 32 : 16;
        return PackageFileRecord{packages_[record->package], record->kind,
                                 to_hex(ByteSpan(record->digest).first(bytes))};
    }

    bool are_readable() const override { return readable_; }

  private:
    /// Two paths with one hash: then the digest, which the caller compares, is the wrong one, and nothing is found.
    struct Record {
        std::size_t hash;
        std::uint32_t package;
        RecordedDigestKind kind;
        std::array<Byte, 32> digest;
    };

    void refresh() {
        const std::string database = rpm_database(root_);
        const auto status = root_.status(database);
        Stamp now;
        add_to(now, 0, status);
        add_to(now, 3, root_.status(database + "-wal"));
        if (now == stamp_ && (readable_ || SystemClock().monotonic() < ask_again_))
            return;
        index_.clear();
        packages_.clear();
        usr_ = MergedUsr(root_);
        stamp_ = now;
        readable_ = status && status->st_uid == 0 && (status->st_mode & 022) == 0 && read_all_packages();
        ask_again_ = SystemClock().monotonic() + kAskAgain;
    }

    bool read_all_packages() {
        RunOptions options;
        options.timeout = kListTimeout;
        options.output_limit = kListLimit;
        options.environment = {{"HOME", "/root"}};
        options.chroot_directory = root_.label();
        const auto outcome = run({"rpm", "-qa", "--qf", kFormat}, options);
        if (!outcome || !outcome->ok())
            return false;
        for (const std::string_view line : split(outcome->output, '\n'))
            add(line);
        std::sort(index_.begin(), index_.end(), [](const Record& a, const Record& b) { return a.hash < b.hash; });
        index_.shrink_to_fit();
        return true;
    }

    void add(std::string_view line) {
        std::array<std::string_view, kColumns> columns;
        for (std::size_t i = 0; i + 1 < kColumns; ++i) {
            const auto tab = line.find('\t');
            if (tab == std::string_view::npos)
                return;
            columns[i] = line.substr(0, tab);
            line.remove_prefix(tab + 1);
        }
        const auto [name, algorithm, digest, flags, unused] = columns;
        const auto kind = digest_kind(algorithm, digest.size());
        const auto bytes = from_hex(digest);
        if (!kind || !bytes || (parse_unsigned(flags).value_or(kConfigFlag) & kConfigFlag) != 0 ||
            !line.starts_with('/') || index_.size() >= kMaximumRecords)
            return;
        if (packages_.empty() || packages_.back() != name)
            packages_.emplace_back(name);
        Record record{
            hash_(usr_.unmerged(std::string(line))), static_cast<std::uint32_t>(packages_.size() - 1), *kind, {}};
        std::copy(bytes->begin(), bytes->end(), record.digest.begin());
        index_.push_back(record);
    }

    const Root& root_;
    std::hash<std::string_view> hash_;
    bool readable_ = false;
    Stamp stamp_;
    MonotonicTime ask_again_{}; ///< where it could not be read: an rpm that hangs must not hold every question
    std::vector<Record> index_; ///< sorted by hash
    std::vector<std::string> packages_;
    MergedUsr usr_;
};

} // namespace

std::unique_ptr<PackageFiles> rpm_files_of(const Root& root) {
    return rpm_database(root).empty() ? nullptr : std::make_unique<RpmFiles>(root);
}

} // namespace picket::sys
