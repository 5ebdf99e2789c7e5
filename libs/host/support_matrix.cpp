#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>
#include <picket/base/text.h>
#include <picket/data/yaml.h>
#include <picket/host/distro.h>

#include "built_in.h"

namespace picket::host {
namespace {

constexpr std::size_t kMaximumVersionParts = 8;

template <typename Enum>
struct Name {
    Enum value;
    std::string_view text;
};
constexpr std::array<Name<PackageFamily>, 3> kFamilies{
    {{PackageFamily::unknown, "unknown"}, {PackageFamily::deb, "deb"}, {PackageFamily::rpm, "rpm"}}};
constexpr std::array<Name<PackageManager>, 8> kManagers{{{PackageManager::none, "none"},
                                                         {PackageManager::apt, "apt"},
                                                         {PackageManager::dpkg, "dpkg"},
                                                         {PackageManager::dnf, "dnf"},
                                                         {PackageManager::yum, "yum"},
                                                         {PackageManager::tdnf, "tdnf"},
                                                         {PackageManager::zypper, "zypper"},
                                                         {PackageManager::rpm, "rpm"}}};

template <typename Table, typename Enum>
std::string_view name_of(const Table& table, Enum value) {
    const auto row = std::find_if(table.begin(), table.end(), [&](const auto& r) { return r.value == value; });
    return row == table.end() ? std::string_view("unknown") : row->text;
}

/// The first row means "none" and cannot be asked for.
template <typename Enum, std::size_t N>
Result<Enum> value_of(const std::array<Name<Enum>, N>& table, const data::Json& line, std::string_view key) {
    const std::string text = PICKET_TRY(data::get_string(line, key));
    std::string choices;
    for (auto row = table.begin() + 1; row != table.end(); ++row) {
        if (row->text == text)
            return row->value;
        choices += fmt::format("{}{}", choices.empty() ? "" : ", ", row->text);
    }
    return Error(ErrorCode::invalid_input,
                 fmt::format("{}: \"{}\" is none of {}", key, escape_for_display(text), choices));
}

Result<DistroVersion> version_of(std::string_view key, std::string_view text) {
    const auto version = parse_distro_version(text);
    if (!version)
        return Error(ErrorCode::invalid_input,
                     fmt::format("{}: \"{}\" is no version like \"16.04\"", key, escape_for_display(text)));
    return *version;
}

Result<std::vector<DistroVersion>> versions_of(const data::Json& line, std::string_view key) {
    std::vector<DistroVersion> versions;
    const data::Json& list = data::member(line, key);
    const std::vector<std::string> texts = data::strings_of(list);
    if (texts.size() != list.size()) // YAML reads 16.10 as the number 16.1
        return Error(ErrorCode::invalid_input,
                     fmt::format("{}: a list of versions in quotes is needed, like [\"16.04\"]", key));
    for (const std::string& text : texts)
        versions.push_back(PICKET_TRY(version_of(key, text)));
    return versions;
}

constexpr std::array<std::string_view, 12> kKeys{"id",          "like",       "name",    "family",  "package_manager",
                                                 "minimum",     "known",      "too_old", "rolling", "derivative",
                                                 "minor_files", "unsupported"};

Result<void> check_keys(const data::Json& line) {
    if (!line.is_object())
        return Error(ErrorCode::invalid_input, "a mapping {id: …, name: …} is needed");
    for (const auto& [key, value] : line.items()) {
        if (std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end())
            continue;
        const auto near = closest_match(key, std::vector<std::string>(kKeys.begin(), kKeys.end()));
        return Error(ErrorCode::invalid_input, fmt::format("unknown key \"{}\"{}", escape_for_display(key),
                                                           near ? fmt::format("; did you mean \"{}\"?", *near) : ""));
    }
    return {};
}

Result<Distribution> parse_line(const data::Json& line) {
    PICKET_TRY(check_keys(line));
    Distribution distribution;
    distribution.id = to_lower(PICKET_TRY(data::get_string(line, "id")));
    distribution.name = PICKET_TRY(data::get_string(line, "name"));
    distribution.unsupported = data::string_or(line, "unsupported", "");
    if (distribution.id.empty() || distribution.name.empty())
        return Error(ErrorCode::invalid_input, "id and name must not be empty");
    if (!distribution.unsupported.empty())
        return distribution;
    distribution.family = PICKET_TRY(value_of(kFamilies, line, "family"));
    distribution.package_manager = PICKET_TRY(value_of(kManagers, line, "package_manager"));
    distribution.minimum_text = PICKET_TRY(data::get_string(line, "minimum"));
    distribution.minimum = PICKET_TRY(version_of("minimum", distribution.minimum_text));
    distribution.known = PICKET_TRY(versions_of(line, "known"));
    distribution.known_texts = data::strings_of(data::member(line, "known"));
    distribution.too_old = PICKET_TRY(versions_of(line, "too_old"));
    distribution.minor_files = data::strings_of(data::member(line, "minor_files"));
    for (const std::string& word : data::strings_of(data::member(line, "like")))
        distribution.like.push_back(to_lower(word));
    distribution.rolling = data::bool_or(line, "rolling", false);
    distribution.derivative = data::bool_or(line, "derivative", false);
    return distribution;
}

Error at_line(const data::LocatedDocument& document, std::size_t index, const Error& error) {
    const auto position = document.positions.find(fmt::format("/distributions/{}", index));
    const int line = position == document.positions.end() ? 0 : position->second.line;
    return error.with_context(fmt::format("support matrix, line {}", line));
}

} // namespace

std::string_view to_string(PackageFamily family) {
    return name_of(kFamilies, family);
}
std::string_view to_string(PackageManager manager) {
    return name_of(kManagers, manager);
}

std::optional<DistroVersion> parse_distro_version(std::string_view text) {
    DistroVersion version;
    for (const std::string_view part : split(text, '.')) {
        const auto number = parse_unsigned(part);
        if (!number || *number > 1'000'000'000 || version.size() == kMaximumVersionParts)
            return std::nullopt;
        version.push_back(static_cast<std::uint32_t>(*number));
    }
    return version;
}

Result<SupportMatrix> SupportMatrix::parse(std::string_view yaml) {
    const auto document = data::parse_yaml(yaml);
    if (!document)
        return document.error().with_context("support matrix");
    if (data::integer_or(document->value, "schema", 0) != 1)
        return Error(ErrorCode::invalid_input, "support matrix: \"schema: 1\" is needed at its top");
    const data::Json& lines = data::member(document->value, "distributions");
    if (!lines.is_array() || lines.empty())
        return Error(ErrorCode::invalid_input, "support matrix: a list \"distributions\" is needed");
    SupportMatrix matrix;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        auto distribution = parse_line(lines[i]);
        if (!distribution)
            return at_line(*document, i, distribution.error());
        if (matrix.find(distribution->id) != nullptr)
            return at_line(
                *document, i,
                Error(ErrorCode::invalid_input, fmt::format("id \"{}\" twice", escape_for_display(distribution->id))));
        matrix.distributions_.push_back(*std::move(distribution));
    }
    return matrix;
}

SupportMatrix SupportMatrix::built_in() {
    return parse(built_in_support_matrix()).value();
}

const Distribution* SupportMatrix::find(std::string_view id) const {
    const auto line =
        std::find_if(distributions_.begin(), distributions_.end(), [&](const Distribution& d) { return d.id == id; });
    return line == distributions_.end() ? nullptr : &*line;
}

const Distribution* SupportMatrix::find_like(std::string_view word) const {
    if (const Distribution* line = find(word))
        return line;
    const auto line = std::find_if(distributions_.begin(), distributions_.end(), [&](const Distribution& d) {
        return std::find(d.like.begin(), d.like.end(), word) != d.like.end();
    });
    return line == distributions_.end() ? nullptr : &*line;
}

std::string SupportMatrix::summary() const {
    std::vector<std::string> parts;
    for (const Distribution& line : distributions_)
        if (line.unsupported.empty() && !line.derivative && !line.known.empty())
            parts.push_back(fmt::format("{} ≥ {}", line.id, line.minimum_text));
    return join(parts, ", ");
}

} // namespace picket::host
