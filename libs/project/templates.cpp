#include "templates.h"

#include <fmt/format.h>
#include <picket/base/check.h>
#include <picket/base/text.h>
#include <picket/profile/authored.h>

namespace picket::project {
namespace {

using data::Json;

void write_yaml(const Json& value, const std::string& indent, std::string& out) {
    for (const auto& [key, member] : value.items()) {
        if (member.is_object() && !member.empty()) {
            out += fmt::format("{}{}:\n", indent, key);
            write_yaml(member, indent + "  ", out);
        } else if (member.is_array() && !member.empty()) {
            out += fmt::format("{}{}:\n", indent, key);
            for (const Json& element : member)
                out += fmt::format("{}  - {}\n", indent, data::to_text(element));
        } else {
            out += fmt::format("{}{}: {}\n", indent, key, data::to_text(member));
        }
    }
}

std::string head_of(std::string_view text) {
    std::string head;
    for (const std::string_view line : split(text, '\n')) {
        if (!line.starts_with('#'))
            break;
        head += fmt::format("{}\n", line);
    }
    return head;
}

std::string below_head(std::string_view name, std::string_view text, std::string_view first,
                       const std::string& indent) {
    const auto rendering = profile::render(text, fmt::format("{}.yaml", name));
    PICKET_CHECK(rendering.ok()); // it is compiled in, and a test renders each
    std::string yaml =
        fmt::format("{}#\n# Complete: what the shipped profile extends is in here.\n---\n{}", head_of(text), first);
    write_yaml(rendering.document, indent, yaml);
    return yaml;
}

} // namespace

const std::vector<Group>& groups() {
    static const std::vector<Group> kGroups{
        {"servers", "baseline-server"},
        {"hardened", "hardened-server"},
        {"databases", "database-host"},
        {"containers", "container-host"},
        {"ci", "ci-runner"},
        {"fileservers", "file-server"},
        {"trial", "audit-first"},
        {"beside_others", "passive"},
    };
    return kGroups;
}

std::string filled_in(std::string_view text, const std::map<std::string, std::string>& values) {
    std::string result(text);
    for (const auto& [name, value] : values) {
        const std::string mark = "@" + name + "@";
        for (auto at = result.find(mark); at != std::string::npos; at = result.find(mark, at + value.size()))
            result.replace(at, mark.size(), value);
    }
    return result;
}

std::string purpose_of(std::string_view profile_text) {
    const std::string_view line = split(profile_text, '\n').front();
    const auto colon = line.find(": ");
    return std::string(colon == std::string_view::npos ? line : line.substr(colon + 2));
}

std::string whole_profile(std::string_view name, std::string_view text) {
    return below_head(name, text, "", "");
}

std::string hiera_profile(std::string_view name, std::string_view text) {
    return below_head(name, text, "picket::profile:\n", "  ");
}

} // namespace picket::project
