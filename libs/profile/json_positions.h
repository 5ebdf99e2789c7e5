#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <picket/data/yaml.h>

namespace picket::profile {

/// One step of a JSON pointer.
std::string pointer_step(std::string_view key);
/// The place of each value of a JSON text that data::parse_json accepted (members: of their key), by JSON pointer.
std::map<std::string, data::Position> json_positions(std::string_view text);
/// A member that its object has already.
struct RepeatedKey {
    std::string pointer;
    data::Position position;
};
/// Of a text that data::parse_json_last_counts accepted; in the order of the text.
std::vector<RepeatedKey> repeated_keys(std::string_view text);
/// The place that a message of a parser names ("… line 3, column 5 …"); line 0 where it names none.
data::Position position_in(std::string_view message);

} // namespace picket::profile
