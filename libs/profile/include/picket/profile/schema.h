#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <picket/data/json.h>

namespace picket::profile {

/// Where a value comes from, lowest first: a higher layer wins.
enum class Layer {
    defaults, ///< built in
    local,    ///< /var/lib/picket/settings.json
    managed,  ///< /etc/picket/managed.d/*.json
};
std::string_view to_string(Layer layer); ///< default, local, managed

/// One key of a profile, as the schema and its annotations describe it.
struct KeyInfo {
    std::string pointer;    ///< "/antivirusEngine/scanArchives"
    std::string dotted;     ///< "antivirusEngine.scanArchives"
    const data::Json* node; ///< its schema; lives as long as the program
    bool merges_elements;   ///< false: the highest layer that has it wins
    std::string merge_key;  ///< elements with the same value here are one element; "" = equal elements are
    bool managed_only;      ///< a local file may not hold it
    std::string setting;    ///< its name for `picket config`; "" = none
    struct Block {
        std::string pointer;
        std::string value;
    };
    std::vector<Block>
        local_blocked_by; ///< where one of these has that value (or element), local elements do not count

    const data::Json& default_value() const { return data::member(*node, "default"); }
    std::string help() const { return data::string_or(*node, "description", ""); }
};

/// The schema (draft-07) that this build knows: profiles/schema/picket-profile.schema.json.
const data::Json& schema();
/// Every key below the sections, in the order of the schema's pointers.
const std::vector<KeyInfo>& keys();
/// By pointer; nullptr where there is none.
const KeyInfo* find_key(std::string_view pointer);
/// By `picket config` name; nullptr where there is none.
const KeyInfo* find_key_of_setting(std::string_view name);

/// The value that a key's pointer names in a document; null where it is absent.
const data::Json& value_at(const data::Json& document, std::string_view pointer);
void set_value_at(data::Json& document, std::string_view pointer, data::Json value);
/// Removes the value, and the section where that leaves it empty.
void erase_value_at(data::Json& document, std::string_view pointer);

} // namespace picket::profile
