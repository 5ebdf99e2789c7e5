#include <picket/profile/local.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <functional>
#include <optional>
#include <sys/file.h>
#include <thread>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/base/time_text.h>
#include <picket/model/paths.h>

#include "exclusion.h"
#include "files.h"
#include "formats.h"
#include "settings.h"
#include "walker.h"

namespace picket::profile {
namespace {

using data::Json;

constexpr std::string_view kExclusions = "/antivirusEngine/exclusions";
constexpr std::string_view kScopedExclusions = "/exclusionSettings/exclusions";
constexpr std::string_view kAllowedThreats = "/antivirusEngine/allowedThreats";
constexpr std::string_view kThreatTypes = "/antivirusEngine/threatTypeSettings";

/// One change at a time, over all processes: a lock on the folder, which no rename of the file takes away.
Result<UniqueFd> lock_settings(const sys::Root& root) {
    UniqueFd folder = PICKET_TRY(root.open_file(paths::kStateDirectory, O_RDONLY | O_DIRECTORY));
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (flock(folder.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return Error::from_errno(errno, fmt::format("lock {}", paths::kStateDirectory));
        if (std::chrono::steady_clock::now() > give_up)
            return Error(ErrorCode::unavailable, "another change of the settings is going on: try again");
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return folder;
}

Error managed_error(std::string_view what, const Source& source) {
    return Error(ErrorCode::permission,
                 fmt::format("{} is set by the managed profile {}: change it there", what, source.file));
}

/// What a change sees: the effective profile, and the local file that it may rewrite.
struct Scene {
    EffectiveProfile effective;
    Json local;
};

/// Loads, lets `change` edit the local document (false: nothing to do), checks and writes it.
Result<bool> edit(const sys::Root& root, const std::function<Result<bool>(Scene&)>& change) {
    if (!root.exists(paths::kStateDirectory))
        PICKET_TRY(root.make_directories(paths::kStateDirectory, 0755));
    const UniqueFd lock = PICKET_TRY(lock_settings(root));
    LocalSettings local = read_local(root);
    if (!local.problems.empty())
        return Error(ErrorCode::corrupt,
                     fmt::format("{} (repair or remove that file)", to_text(local.problems.front())));
    Scene scene{load(root, LoadMode::read_only), std::move(local.document)};
    if (!PICKET_TRY(change(scene)))
        return false;
    const std::string text = data::to_pretty_text(scene.local) + "\n";
    const Validation validation = validate(text, Format::json, root.label() + paths::kLocalSettings, Layer::local);
    if (!validation.ok())
        return Error(ErrorCode::invalid_input, validation.problems.front().message);
    PICKET_TRY(write_local(root, local, std::move(scene.local)));
    return true;
}

Source source_of(const EffectiveProfile& profile, const std::string& pointer) {
    const auto found = profile.sources.find(pointer);
    return found == profile.sources.end() ? Source{} : found->second;
}

/// An error where a managed profile switches local elements of that list off.
Result<void> check_not_blocked(const EffectiveProfile& profile, std::string_view pointer, std::string_view what) {
    const KeyInfo* key = find_key(pointer);
    for (const KeyInfo::Block& block : key->local_blocked_by) {
        const Json& value = value_at(profile.document, block.pointer);
        if (value == Json(block.value))
            return managed_error(fmt::format("{} = {}, so {}", find_key(block.pointer)->dotted, block.value, what),
                                 source_of(profile, block.pointer));
        for (std::size_t i = 0; value.is_array() && i < value.size(); ++i)
            if (value[i] == Json(block.value))
                return managed_error(
                    fmt::format("{} has {}, so {}", find_key(block.pointer)->dotted, block.value, what),
                    source_of(profile, fmt::format("{}/{}", block.pointer, i)));
    }
    return {};
}

/// Where an equal element counts now; `equal` compares elements.
std::optional<Source> find_element(const EffectiveProfile& profile, std::string_view pointer,
                                   const std::function<bool(const Json&)>& equal) {
    std::optional<Source> found;
    const Json& list = value_at(profile.document, pointer);
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (!equal(list[i]))
            continue;
        const Source source = source_of(profile, fmt::format("{}/{}", pointer, i));
        if (!found || source.layer > found->layer)
            found = source;
    }
    return found;
}

Result<void> check_value(std::string_view pointer, const Json& element) {
    std::optional<Error> problem;
    walk_value(data::member(*find_key(pointer)->node, "items"), element, "", [&](const Finding& finding) {
        problem = Error(ErrorCode::invalid_input, finding.message);
        return false;
    });
    return problem ? Result<void>(*problem) : Result<void>();
}

void append(Json& document, std::string_view pointer, Json element) {
    Json list = value_at(document, pointer);
    if (!list.is_array())
        list = Json::array();
    list.push_back(std::move(element));
    set_value_at(document, pointer, std::move(list));
}

bool remove_elements(Json& document, std::string_view pointer, const std::function<bool(const Json&)>& equal) {
    Json kept = Json::array();
    const Json& list = value_at(document, pointer);
    for (const Json& element : list)
        if (!equal(element))
            kept.push_back(element);
    const bool removed = kept.size() != list.size();
    if (removed && kept.empty())
        erase_value_at(document, pointer);
    else if (removed)
        set_value_at(document, pointer, std::move(kept));
    return removed;
}

Result<Json> checked_exclusion(std::string_view type, std::string_view value) {
    if (!is_valid_utf8(value))
        return Error(ErrorCode::invalid_input, "the value is not UTF-8, which a profile cannot hold");
    Json element = PICKET_TRY(exclusion_element(type, value));
    PICKET_TRY(check_value(kExclusions, element));
    return normal_exclusion(element);
}

Error managed_exclusion_error(const Exclusion& exclusion, const Source& source) {
    return managed_error(fmt::format("the exclusion of {} \"{}\"", exclusion.type, escape_for_display(exclusion.value)),
                         source);
}

/// With an end that is counted from `now` made a moment.
Result<ExclusionNotes> checked_notes(const NewExclusionNotes& notes, WallTime now) {
    ExclusionNotes said{notes.reason, notes.owner, notes.expires};
    for (const std::string* const text : {&said.reason, &said.owner, &said.expires})
        if (!is_valid_utf8(*text))
            return Error(ErrorCode::invalid_input, "reason, owner and end must be UTF-8");
    if (said.expires.empty())
        return said;
    if (const auto life = parse_duration(said.expires))
        said.expires = to_rfc3339(std::chrono::floor<std::chrono::seconds>(now) + *life);
    const auto end = expiry_time(said.expires);
    if (!end)
        return Error(ErrorCode::invalid_input,
                     fmt::format("{} is no end of an exclusion: it must be a day (2027-03-31), a moment in UTC "
                                 "(2027-03-31T12:00:00Z), or a time from now (90d, 12h)",
                                 shown(Json(said.expires))));
    if (*end <= now)
        return Error(ErrorCode::invalid_input,
                     fmt::format("{} is over: an exclusion must end later than now", said.expires));
    return said;
}

} // namespace

Result<bool> set_setting(const sys::Root& root, std::string_view name, std::string_view value) {
    const Setting setting = PICKET_TRY(find_setting(name));
    return edit(root, [&](Scene& scene) -> Result<bool> {
        const Json& now = value_at(scene.effective.document, setting.key->pointer);
        const Json wanted = PICKET_TRY(setting.read(value, now));
        if (wanted == now)
            return false;
        if (const Source source = source_of(scene.effective, setting.key->pointer); source.layer == Layer::managed)
            return managed_error(setting.name, source);
        set_value_at(scene.local, setting.key->pointer, wanted);
        return true;
    });
}

Result<bool> add_exclusion(const sys::Root& root, std::string_view type, std::string_view value,
                           const NewExclusionNotes& notes, WallTime now) {
    Json element = PICKET_TRY(checked_exclusion(type, value));
    const Exclusion wanted = exclusion_from(element);
    const ExclusionNotes said = PICKET_TRY(checked_notes(notes, now));
    set_notes(element, said);
    PICKET_TRY(check_value(kExclusions, element));
    const auto equal = [&](const Json& other) { return exclusion_from(other) == wanted; };
    const auto suffices = [&](const Json& other) {
        return equal(other) && !has_expired(other, now) && (said.empty() || notes_from(other) == said);
    };
    return edit(root, [&](Scene& scene) -> Result<bool> {
        PICKET_TRY(check_not_blocked(scene.effective, kExclusions, "no exclusion can be added here; it"));
        for (const std::string_view list : {kExclusions, kScopedExclusions})
            if (find_element(scene.effective, list, suffices))
                return false;
        for (const std::string_view list : {kExclusions, kScopedExclusions})
            if (const auto source = find_element(scene.effective, list, equal);
                source && source->layer == Layer::managed)
                return managed_exclusion_error(wanted, *source);
        remove_elements(scene.local, kExclusions, equal);
        append(scene.local, kExclusions, element);
        return true;
    });
}

Result<bool> remove_exclusion(const sys::Root& root, std::string_view type, std::string_view value) {
    const Exclusion wanted = exclusion_from(PICKET_TRY(checked_exclusion(type, value)));
    const auto equal = [&](const Json& other) { return exclusion_from(other) == wanted; };
    return edit(root, [&](Scene& scene) -> Result<bool> {
        for (const std::string_view list : {kExclusions, kScopedExclusions})
            if (const auto source = find_element(scene.effective, list, equal);
                source && source->layer == Layer::managed)
                return managed_exclusion_error(wanted, *source);
        return remove_elements(scene.local, kExclusions, equal);
    });
}

Result<bool> add_allowed_threat(const sys::Root& root, std::string_view name) {
    if (!is_valid_utf8(name))
        return Error(ErrorCode::invalid_input, "the name is not UTF-8");
    const Json element = std::string(name);
    PICKET_TRY(check_value(kAllowedThreats, element));
    const auto equal = [&](const Json& other) { return other == element; };
    return edit(root, [&](Scene& scene) -> Result<bool> {
        PICKET_TRY(check_not_blocked(scene.effective, kAllowedThreats, "no threat can be allowed here; it"));
        if (find_element(scene.effective, kAllowedThreats, equal))
            return false;
        append(scene.local, kAllowedThreats, element);
        return true;
    });
}

Result<bool> remove_allowed_threat(const sys::Root& root, std::string_view name) {
    const auto equal = [&](const Json& other) { return other == Json(std::string(name)); };
    return edit(root, [&](Scene& scene) -> Result<bool> {
        if (const auto source = find_element(scene.effective, kAllowedThreats, equal);
            source && source->layer == Layer::managed)
            return managed_error(fmt::format("the allowed threat {}", escape_for_display(name)), *source);
        return remove_elements(scene.local, kAllowedThreats, equal);
    });
}

Result<bool> set_threat_action(const sys::Root& root, std::string_view type, std::string_view action) {
    if (!is_valid_utf8(type) || !is_valid_utf8(action))
        return Error(ErrorCode::invalid_input, "type and action must be UTF-8");
    const Json wanted{{"key", std::string(type)}, {"value", std::string(action)}};
    PICKET_TRY(check_value(kThreatTypes, wanted));
    const auto same_type = [&](const Json& other) { return data::member(other, "key") == wanted["key"]; };
    return edit(root, [&](Scene& scene) -> Result<bool> {
        if (find_element(scene.effective, kThreatTypes, [&](const Json& other) { return other == wanted; }))
            return false;
        PICKET_TRY(check_not_blocked(scene.effective, kThreatTypes, "no action can be set here; it"));
        if (const auto source = find_element(scene.effective, kThreatTypes, same_type);
            source && source->layer == Layer::managed)
            return managed_error(fmt::format("the action for {}", type), *source);
        remove_elements(scene.local, kThreatTypes, same_type);
        append(scene.local, kThreatTypes, wanted);
        return true;
    });
}

} // namespace picket::profile
