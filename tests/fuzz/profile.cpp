// The first byte chooses the format and what else is done; the rest is a profile, and a path for the matcher.
#include <cstdint>
#include <string_view>
#include <utility>

#include <picket/profile/effective.h>
#include <picket/profile/views.h>
#include <picket/profile/weakening.h>

using namespace picket::profile;

namespace {

void use(const EffectiveProfile& profile, std::string_view text) {
    (void)profile.policy->exclusions.excludes_path(text);
    (void)profile.policy->exclusions.excludes_process(text);
    (void)picket::data::to_text(profile_show_json(profile));
    (void)picket::data::to_text(exclusion_list_json(profile));
    (void)picket::data::to_text(allowed_threats_json(profile));
    if (const auto shown = config_show_json(profile))
        (void)picket::data::to_text(*shown);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
    const Format format = (data[0] & 1) != 0 ? Format::json : Format::yaml;
    const Layer layer = (data[0] & 2) != 0 ? Layer::local : Layer::managed;
    const Validation validation = validate(text, format, "fuzz", layer);
    for (const Problem& problem : validation.problems)
        (void)to_text(problem);
    if (!validation.ok())
        return 0;
    const LayerDocument once{layer, "once", validation.document};
    const LayerDocument again{Layer::managed, "again", validation.document};
    Merged merged = merge({once, again});
    // What was valid stays valid when it is merged.
    if (!validate(picket::data::to_text(merged.document), Format::json, "merged").ok())
        __builtin_trap();
    EffectiveProfile profile;
    profile.policy = compile(merged.document);
    profile.document = std::move(merged.document);
    profile.sources = std::move(merged.sources);
    (void)find_weakenings(Policy{}, *profile.policy);
    use(profile, text);
    return 0;
}
