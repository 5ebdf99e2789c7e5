#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <picket/base/bytes.h>
#include <picket/base/clock.h>
#include <picket/base/result.h>
#include <picket/data/json.h>
#include <picket/model/paths.h>
#include <picket/sys/file.h>

/// Sets of signature databases on disk:
///   DIRECTORY/generations/NAME/{*.ndb, *.hdb, *.cvd …, manifest.json}   complete and never changed again
///   DIRECTORY/current → generations/NAME                                swapped by rename
///   DIRECTORY/candidate → generations/NAME                              what the engine is to try next, if anything
/// Root writes, everybody may read.
namespace picket::definitions {

inline constexpr std::string_view kManifestName = "manifest.json";
inline constexpr std::size_t kMaximumFiles = 256; ///< in one generation
inline constexpr Bytes kMaximumFileSize = gibibytes(1);

/// libclamav's database types that Picket loads, by extension. Bytecode (.cbc), configuration and everything that may
/// hold code is not among them; a signed .cvd may bring its own.
bool is_definition_file(std::string_view name);
/// [A-Za-z0-9][A-Za-z0-9.-]*, at most 63 bytes, as make_generation_name makes it.
bool is_generation_name(std::string_view name);
/// "20261124T225651Z-ab12cd34": names sort by age.
std::string make_generation_name(WallTime created, std::string_view digest_hex);

struct InputFile {
    std::string name;
    int fd = -1; ///< read by pread from 0 to its end; where it is -1, `content` counts
    std::string content = {};
    std::string sha256 = {}; ///< what it must be; "" = whatever it is
};

struct FileRecord {
    std::string name;
    std::string sha256;
    std::uint64_t size = 0;
    std::uint64_t signatures = 0; ///< lines of a text database; what a container's header says
};
struct Generation {
    std::string name;
    std::string created; ///< RFC 3339
    std::string source;  ///< "bundle 0.1.0", "file", "https://…"
    data::Json origin;   ///< what the signed set said of itself; null where there was none
    std::vector<FileRecord> files;
    std::uint64_t signatures() const;
};
data::Json to_json(const Generation& generation);

/// One directory of generations. Changing calls hold a lock on it and fail with conflict where another process does.
/// Not thread-safe for changes.
class Store {
  public:
    explicit Store(const sys::Root& root, std::string directory = paths::kDefinitionsDirectory)
        : root_(root), directory_(std::move(directory)) {}

    /// The name that `current` points to; not_found where there is none, corrupt where it points elsewhere.
    Result<std::string> current() const;
    /// Oldest first; what is half-written is not in it.
    Result<std::vector<std::string>> list() const;
    /// From its manifest; corrupt where that does not parse.
    Result<Generation> describe(const std::string& name) const;
    /// Names of its definition files, sorted; not_found where the generation is not there.
    Result<std::vector<std::string>> files_of(const std::string& name) const;
    /// Every file against its digest in the manifest; corrupt names the first that differs, is missing or is too many.
    Result<void> verify(const std::string& name) const;
    /// Absolute, inside the root's tree.
    std::string path_of(const std::string& name) const { return directory_ + "/generations/" + name; }

    /// Writes a complete generation and then makes it visible under `name`; `current` does not move. The same name
    /// with the same content is success; with other content conflict. invalid_input names the file that may not be.
    /// corrupt names a file that is not what its `sha256` says.
    Result<Generation> install(const std::string& name, const std::vector<InputFile>& files, std::string_view source,
                               WallTime created, data::Json origin = nullptr) const;
    /// Swaps `current`; the generation must be there.
    Result<void> make_current(const std::string& name) const;
    /// What the engine is asked to try (EngineCommandKind::try_candidate); errors as of current().
    Result<std::string> candidate() const;
    Result<void> set_candidate(const std::string& name) const;
    Result<void> clear_candidate() const;
    /// Removes one generation, file by file; conflict for the current one.
    Result<void> remove(const std::string& name) const;
    /// Makes the newest generation older than the current one current and returns its name; not_found where none is.
    Result<std::string> rollback() const;
    /// Removes all but the newest `keep` and the current one, file by file from its own list. Returns what went.
    Result<std::vector<std::string>> prune(std::size_t keep = 2) const;

  private:
    Result<UniqueFd> lock() const;
    Result<std::string> target_of(std::string_view link) const;
    Result<void> point(std::string_view link, const std::string& name) const;
    Result<FileRecord> copy_file(const InputFile& file, const std::string& folder) const;
    Result<void> remove_generation_folder(const std::string& path) const;
    Result<void> rename_and_sync(const std::string& from, const std::string& to) const;

    const sys::Root& root_;
    std::string directory_;
};

} // namespace picket::definitions
