#include <picket/profile/exclusions.h>

#include <algorithm>

#include <fmt/format.h>
#include <picket/base/text.h>

#include "exclusion.h"
#include "formats.h"

namespace picket::profile {

using data::Json;

std::string describe(const ListedExclusion& exclusion) {
    std::vector<std::string> notes;
    if (!exclusion.owner.empty())
        notes.push_back("owner " + escape_for_display(exclusion.owner));
    if (!exclusion.reason.empty())
        notes.push_back("reason: " + escape_for_display(exclusion.reason));
    return fmt::format("the exclusion of {} {}{}", exclusion.type, escape_for_display(exclusion.value),
                       notes.empty() ? "" : fmt::format(" ({})", join(notes, "; ")));
}

std::vector<ListedExclusion> list_exclusions(const EffectiveProfile& profile) {
    std::vector<ListedExclusion> all;
    for (const std::string pointer : {"/antivirusEngine/exclusions", "/exclusionSettings/exclusions"}) {
        const Json& list = value_at(profile.document, pointer);
        for (std::size_t i = 0; i < list.size(); ++i) {
            const Exclusion exclusion = exclusion_from(list[i]);
            ExclusionNotes notes = notes_from(list[i]);
            const auto source = profile.sources.find(pointer + "/" + std::to_string(i));
            all.push_back({exclusion.type, exclusion.value, std::move(notes.reason), std::move(notes.owner),
                           expiry_time(notes.expires), has_expired(list[i], profile.at),
                           source == profile.sources.end() ? Source{} : source->second});
        }
    }
    return all;
}

std::vector<ListedExclusion> find_expired(const EffectiveProfile& before, const EffectiveProfile& after) {
    const auto known = list_exclusions(before);
    std::vector<ListedExclusion> found = list_exclusions(after);
    std::erase_if(found, [&](const ListedExclusion& now) {
        return !now.expired || std::none_of(known.begin(), known.end(), [&](const ListedExclusion& then) {
            return !then.expired && then.type == now.type && then.value == now.value;
        });
    });
    return found;
}

} // namespace picket::profile
