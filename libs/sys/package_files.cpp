#include <picket/sys/package_files.h>

#include <algorithm>
#include <ctime>
#include <fcntl.h>
#include <functional>
#include <map>
#include <vector>

#include <picket/base/text.h>

#include "merged_usr.h"

namespace picket::sys {
namespace {

constexpr const char* kInfo = "/var/lib/dpkg/info";
constexpr const char* kDiversions = "/var/lib/dpkg/diversions";
constexpr std::string_view kDigests = ".md5sums";
constexpr Bytes kMaximumFile = mebibytes(32);
constexpr Bytes kMaximumTotal = mebibytes(512);
constexpr std::size_t kMaximumPackages = 50'000;
constexpr std::size_t kMaximumRecords = 4'000'000;
constexpr std::size_t kDigestDigits = 32;
constexpr time_t kTimestampGrainSeconds = 2;

bool is_roots_alone(const struct stat& status) {
    return status.st_uid == 0 && (status.st_mode & 022) == 0;
}

/// What moves whenever dpkg has been at work: it replaces these by rename.
struct Stamp {
    timespec info{};
    timespec diversions{};
    bool operator==(const Stamp& other) const { return same(info, other.info) && same(diversions, other.diversions); }
    /// So old that a change from now on shows in it.
    bool is_settled() const {
        timespec now{};
        clock_gettime(CLOCK_REALTIME, &now);
        return std::max(info.tv_sec, diversions.tv_sec) + kTimestampGrainSeconds < now.tv_sec;
    }
    static bool same(const timespec& left, const timespec& right) {
        return left.tv_sec == right.tv_sec && left.tv_nsec == right.tv_nsec;
    }
};

/// Where a file of other packages than `package` really lies.
struct Diversion {
    std::string to;
    std::string package; ///< ":" = none: an administrator's own
};

/// "package:arch" → "package"
std::string_view name_of(std::string_view stem) {
    return stem.substr(0, stem.find(':'));
}

class DpkgFiles final : public PackageFiles {
  public:
    explicit DpkgFiles(const Root& root) : root_(root) {}

    std::optional<PackageFileRecord> find(std::string_view path) override {
        refresh();
        const std::string wanted = usr_.unmerged(std::string(path));
        const auto [first, last] =
            std::equal_range(index_.begin(), index_.end(), Record{hash_(wanted), 0},
                             [](const Record& left, const Record& right) { return left.hash < right.hash; });
        for (auto record = first; record != last; ++record)
            if (auto found = confirm(packages_[record->package], wanted))
                return found;
        return std::nullopt;
    }

  private:
    /// 16 bytes a file instead of its whole path; the package's own records decide.
    struct Record {
        std::size_t hash;
        std::size_t package;
    };

    void refresh() {
        const auto info = root_.status(kInfo);
        const auto diversions = root_.status(kDiversions);
        const Stamp now{info ? info->st_mtim : timespec{}, diversions ? diversions->st_mtim : timespec{}};
        if (made_ && now == stamp_)
            return;
        made_ = now.is_settled();
        stamp_ = now;
        index_.clear();
        packages_.clear();
        diversions_.clear();
        if (!info || !S_ISDIR(info->st_mode) || !is_roots_alone(*info))
            return;
        usr_ = MergedUsr(root_);
        read_diversions();
        read_packages();
        std::sort(index_.begin(), index_.end(), [](const Record& a, const Record& b) { return a.hash < b.hash; });
        index_.shrink_to_fit();
    }

    std::string read_records(const std::string& path) const {
        const auto fd = root_.open_file(path, O_RDONLY | O_NONBLOCK);
        struct stat status {};
        if (!fd || fstat(fd->get(), &status) != 0 || !S_ISREG(status.st_mode) || !is_roots_alone(status))
            return {};
        return read_all(fd->get(), kMaximumFile).value_or("");
    }

    void read_diversions() {
        const std::string text = read_records(kDiversions);
        const auto lines = split(text, '\n');
        for (std::size_t i = 0; i + 2 < lines.size(); i += 3)
            diversions_[std::string(lines[i])] = {std::string(lines[i + 1]), std::string(lines[i + 2])};
    }

    void read_packages() {
        std::uint64_t total = 0;
        const auto names = root_.list(kInfo, kMaximumPackages * 8);
        if (!names)
            return;
        for (const std::string& name : *names) {
            if (!name.ends_with(kDigests) || packages_.size() >= kMaximumPackages)
                continue;
            const std::string text = read_records(std::string(kInfo) + "/" + name);
            total += text.size();
            if (total > kMaximumTotal.count)
                return;
            packages_.push_back(name.substr(0, name.size() - kDigests.size()));
            for_each_digest(packages_.back(), text, [&](std::string_view, const std::string& place, std::string_view) {
                if (index_.size() < kMaximumRecords)
                    index_.push_back({hash_(place), packages_.size() - 1});
                return true;
            });
        }
    }

    /// `each` gets the recorded path, where that file lies, and its digest; false ends it.
    void
    for_each_digest(const std::string& stem, std::string_view text,
                    const std::function<bool(std::string_view, const std::string&, std::string_view)>& each) const {
        for (const std::string_view line : split(text, '\n')) {
            if (line.size() < kDigestDigits + 3 || line.substr(kDigestDigits, 2) != "  " ||
                line[kDigestDigits + 2] == '/')
                continue;
            const std::string path = "/" + std::string(line.substr(kDigestDigits + 2));
            if (!each(path, place_of(path, stem), line.substr(0, kDigestDigits)))
                return;
        }
    }

    std::string place_of(const std::string& path, const std::string& stem) const {
        const auto diverted = diversions_.find(path);
        const bool applies = diverted != diversions_.end() && diverted->second.package != name_of(stem);
        return usr_.unmerged(applies ? diverted->second.to : path);
    }

    /// Also by the list of files: a package whose file another one has replaced keeps the digest and loses the line.
    bool is_listed(const std::string& stem, std::string_view path) const {
        const std::string text = read_records(std::string(kInfo) + "/" + stem + ".list");
        const auto lines = split(text, '\n');
        return std::find(lines.begin(), lines.end(), path) != lines.end();
    }

    std::optional<PackageFileRecord> confirm(const std::string& stem, const std::string& wanted) const {
        const std::string text = read_records(std::string(kInfo) + "/" + stem + std::string(kDigests));
        std::optional<PackageFileRecord> found;
        for_each_digest(stem, text, [&](std::string_view path, const std::string& place, std::string_view digest) {
            if (place != wanted || !is_listed(stem, path))
                return true;
            found = PackageFileRecord{std::string(name_of(stem)), RecordedDigestKind::md5, to_lower(digest)};
            return false;
        });
        return found;
    }

    const Root& root_;
    std::hash<std::string_view> hash_;
    bool made_ = false;
    Stamp stamp_;
    std::vector<Record> index_; ///< sorted by hash
    std::vector<std::string> packages_;
    MergedUsr usr_;
    std::map<std::string, Diversion> diversions_;
};

} // namespace

std::unique_ptr<PackageFiles> package_files_of(const Root& root) {
    if (root.exists(kInfo))
        return std::make_unique<DpkgFiles>(root);
    return nullptr;
}

} // namespace picket::sys
