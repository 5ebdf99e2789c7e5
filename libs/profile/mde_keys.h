#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace picket::profile {

/// How the value of an mdatp key becomes ours, beyond its type.
enum class MdeTreatment {
    plain,        ///< the same values, by the schema of the target
    exclusions,   ///< a list of exclusions
    words,        ///< a list of words
    threat_types, ///< a list of key and value
    time_of_day,  ///< minutes, where 1440 is midnight there and "none" here
    old_switch,   ///< of versions before enforcementLevel
    dropped,      ///< `remark` says why
};

struct MdeKey {
    std::string_view key;    ///< dotted
    std::string_view target; ///< pointer of ours; "" = none
    MdeTreatment treatment;
    std::string_view remark; ///< told with every file that has the key
};
/// Every key that mdatp documents. A key that ends in ".*" stands for everything below it.
const std::vector<MdeKey>& mde_keys();
const MdeKey* find_mde_key(std::string_view dotted);
/// Whether keys lie below it.
bool is_mde_section(std::string_view dotted);
/// The documented key that was probably meant, or nothing.
std::string meant_mde_key(std::string_view dotted);

} // namespace picket::profile
