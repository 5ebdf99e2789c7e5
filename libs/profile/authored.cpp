#include <picket/profile/authored.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <optional>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/profile/effective.h>

#include "formats.h"
#include "one_file.h"
#include "walker.h"

namespace picket::profile {
namespace {

using data::Json;

constexpr std::string_view kHere = "./";

/// Where a profile lies: shipped, or a path below the folder of the file that all began with.
struct Place {
    bool shipped = false;
    std::string name; ///< "baseline-server"; "/sub/site.yaml"
    bool operator==(const Place&) const = default;
};

std::string folder_of(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? "" : std::string(path.substr(0, slash));
}

const ShippedProfile* find_shipped(std::string_view name) {
    for (const ShippedProfile& profile : shipped_profiles())
        if (profile.name == name)
            return &profile;
    return nullptr;
}

Finding unknown_base(const Json& extends) {
    std::vector<std::string> names;
    for (const ShippedProfile& profile : shipped_profiles())
        names.emplace_back(profile.name);
    const auto* text = extends.get_ptr<const std::string*>();
    const std::string what = fmt::format(
        "must be the name of a shipped profile ({}) or a file in or below this folder (./NAME.yaml), not {}",
        join(names, ", "), shown(extends));
    if (text == nullptr)
        return {"/extends", what, ""};
    const std::string lower = to_lower(*text);
    const bool is_file = lower.ends_with(".yaml") || lower.ends_with(".yml") || lower.ends_with(".json");
    if (is_file && !text->starts_with('/') && !text->starts_with('.'))
        return {"/extends", what, std::string(kHere) + *text};
    return {"/extends", what, closest_match(*text, names).value_or("")};
}

/// Follows `extends` down, one file after the other.
class Chain {
  public:
    explicit Chain(const std::string& path) : path_(path), folder_(folder_of(path)) {
        const auto slash = path.rfind('/');
        places_.push_back({false, "/" + path.substr(slash == std::string::npos ? 0 : slash + 1)});
    }

    void follow(std::string_view text) {
        std::string content(text);
        while (true) {
            OneFile one = validate_one(content, format(places_.back()), label(places_.back()));
            for (Problem& problem : one.validation.problems)
                if (problems_.size() < kMaximumProblems)
                    problems_.push_back(std::move(problem));
            const bool ends = one.extends.is_null();
            const Json extends = one.extends;
            const data::Position position = ends ? data::Position{} : one.validation.positions["/extends"];
            layers_.push_back({Layer::managed, label(places_.back()), std::move(one.validation.document)});
            if (ends)
                return;
            auto next = read_next(extends);
            if (!next.content) {
                problems_.push_back({label(places_.back()), position, next.problem.pointer,
                                     std::move(next.problem.message), std::move(next.problem.suggestion)});
                return;
            }
            content = std::move(*next.content);
            places_.push_back(std::move(next.place));
        }
    }

    Rendering result() {
        Rendering rendering;
        std::reverse(layers_.begin(), layers_.end());
        for (const LayerDocument& layer : layers_)
            rendering.files.push_back(layer.file);
        rendering.problems = std::move(problems_);
        if (rendering.ok())
            rendering.document = said_by(layers_);
        return rendering;
    }

  private:
    struct Next {
        Place place;
        std::optional<std::string> content;
        Finding problem;
    };

    std::string label(const Place& place) const {
        if (place.shipped)
            return place.name;
        if (place == places_.front())
            return path_;
        return folder_.empty() && !path_.starts_with('/') ? place.name.substr(1) : folder_ + place.name;
    }

    static Format format(const Place& place) { return place.shipped ? Format::yaml : format_of(place.name); }

    static Next refuse(std::string message) { return {{}, std::nullopt, {"/extends", std::move(message), ""}}; }

    Next read_next(const Json& extends) const {
        const auto* name = extends.get_ptr<const std::string*>();
        if (name == nullptr)
            return {{}, std::nullopt, unknown_base(extends)};
        if (name->starts_with('/') || name->starts_with("../") || name->find("/..") != std::string::npos)
            return refuse(
                fmt::format("{} leads out of the folder: name a file in or below it (./NAME.yaml)", shown(extends)));
        const ShippedProfile* const base = find_shipped(*name);
        if (base == nullptr && !name->starts_with(kHere))
            return {{}, std::nullopt, unknown_base(extends)};
        Next next;
        next.place = base != nullptr ? Place{true, *name}
                                     : Place{false, normal_path(folder_of(places_.back().name) + name->substr(1))};
        if (std::find(places_.begin(), places_.end(), next.place) != places_.end())
            return refuse(fmt::format("{} comes round to a file that extends this one", shown(extends)));
        if (places_.size() > kMaximumExtends)
            return refuse(fmt::format("is the {}th in a row; at most {} are allowed", places_.size(), kMaximumExtends));
        if (base != nullptr) {
            next.content = std::string(base->text);
            return next;
        }
        auto content = read_below(next.place.name);
        if (!content)
            return refuse(fmt::format("{} cannot be read: {}", shown(extends), content.error().message()));
        next.content = std::move(*content);
        return next;
    }

    Result<std::string> read_below(const std::string& name) const {
        const std::string top = folder_.empty() ? (path_.starts_with('/') ? "/" : ".") : folder_;
        const sys::Root root = PICKET_TRY(sys::Root::open(top));
        return root.read(name, Bytes{kMaximumFileBytes});
    }

    /// What the files say themselves, merged; no default of a key that none of them names.
    static Json said_by(const std::vector<LayerDocument>& layers) {
        const Merged merged = merge(layers);
        Json document = Json::object();
        for (const KeyInfo& key : keys()) {
            if (std::all_of(layers.begin(), layers.end(), [&](const LayerDocument& layer) {
                    return value_at(layer.document, key.pointer).is_null();
                }))
                continue;
            const Json& value = value_at(merged.document, key.pointer);
            if (!key.merges_elements) {
                set_value_at(document, key.pointer, value);
                continue;
            }
            Json said = Json::array();
            for (std::size_t i = 0; i < value.size(); ++i)
                if (merged.sources.at(fmt::format("{}/{}", key.pointer, i)).layer != Layer::defaults)
                    said.push_back(value[i]);
            set_value_at(document, key.pointer, std::move(said));
        }
        return document;
    }

    const std::string path_;
    const std::string folder_; ///< "" where the path has none
    std::vector<Place> places_;
    std::vector<LayerDocument> layers_; ///< highest first
    std::vector<Problem> problems_;
};

} // namespace

Rendering render(std::string_view text, const std::string& path) {
    Chain chain(path);
    chain.follow(text);
    return chain.result();
}

} // namespace picket::profile
