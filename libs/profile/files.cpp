#include "files.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/model/paths.h>

namespace picket::profile {
namespace {

using data::Json;

constexpr Bytes kLastGoodLimit = mebibytes(24); // kMaximumSetBytes, written again by us

Problem whole_file_problem(const std::string& file, std::string message) {
    return {file, {}, "", std::move(message), ""};
}

/// Nobody but root (and who runs this, where that is not root) may be able to change what we obey.
std::optional<std::string> ownership_problem(const struct stat& status) {
    if (status.st_uid != 0 && status.st_uid != geteuid())
        return fmt::format("is owned by uid {}, not by root: it does not count", status.st_uid);
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return fmt::format("may be written by others than its owner (mode {:04o}): chmod go-w", status.st_mode & 07777);
    return std::nullopt;
}

/// Content of a file that we may obey; the checks are made on what is then read, not on its name.
Result<std::string> read_trusted(const sys::Root& root, const std::string& path) {
    const UniqueFd fd = PICKET_TRY(root.open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
    struct stat status {};
    if (fstat(fd.get(), &status) != 0)
        return Error::from_errno(errno, "stat");
    if (!S_ISREG(status.st_mode))
        return Error(ErrorCode::invalid_input, "is not a regular file");
    if (const auto problem = ownership_problem(status))
        return Error(ErrorCode::permission, *problem);
    return sys::read_all(fd.get(), Bytes{kMaximumFileBytes});
}

/// The folder itself; false where there is none.
bool check_folder(const sys::Root& root, const std::string& label, ManagedSet& set) {
    const auto status = root.status(paths::kManagedDirectory);
    if (!status && status.error().code() == ErrorCode::not_found && status.error().errno_value() == ENOENT)
        return false;
    if (!status)
        set.problems.push_back(whole_file_problem(label, status.error().message()));
    else if (!S_ISDIR(status->st_mode))
        set.problems.push_back(whole_file_problem(label, "is not a folder"));
    else if (const auto problem = ownership_problem(*status))
        set.problems.push_back(whole_file_problem(label, *problem));
    return set.problems.empty();
}

void read_managed_file(const sys::Root& root, const std::string& name, std::uint64_t& total, ManagedSet& set) {
    const std::string path = fmt::format("{}/{}", paths::kManagedDirectory, name);
    const std::string file = root.label() + path;
    const auto content = read_trusted(root, path);
    if (!content) {
        if (content.error().errno_value() != ENOENT) // gone since it was listed: a removal
            set.problems.push_back(whole_file_problem(file, content.error().message()));
        return;
    }
    total += content->size();
    if (total > kMaximumSetBytes) {
        set.problems.push_back(whole_file_problem(
            file, fmt::format("with it the profiles are larger than {} together", to_human(Bytes{kMaximumSetBytes}))));
        return;
    }
    Validation validation = validate(*content, Format::json, file);
    set.problems.insert(set.problems.end(), validation.problems.begin(), validation.problems.end());
    if (validation.ok())
        set.documents.push_back({Layer::managed, file, std::move(validation.document)});
}

/// Exactly {"schema": 1, "managed": [{file, document}]}, with documents that this build accepts.
Result<std::vector<LayerDocument>> parse_last_good(const std::string& content) {
    const Json parsed = PICKET_TRY(data::parse_json(content, {kLastGoodLimit, 40}));
    const Json& managed = data::member(parsed, "managed");
    if (data::integer_or(parsed, "schema", 0) != 1 || !managed.is_array())
        return Error(ErrorCode::corrupt, "not a last good profile of this version");
    std::vector<LayerDocument> documents;
    for (const Json& entry : managed) {
        const std::string file = data::string_or(entry, "file", "");
        Validation validation = validate(data::to_text(data::member(entry, "document")), Format::json, file);
        if (!validation.ok())
            return Error(ErrorCode::corrupt, to_text(validation.problems.front()));
        documents.push_back({Layer::managed, file, std::move(validation.document)});
    }
    return documents;
}

/// Each open is held against every exclusion: their number has a bound.
void check_elements(const std::string& label, ManagedSet& set) {
    std::size_t elements = 0;
    for (const LayerDocument& document : set.documents)
        for (const KeyInfo& key : keys())
            if (const Json& value = value_at(document.document, key.pointer); value.is_array())
                elements += value.size();
    if (elements > kMaximumElements)
        set.problems.push_back(whole_file_problem(
            label, fmt::format("the profiles list {} exclusions and names together; at most {} are allowed", elements,
                               kMaximumElements)));
}

} // namespace

bool is_profile_name(std::string_view name) {
    return !name.starts_with('.') && name.ends_with(".json");
}

ManagedSet read_managed(const sys::Root& root) {
    ManagedSet set;
    const std::string label = root.label() + paths::kManagedDirectory;
    if (!check_folder(root, label, set))
        return set;
    auto names = root.list(paths::kManagedDirectory);
    if (!names) {
        set.problems.push_back(whole_file_problem(label, names.error().message()));
        return set;
    }
    std::erase_if(*names, [](const std::string& name) { return !is_profile_name(name); });
    if (names->size() > kMaximumFiles) {
        set.problems.push_back(whole_file_problem(
            label, fmt::format("holds {} profiles; at most {} are allowed", names->size(), kMaximumFiles)));
        return set;
    }
    std::uint64_t total = 0;
    for (const std::string& name : *names) {
        if (total <= kMaximumSetBytes && set.problems.size() < kMaximumProblems)
            read_managed_file(root, name, total, set);
    }
    check_elements(label, set);
    return set;
}

LocalSettings read_local(const sys::Root& root) {
    LocalSettings settings;
    const std::string file = root.label() + paths::kLocalSettings;
    const auto content = read_trusted(root, paths::kLocalSettings);
    if (!content && content.error().errno_value() == ENOENT)
        return settings;
    settings.present = true;
    if (!content) {
        settings.problems.push_back(whole_file_problem(file, content.error().message()));
        return settings;
    }
    settings.text = *content;
    Validation validation = validate(*content, Format::json, file, Layer::local);
    settings.schema = validation.schema;
    settings.problems = std::move(validation.problems);
    if (settings.problems.empty())
        settings.document = std::move(validation.document);
    return settings;
}

Result<void> write_local(const sys::Root& root, const LocalSettings& before, Json document) {
    if (before.present && before.schema < kDocumentSchema)
        PICKET_TRY(
            root.write_atomically(fmt::format("{}.bak-{}", paths::kLocalSettings, before.schema), before.text, 0600));
    document["schema"] = kDocumentSchema;
    return root.write_atomically(paths::kLocalSettings, data::to_pretty_text(document) + "\n", 0600);
}

Result<std::vector<LayerDocument>> read_last_good(const sys::Root& root) {
    const auto content = root.read(paths::kLastGoodProfile, kLastGoodLimit);
    if (!content)
        return content.error();
    auto documents = parse_last_good(*content);
    if (!documents)
        return Error(ErrorCode::corrupt, documents.error().message())
            .with_context(root.label() + paths::kLastGoodProfile);
    return documents;
}

Result<void> remember_last_good(const sys::Root& root, const std::vector<LayerDocument>& documents) {
    Json managed = Json::array();
    for (const LayerDocument& document : documents)
        managed.push_back({{"file", document.file}, {"document", document.document}});
    const std::string content = data::to_text({{"schema", 1}, {"managed", std::move(managed)}});
    if (const auto now = root.read(paths::kLastGoodProfile, kLastGoodLimit); now && *now == content)
        return {};
    const std::string path = paths::kLastGoodProfile;
    PICKET_TRY(root.make_directories(path.substr(0, path.rfind('/')), 0700));
    return root.write_atomically(path, content, 0600);
}

} // namespace picket::profile
