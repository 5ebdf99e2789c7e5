#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace picket::project {

/// templates/PATH, compiled in.
struct Template {
    std::string_view path;
    std::string_view text;
};
const std::vector<Template>& templates();

/// The text with each @NAME@ of `values` put in.
std::string filled_in(std::string_view text, const std::map<std::string, std::string>& values);

/// A group of hosts in an exported project, and the shipped profile that it starts with.
struct Group {
    std::string_view name;
    std::string_view profile;
};
const std::vector<Group>& groups();
/// What the head of a shipped profile says in its first line: "for servers whose data files are large, …".
std::string purpose_of(std::string_view profile_text);
/// A shipped profile with all that it extends, as YAML below its own head: what needs no other file.
std::string whole_profile(std::string_view name, std::string_view text);
/// The same as Hiera data: the value of picket::profile.
std::string hiera_profile(std::string_view name, std::string_view text);

} // namespace picket::project
