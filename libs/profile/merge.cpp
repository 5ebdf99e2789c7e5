#include <picket/profile/effective.h>

#include <algorithm>

#include "exclusion.h"

namespace picket::profile {
namespace {

using data::Json;

/// The elements of one list, each once, in the order in which they first came.
class ElementList {
  public:
    explicit ElementList(const KeyInfo& key) : key_(key) {}

    void add(const Json& raw, const Source& source) {
        const bool is_exclusion = key_.pointer.ends_with("/exclusions");
        const Json element = is_exclusion ? normal_exclusion(raw) : raw;
        const Json identity = is_exclusion             ? without_notes(element) // the highest layer's notes count
                              : key_.merge_key.empty() ? element
                                                       : data::member(element, key_.merge_key);
        const auto [known, is_new] = index_.try_emplace(data::to_text(identity), elements_.size());
        if (is_new) {
            elements_.push_back(element);
            sources_.push_back(source);
        } else {
            elements_[known->second] = element;
            sources_[known->second] = source;
        }
    }
    void write_to(Merged& merged) {
        for (std::size_t i = 0; i < sources_.size(); ++i)
            merged.sources[key_.pointer + "/" + std::to_string(i)] = sources_[i];
        set_value_at(merged.document, key_.pointer, Json(std::move(elements_)));
    }

  private:
    const KeyInfo& key_;
    std::vector<Json> elements_;
    std::vector<Source> sources_;
    std::map<std::string, std::size_t> index_;
};

/// Scalars and lists that do not merge: the highest layer that has the key.
void resolve_override(const KeyInfo& key, const std::vector<LayerDocument>& layers, Merged& merged) {
    const Json* value = &key.default_value();
    Source source;
    for (const LayerDocument& layer : layers) {
        const Json& here = value_at(layer.document, key.pointer);
        if (here.is_null() || (layer.layer == Layer::local && key.managed_only))
            continue;
        value = &here;
        source = {layer.layer, layer.file};
    }
    set_value_at(merged.document, key.pointer, *value);
    merged.sources[key.pointer] = source;
}

bool is_local_blocked(const KeyInfo& key, const Json& document) {
    return key.managed_only ||
           std::any_of(key.local_blocked_by.begin(), key.local_blocked_by.end(), [&](const KeyInfo::Block& block) {
               const Json& value = value_at(document, block.pointer);
               return value.is_array() ? std::find(value.begin(), value.end(), Json(block.value)) != value.end()
                                       : value == Json(block.value);
           });
}

void resolve_merge(const KeyInfo& key, const std::vector<LayerDocument>& layers, Merged& merged) {
    ElementList elements(key);
    Source source;
    for (const Json& element : key.default_value())
        elements.add(element, source);
    const bool local_blocked = is_local_blocked(key, merged.document);
    for (const LayerDocument& layer : layers) {
        const Json& list = value_at(layer.document, key.pointer);
        if (!list.is_array() || (layer.layer == Layer::local && local_blocked))
            continue;
        source = {layer.layer, layer.file};
        for (const Json& element : list)
            elements.add(element, source);
    }
    elements.write_to(merged);
    merged.sources[key.pointer] = source;
}

} // namespace

Merged merge(const std::vector<LayerDocument>& layers) {
    Merged merged;
    merged.document = Json::object();
    for (const KeyInfo& key : keys())
        if (!key.merges_elements)
            resolve_override(key, layers, merged);
    // Lists last, those without a block first: what blocks local elements is settled then.
    for (const bool blockable : {false, true})
        for (const KeyInfo& key : keys())
            if (key.merges_elements && key.local_blocked_by.empty() != blockable)
                resolve_merge(key, layers, merged);
    return merged;
}

std::string_view to_string(ProfileStatus status) {
    switch (status) {
    case ProfileStatus::in_force:
        return "in_force";
    case ProfileStatus::last_good:
        return "last_good";
    case ProfileStatus::defaults:
        return "defaults";
    }
    return "defaults";
}

} // namespace picket::profile
