#include <picket/profile/in_force.h>

#include <algorithm>

#include <picket/base/bytes.h>

namespace picket::profile {
namespace {

using data::Json;

constexpr const char* kFolder = "/var/lib/picket/profile";
constexpr const char* kFile = "/var/lib/picket/profile/in-force.json";
constexpr Bytes kLimit = mebibytes(24);

Layer layer_from(const std::string& word) {
    return word == to_string(Layer::managed) ? Layer::managed
           : word == to_string(Layer::local) ? Layer::local
                                             : Layer::defaults;
}

} // namespace

Result<EffectiveProfile> read_in_force(const sys::Root& root) {
    const std::string content = PICKET_TRY(root.read(kFile, kLimit));
    const auto parsed = data::parse_json(content, {kLimit, 40});
    if (!parsed || data::integer_or(*parsed, "schema", 0) != 1)
        return Error(ErrorCode::corrupt, "not of this version").with_context(root.label() + kFile);
    Validation validation = validate(data::to_text(data::member(*parsed, "document")), Format::json, kFile);
    if (!validation.ok())
        return Error(ErrorCode::corrupt, to_text(validation.problems.front()));
    EffectiveProfile profile;
    profile.document = std::move(validation.document);
    for (const auto& [pointer, source] : data::member(*parsed, "sources").items())
        profile.sources[pointer] = {layer_from(data::string_or(source, "layer", "")), data::path_of(source, "file")};
    constexpr std::int64_t kLatest = 9'000'000'000; // what system_clock's nanoseconds can hold
    profile.at =
        WallTime(std::chrono::seconds(std::clamp<std::int64_t>(data::integer_or(*parsed, "at", 0), 0, kLatest)));
    profile.policy = compile(profile.document, profile.at);
    return profile;
}

Result<void> remember_in_force(const sys::Root& root, const EffectiveProfile& profile) {
    Json sources = Json::object();
    for (const auto& [pointer, source] : profile.sources) {
        if (source.layer == Layer::defaults)
            continue;
        sources[pointer]["layer"] = to_string(source.layer);
        data::set_path(sources[pointer], "file", source.file);
    }
    const auto at = std::chrono::floor<std::chrono::seconds>(profile.at.time_since_epoch()).count();
    const Json content = {{"schema", 1}, {"at", at}, {"document", profile.document}, {"sources", std::move(sources)}};
    PICKET_TRY(root.make_directories(kFolder, 0700));
    return root.write_atomically(kFile, data::to_text(content) + "\n", 0600);
}

} // namespace picket::profile
