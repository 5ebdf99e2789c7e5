#include <picket/profile/schema.h>

#include <algorithm>
#include <span>

#include <picket/base/check.h>
#include <picket/base/text.h>

#include "schema_text.h"

namespace picket::profile {
namespace {

using data::Json;

KeyInfo describe(const std::string& pointer, const Json& node) {
    KeyInfo key;
    key.pointer = pointer;
    key.dotted = pointer.substr(1);
    std::replace(key.dotted.begin(), key.dotted.end(), '/', '.');
    key.node = &node;
    key.merges_elements = data::string_or(node, "x-picket-merge", "override") == "merge";
    key.merge_key = data::string_or(node, "x-picket-merge-key", "");
    key.managed_only = true;
    for (const std::string& layer : data::strings_of(data::member(node, "x-picket-layers")))
        key.managed_only = key.managed_only && layer != "local";
    key.setting = data::string_or(node, "x-picket-setting", "");
    for (const Json& block : data::member(node, "x-picket-local-blocked-by"))
        key.local_blocked_by.push_back({data::string_or(block, "key", ""), data::string_or(block, "value", "")});
    return key;
}

/// A section's members are keys, or sections themselves.
void read_section(const std::string& pointer, const Json& section, std::vector<KeyInfo>& keys) {
    for (const auto& [name, node] : data::member(section, "properties").items()) {
        const std::string child = pointer + "/" + name;
        if (node.contains("properties"))
            read_section(child, node, keys);
        else
            keys.push_back(describe(child, node));
    }
}

std::vector<KeyInfo> read_keys() {
    std::vector<KeyInfo> keys;
    read_section("", schema(), keys);
    return keys;
}

/// The names on the way to a key; a pointer that is none of ours is a mistake of the caller.
std::vector<std::string> names_of(std::string_view pointer) {
    const auto parts = split(pointer, '/');
    PICKET_CHECK(parts.size() >= 3 && parts.front().empty());
    return {parts.begin() + 1, parts.end()};
}

/// Leaves no empty section behind.
void erase_below(Json& section, std::span<const std::string> names) {
    const auto member = section.find(names.front());
    if (member == section.end())
        return;
    if (names.size() > 1 && member->is_object()) {
        erase_below(*member, names.subspan(1));
        if (!member->empty())
            return;
    }
    section.erase(member);
}

} // namespace

std::string_view to_string(Layer layer) {
    switch (layer) {
    case Layer::defaults:
        return "default";
    case Layer::local:
        return "local";
    case Layer::managed:
        return "managed";
    }
    return "default";
}

const Json& schema() {
    static const Json kSchema = [] {
        auto parsed = data::parse_json(kSchemaText);
        PICKET_CHECK(parsed.has_value());
        return std::move(*parsed);
    }();
    return kSchema;
}

const std::vector<KeyInfo>& keys() {
    static const std::vector<KeyInfo> kKeys = read_keys();
    return kKeys;
}

const KeyInfo* find_key(std::string_view pointer) {
    for (const KeyInfo& key : keys())
        if (key.pointer == pointer)
            return &key;
    return nullptr;
}

const KeyInfo* find_key_of_setting(std::string_view name) {
    for (const KeyInfo& key : keys())
        if (!name.empty() && key.setting == name)
            return &key;
    return nullptr;
}

const Json& value_at(const Json& document, std::string_view pointer) {
    const Json* value = &document;
    for (const std::string& name : names_of(pointer))
        value = &data::member(*value, name);
    return *value;
}

void set_value_at(Json& document, std::string_view pointer, Json value) {
    Json* place = &document;
    for (const std::string& name : names_of(pointer))
        place = &(*place)[name];
    *place = std::move(value);
}

void erase_value_at(Json& document, std::string_view pointer) {
    erase_below(document, names_of(pointer));
}

} // namespace picket::profile
