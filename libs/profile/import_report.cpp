#include <picket/profile/import_mde.h>

#include <fmt/format.h>
#include <picket/base/text.h>

namespace picket::profile {

using data::Json;

std::string_view to_string(ImportAction action) {
    switch (action) {
    case ImportAction::taken:
        return "taken";
    case ImportAction::converted:
        return "converted";
    case ImportAction::dropped:
        return "dropped";
    case ImportAction::noted:
        return "noted";
    }
    return "noted";
}

std::string to_text(const ImportEntry& entry, std::string_view file) {
    std::string text = escape_for_display(file);
    if (entry.position.line > 0)
        text += fmt::format(":{}:{}", entry.position.line, entry.position.column);
    if (!entry.key.empty())
        text += ": " + escape_for_display(entry.key);
    text += fmt::format(": {}", to_string(entry.action));
    if (!entry.reason.empty())
        text += ": " + escape_for_display(entry.reason);
    for (const std::string& weakening : entry.weakens)
        text += "\n  weakens protection: " + escape_for_display(weakening);
    return text;
}

Json to_json(const ImportEntry& entry) {
    Json json = {{"action", to_string(entry.action)},
                 {"key", entry.key},
                 {"line", entry.position.line},
                 {"column", entry.position.column}};
    if (!entry.target.empty())
        json["target"] = entry.target;
    if (!entry.reason.empty())
        json["reason"] = entry.reason;
    if (!entry.weakens.empty())
        json["weakens"] = entry.weakens;
    return json;
}

} // namespace picket::profile
